/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* preflight_unix.c - who is at the other end of a UNIX socket: only the kernel's socket diagnostics tell */

#include "preflight_part.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "cleanup.h"

#define ANSWER_MAX (64 * 1024)

/* A connection that waits at a listening socket. client: 0 when it has ended already. */
struct wait {
	uint64_t listener, client;
};

struct answer {
	struct cr_preflight_unix *sockets;
	size_t n, room;
	struct wait *waits;
	size_t n_waits, room_waits;
};

static int ask(int fd, struct cr_error *err)
{
	struct {
		struct nlmsghdr head;
		struct unix_diag_req request;
	} m = {
		.head = {.nlmsg_len = sizeof(m),
			 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.request = {.sdiag_family = AF_UNIX,
			    .udiag_states = UINT32_MAX,
			    .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS | UDIAG_SHOW_PEER | UDIAG_SHOW_ICONS |
					  UDIAG_SHOW_RQLEN},
	};

	if (send(fd, &m, sizeof(m), 0) != (ssize_t)sizeof(m))
		return cr_error_sys(err, errno, "asking for UNIX sockets");
	return 0;
}

/* A name of the abstract kind begins with a zero byte: '@' is how it is written. */
static void name_take(struct cr_preflight_unix *u, const struct rtattr *a)
{
	size_t size = RTA_PAYLOAD(a);

	if (size >= sizeof(u->name))
		size = sizeof(u->name) - 1;
	memcpy(u->name, RTA_DATA(a), size);
	u->name[size] = '\0';
	if (size && !u->name[0])
		u->name[0] = '@';
}

static int waits_add(struct answer *answer, uint64_t listener, const struct rtattr *a, struct cr_error *err)
{
	const uint32_t *clients = RTA_DATA(a);
	size_t n = RTA_PAYLOAD(a) / sizeof(*clients);

	if (answer->n_waits + n > answer->room_waits) {
		size_t room = 2 * (answer->n_waits + n);
		struct wait *more = realloc(answer->waits, room * sizeof(*more));

		if (!more)
			return cr_error_sys(err, ENOMEM, "the list of UNIX connections");
		answer->waits = more;
		answer->room_waits = room;
	}
	for (size_t i = 0; i < n; i++)
		answer->waits[answer->n_waits++] = (struct wait){listener, clients[i]};
	return 0;
}

static struct cr_preflight_unix *socket_at(struct answer *answer, uint64_t ino)
{
	const struct cr_preflight_unix key = {.ino = ino};

	return bsearch(&key, answer->sockets, answer->n, sizeof(key), preflight_unix_compare);
}

/* They are sorted by now. criu connects again to where nobody has accepted, and what was sent there is lost. */
static void waits_count(struct answer *answer)
{
	for (size_t i = 0; answer->n && i < answer->n_waits; i++) {
		const struct wait *w = &answer->waits[i];
		struct cr_preflight_unix *listener = socket_at(answer, w->listener);
		const struct cr_preflight_unix *client = w->client ? socket_at(answer, w->client) : NULL;

		if (listener && (!w->client || (client && client->unread)))
			listener->waiting++;
	}
}

static int answer_add(struct answer *answer, const struct nlmsghdr *h, struct cr_error *err)
{
	const struct unix_diag_msg *m = NLMSG_DATA(h);
	struct cr_preflight_unix u = {.ino = m->udiag_ino};
	int left = (int)h->nlmsg_len - (int)NLMSG_LENGTH(sizeof(*m));

	for (const struct rtattr *a = (const struct rtattr *)(m + 1); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == UNIX_DIAG_NAME)
			name_take(&u, a);
		else if (a->rta_type == UNIX_DIAG_PEER && RTA_PAYLOAD(a) >= sizeof(uint32_t))
			u.peer = *(const uint32_t *)RTA_DATA(a);
		else if (a->rta_type == UNIX_DIAG_VFS && RTA_PAYLOAD(a) >= sizeof(struct unix_diag_vfs))
			u.vfs = ((const struct unix_diag_vfs *)RTA_DATA(a))->udiag_vfs_ino;
		else if (a->rta_type == UNIX_DIAG_RQLEN && RTA_PAYLOAD(a) >= sizeof(struct unix_diag_rqlen))
			u.unread = ((const struct unix_diag_rqlen *)RTA_DATA(a))->udiag_wqueue > 0;
		else if (a->rta_type == UNIX_DIAG_ICONS && waits_add(answer, m->udiag_ino, a, err) < 0)
			return -1;
	}
	if (answer->n == answer->room) {
		size_t room = answer->room ? 2 * answer->room : 256;
		struct cr_preflight_unix *more = realloc(answer->sockets, room * sizeof(*more));

		if (!more)
			return cr_error_sys(err, ENOMEM, "the list of UNIX sockets");
		answer->sockets = more;
		answer->room = room;
	}
	answer->sockets[answer->n++] = u;
	return 0;
}

/* One packet of the answer. Returns 1 when it was the last, 0, -1. */
static int packet_take(int fd, char *buf, struct answer *answer, struct cr_error *err)
{
	ssize_t n = recv(fd, buf, ANSWER_MAX, 0);

	if (n <= 0)
		return cr_error_sys(err, n ? errno : EPIPE, "asking for UNIX sockets");
	for (struct nlmsghdr *h = (struct nlmsghdr *)(void *)buf; NLMSG_OK(h, (size_t)n); h = NLMSG_NEXT(h, n)) {
		if (h->nlmsg_type == NLMSG_DONE)
			return 1;
		if (h->nlmsg_type == NLMSG_ERROR)
			return cr_error_set(err, ENOTSUP, "the kernel does not list UNIX sockets (unix_diag)");
		if (h->nlmsg_type == SOCK_DIAG_BY_FAMILY && answer_add(answer, h, err) < 0)
			return -1;
	}
	return 0;
}

int preflight_unix_compare(const void *a, const void *b)
{
	const struct cr_preflight_unix *x = a, *y = b;

	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

int preflight_unix(struct cr_preflight_unix **sockets, size_t *n, struct cr_error *err)
{
	cleanup_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	const struct timeval patience = {.tv_sec = 1};
	cleanup_free char *buf = malloc(ANSWER_MAX);
	struct answer answer = {0};
	int rc;

	*sockets = NULL;
	*n = 0;
	if (!buf)
		return cr_error_sys(err, ENOMEM, "the list of UNIX sockets");
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
		return cr_error_sys(err, errno, "socket diagnostics");
	rc = ask(fd, err);
	while (rc == 0)
		rc = packet_take(fd, buf, &answer, err);
	if (rc < 0) {
		free(answer.sockets);
		free(answer.waits);
		return -1;
	}
	if (answer.n)
		qsort(answer.sockets, answer.n, sizeof(*answer.sockets), preflight_unix_compare);
	waits_count(&answer);
	free(answer.waits);
	*sockets = answer.sockets;
	*n = answer.n;
	return 0;
}
