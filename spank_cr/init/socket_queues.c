/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "socket_queues.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/sock_diag.h>

#include "cleanup.h"
#include "preflight_part.h"
#include "proc.h"
#include "shim_queue.h"
#include "socket_text.h"

#define DATA_MAX    (1u << 20) /* bytes of a datagram */
#define DATAGRAMS   65536      /* that are noted of one socket */
#define CONTROL_MAX 2048       /* bytes of control messages; 253 descriptors are half of it */
#define NOBODY	    65534u     /* fs.overflowuid, which nobody changes */
#define ARRIVAL_MS  1
#define ARRIVALS    50

/* A name, or an address. size 0: none. */
struct name {
	struct sockaddr_storage address;
	socklen_t size;
};

static bool is_udp(const struct socket_at *at)
{
	return at->family != AF_UNIX && at->type == SOCK_DGRAM && at->protocol == IPPROTO_UDP;
}

static bool is_unix(const struct socket_at *at)
{
	return at->family == AF_UNIX && (at->type == SOCK_DGRAM || at->type == SOCK_SEQPACKET);
}

/* ---- looking ---- */

static unsigned bytes_waiting(int fd)
{
	uint32_t info[SK_MEMINFO_VARS] = {0};
	socklen_t size = sizeof(info);

	return getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &size) < 0 ? 0 : info[SK_MEMINFO_RMEM_ALLOC];
}

/* What asks for a datagram is told of an error first, and so takes it away from the program. */
static bool anything_waits(int fd, const struct socket_at *at)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int listens = 0;
	socklen_t size = sizeof(listens);

	if (poll(&p, 1, 0) < 1 || !(p.revents & POLLIN) || (p.revents & POLLERR))
		return false;
	if (is_udp(at))
		return bytes_waiting(fd) > 0;
	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && !listens;
}

/* The address that an UDP datagram was sent to. */
static struct name target_of(struct msghdr *msg)
{
	struct name to = {.size = 0};
	struct sockaddr_in *in = (struct sockaddr_in *)&to.address;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&to.address;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			*in = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = info.ipi_addr};
			to.size = sizeof(*in);
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			*in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = info.ipi6_addr};
			to.size = sizeof(*in6);
		}
	}
	return to;
}

static void descriptors_close(struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			close(fd);
		}
	}
}

/* Sent by another user: sent again it would be ours. What criu has put back is nobody's. */
static bool is_foreign(struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		struct ucred who;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS)
			continue;
		memcpy(&who, CMSG_DATA(c), sizeof(who));
		if (who.uid != geteuid() && who.uid != NOBODY)
			return true;
	}
	return false;
}

/* The next one. Returns null when there is none, or no more can be noted; false when none at all may be. */
static json_t *datagram_peek(int fd, char *data, size_t *room)
{
	_Alignas(struct cmsghdr) char control[CONTROL_MAX];
	struct iovec iov = {data, DATA_MAX};
	struct name from = {.size = 0}, to;
	struct msghdr msg = {.msg_name = &from.address,
			     .msg_namelen = sizeof(from.address),
			     .msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(fd, &msg, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0)
		return json_null();
	to = target_of(&msg);
	descriptors_close(&msg);
	if (is_foreign(&msg))
		return json_false();
	/* an empty one comes with a target, or with its sender's credentials; the end of a connection does not */
	if ((n == 0 && !CMSG_FIRSTHDR(&msg)) || (msg.msg_flags & MSG_TRUNC) || (size_t)n > *room)
		return json_null();
	*room -= (size_t)n;
	if (msg.msg_namelen <= offsetof(struct sockaddr_un, sun_path))
		msg.msg_namelen = 0;
	return json_pack("[o, o, o]", socket_text(&from.address, msg.msg_namelen),
			 socket_text(&to.address, to.size), socket_text(data, (size_t)n));
}

/* With an offset one datagram after the other comes to the head; that of the program is put back. Returns null
 * when another user's is among them. */
static json_t *datagrams_peek(int fd, size_t *room)
{
	cleanup_free char *data = malloc(DATA_MAX);
	int was = -1, begin = 0;
	socklen_t size = sizeof(was);
	json_t *queue = json_array();

	if (!data || !queue || getsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &was, &size) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &begin, sizeof(begin)) < 0)
		return queue;
	while (json_array_size(queue) < DATAGRAMS) {
		json_t *datagram = datagram_peek(fd, data, room);

		if (json_is_false(datagram)) {
			json_decref(queue);
			queue = json_null();
		}
		if (!json_is_array(datagram) || json_array_append_new(queue, datagram) < 0)
			break;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &was, sizeof(was));
	return queue;
}

/* Asks for what comes beside a datagram meanwhile. */
static json_t *queue_peek(int fd, const struct socket_at *at, size_t *room)
{
	int level = at->family == AF_UNIX ? SOL_SOCKET : at->family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
	int name = at->family == AF_UNIX ? SO_PASSCRED : at->family == AF_INET6 ? IPV6_RECVPKTINFO : IP_PKTINFO;
	int was = 1, on = 1;
	socklen_t size = sizeof(was);
	json_t *queue;

	if (getsockopt(fd, level, name, &was, &size) < 0)
		was = 1;
	if (!was)
		(void)setsockopt(fd, level, name, &on, sizeof(on));
	queue = datagrams_peek(fd, room);
	if (!was)
		(void)setsockopt(fd, level, name, &was, sizeof(was));
	return queue;
}

/* The empty ones that criu's library has met (shim_queue.h): who has looked at one does not see it again. */
static void empty_add(json_t *queue, const struct socket_at *at, const char *notes)
{
	struct shim_queue_note note;

	while (notes && (notes = shim_queue_parse(notes, &note))) {
		if (note.ino == at->ino && note.at <= json_array_size(queue))
			json_array_insert_new(queue, note.at, json_pack("[s, s, s]", note.from, "", ""));
	}
}

json_t *socket_queue_take(int fd, const struct socket_at *at, const char *notes, size_t *room)
{
	json_t *queue;

	if ((!is_udp(at) && !is_unix(at)) || !anything_waits(fd, at))
		return NULL;
	queue = queue_peek(fd, at, room);
	if (json_is_null(queue))
		return NULL;
	if (queue && is_unix(at))
		empty_add(queue, at, notes);
	return queue;
}

bool socket_queue_ok(const json_t *queue)
{
	size_t i;
	json_t *item;

	if (!json_is_array(queue) || json_array_size(queue) > DATAGRAMS)
		return false;
	json_array_foreach (queue, i, item) {
		if (json_array_size(item) != 3 ||
		    socket_bytes(json_array_get(item, 0), NULL, sizeof(struct sockaddr_storage)) < 0 ||
		    socket_bytes(json_array_get(item, 1), NULL, sizeof(struct sockaddr_storage)) < 0 ||
		    socket_bytes(json_array_get(item, 2), NULL, DATA_MAX) < 0)
			return false;
	}
	return true;
}

/* ---- who sends it again ---- */

static struct name name_parse(const json_t *text)
{
	struct name name = {.size = 0};
	int n = socket_bytes(text, &name.address, sizeof(name.address));

	name.size = n > 0 ? (socklen_t)n : 0;
	return name;
}

static struct name name_of(int fd)
{
	struct name name = {.size = sizeof(name.address)};

	if (getsockname(fd, (struct sockaddr *)&name.address, &name.size) < 0 ||
	    name.size <= offsetof(struct sockaddr_un, sun_path))
		name.size = 0;
	return name;
}

static bool name_equal(const struct name *a, const struct name *b)
{
	return a->size && a->size == b->size && memcmp(&a->address, &b->address, a->size) == 0;
}

/* ---- UNIX ---- */

struct local {
	const struct socket_at *at; /* where it is to be */
	int fd;
	const struct sockets *all;
	struct cr_preflight_unix *unix_all;
	size_t n_unix;
	struct name target; /* what to send to */
	int stranger;	    /* a socket without a name that reaches it, or -1 */
};

static uint64_t peer_of(const struct local *l, uint64_t ino)
{
	const struct cr_preflight_unix key = {.ino = ino}, *found = NULL;

	if (l->n_unix)
		found = bsearch(&key, l->unix_all, l->n_unix, sizeof(key), preflight_unix_compare);
	return found ? found->peer : 0;
}

/* A name that is relative to a working directory is looked up from this process's. */
static void target_absolute(struct local *l)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&l->target.address;
	char path[sizeof(un->sun_path)];
	int n;

	if (!l->target.size || un->sun_path[0] == '/' || un->sun_path[0] == '\0')
		return;
	n = snprintf(path, sizeof(path), "/proc/%d/cwd/%.*s", (int)l->at->pid,
		     (int)(l->target.size - offsetof(struct sockaddr_un, sun_path)), un->sun_path);
	l->target.size = 0;
	if (n < 0 || (size_t)n >= sizeof(path))
		return;
	memcpy(un->sun_path, path, (size_t)n + 1);
	l->target.size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n + 1);
}

/* Does the name lead to the socket? It may be another one's by now. */
static void stranger_open(struct local *l)
{
	struct cr_error err;
	struct stat st;
	int fd = socket(AF_UNIX, l->at->type | SOCK_CLOEXEC, 0);

	l->stranger = -1;
	if (fd < 0)
		return;
	if (l->at->type == SOCK_DGRAM && l->target.size &&
	    connect(fd, (struct sockaddr *)&l->target.address, l->target.size) == 0 && fstat(fd, &st) == 0 &&
	    preflight_unix(&l->unix_all, &l->n_unix, &err) == 0 && peer_of(l, st.st_ino) == l->at->ino) {
		l->stranger = fd;
		return;
	}
	close(fd);
	l->target.size = 0;
	if (!l->unix_all && preflight_unix(&l->unix_all, &l->n_unix, &err) < 0)
		l->n_unix = 0;
}

/* The socket that has the name, or, without one, one that is connected to it; *connected: it needs no address. -1:
 * there is none. */
static int local_sender(const struct local *l, const struct name *from, bool *connected)
{
	for (size_t i = 0; i < l->all->n; i++) {
		const struct socket_at *at = &l->all->list[i];
		struct name name;
		int fd;

		if (at->family != AF_UNIX || at->type != l->at->type || at->ino == l->at->ino)
			continue;
		*connected = peer_of(l, at->ino) == l->at->ino;
		if (!*connected && (!from->size || !l->target.size || at->type != SOCK_DGRAM))
			continue;
		fd = cr_proc_descriptor(at->pid, at->fd);
		if (fd < 0)
			continue;
		name = name_of(fd);
		if (from->size ? name_equal(&name, from) : !name.size || l->at->type != SOCK_DGRAM)
			return fd;
		close(fd);
	}
	*connected = false;
	return -1;
}

/* A socket in the place of a sender that has closed its own. Whoever sent the datagram chose the name. */
struct substitute {
	int fd;	 /* -1: there is none */
	int dir; /* of its name, from before it was bound; -1 for an abstract one */
	char file[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1];
};

/* There is nothing at the name yet: what is there later is the substitute's, or was put there by who owns the
 * directory. */
static int substitute_place(struct substitute *s, const struct name *from)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)&from->address;
	char path[sizeof(s->file)] = "", *last;
	struct stat st;

	memcpy(path, un->sun_path, from->size - offsetof(struct sockaddr_un, sun_path));
	if (!path[0])
		return 0;
	last = strrchr(path, '/');
	if (path[0] != '/' || !last[1])
		return -1;
	snprintf(s->file, sizeof(s->file), "%s", last + 1);
	last[last == path] = '\0';
	s->dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return s->dir >= 0 && fstatat(s->dir, s->file, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT ? 0 : -1;
}

/* Its sender has closed the socket: another one with that name, if nobody else has it. */
static struct substitute local_substitute(const struct local *l, const struct name *from)
{
	struct substitute s = {.fd = -1, .dir = -1};

	if (substitute_place(&s, from) == 0)
		s.fd = socket(AF_UNIX, l->at->type | SOCK_CLOEXEC, 0);
	if (s.fd >= 0 && bind(s.fd, (const struct sockaddr *)&from->address, from->size) < 0) {
		close(s.fd);
		s.fd = -1;
	}
	return s;
}

static void substitute_end(const struct substitute *s)
{
	struct stat st;

	if (s->fd >= 0 && s->dir >= 0 && fstatat(s->dir, s->file, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISSOCK(st.st_mode) && st.st_uid == geteuid())
		(void)unlinkat(s->dir, s->file, 0);
	if (s->fd >= 0)
		close(s->fd);
	if (s->dir >= 0)
		close(s->dir);
}

/* Returns 0 when it was sent in the name of its sender. */
static int local_send(const struct local *l, const json_t *item, struct msghdr *msg)
{
	struct name from = name_parse(json_array_get(item, 0));
	struct substitute other = {.fd = -1, .dir = -1};
	bool connected = false;
	cleanup_close int own = local_sender(l, &from, &connected);
	int fd = own, rc = -1;

	if (fd < 0 && from.size && l->target.size) {
		other = local_substitute(l, &from);
		fd = other.fd;
	}
	if (fd >= 0) {
		msg->msg_name = connected ? NULL : (void *)(uintptr_t)&l->target.address;
		msg->msg_namelen = connected ? 0 : l->target.size;
		rc = sendmsg(fd, msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -1 : 0;
	}
	substitute_end(&other);
	if (rc == 0)
		return 0;
	msg->msg_name = NULL;
	msg->msg_namelen = 0;
	rc = l->stranger < 0 ? -1 : sendmsg(l->stranger, msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -1 : 0;
	return from.size ? -1 : rc;
}

/* Has criu put back those that have anything in them? */
static bool local_matches(const json_t *now, const json_t *queue)
{
	size_t at = 0, i;
	json_t *item;

	json_array_foreach (queue, i, item) {
		if (json_string_length(json_array_get(item, 2)) == 0)
			continue;
		if (!json_equal(json_array_get(json_array_get(now, at++), 2), json_array_get(item, 2)))
			return false;
	}
	return at == json_array_size(now);
}

/* Where what is sent comes from. */
enum from {
	NOTED,
	QUEUE,	     /* each is taken out at the head, and sent to the tail; descriptors in it go with it */
	QUEUE_EMPTY, /* there empty ones are, too */
};

static ssize_t local_fetch(const struct local *l, const json_t *item, enum from from, struct msghdr *msg)
{
	bool empty = json_string_length(json_array_get(item, 2)) == 0;
	ssize_t n;

	if (from == NOTED || (from == QUEUE && empty)) {
		msg->msg_controllen = 0;
		return socket_bytes(json_array_get(item, 2), msg->msg_iov->iov_base, DATA_MAX);
	}
	n = recvmsg(l->fd, msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	/* nobody may send another one's credentials, or nobody's */
	if (n >= 0)
		(void)shim_queue_control(msg);
	return n;
}

static unsigned local_turn(const struct local *l, const json_t *queue, enum from from)
{
	_Alignas(struct cmsghdr) char control[CONTROL_MAX];
	cleanup_free char *data = malloc(DATA_MAX);
	unsigned lost = 0;
	size_t i;
	json_t *item;

	if (!data)
		return (unsigned)json_array_size(queue);
	json_array_foreach (queue, i, item) {
		struct iovec iov = {data, DATA_MAX};
		struct msghdr msg = {.msg_iov = &iov,
				     .msg_iovlen = 1,
				     .msg_control = control,
				     .msg_controllen = sizeof(control)};
		ssize_t n = local_fetch(l, item, from, &msg);

		iov.iov_len = n > 0 ? (size_t)n : 0;
		if (msg.msg_controllen == 0)
			msg.msg_control = NULL;
		lost += n < 0 || local_send(l, item, &msg) < 0;
		descriptors_close(&msg);
	}
	return lost;
}

static unsigned local_send_all(int fd, const struct socket_at *at, const json_t *queue, const struct sockets *all,
			       enum from from)
{
	struct local l = {.at = at, .fd = fd, .all = all, .target = name_of(fd), .stranger = -1};
	unsigned lost;

	target_absolute(&l);
	stranger_open(&l);
	lost = local_turn(&l, queue, from);
	if (l.stranger >= 0)
		close(l.stranger);
	free(l.unix_all);
	return lost;
}

/* Is who reads it told who has sent it? What criu has sent, before it has set the option, is nobody's. */
static bool tells_sender(int fd)
{
	int on = 0;
	socklen_t size = sizeof(on);

	return getsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, &size) == 0 && on;
}

/* criu sees nothing of a queue that begins with an empty datagram. */
static unsigned local_apply(int fd, const struct socket_at *at, const json_t *queue, const struct sockets *all)
{
	size_t room = SIZE_MAX;
	json_auto_t *now = queue_peek(fd, at, &room);

	if (json_is_null(now) || (json_equal(now, queue) && !tells_sender(fd)))
		return 0;
	if (json_array_size(now) && !local_matches(now, queue))
		return (unsigned)json_array_size(queue);
	return local_send_all(fd, at, queue, all, json_array_size(now) ? QUEUE : NOTED);
}

void socket_queue_refresh(int fd, const struct socket_at *at, const json_t *queue, const struct sockets *all)
{
	size_t i;
	json_t *item;

	if (!is_unix(at))
		return;
	json_array_foreach (queue, i, item) {
		if (json_string_length(json_array_get(item, 2)) == 0) {
			(void)local_send_all(fd, at, queue, all, QUEUE_EMPTY);
			return;
		}
	}
}

/* ---- UDP ---- */

static in_port_t *port_of(struct name *name)
{
	return name->address.ss_family == AF_INET6 ? &((struct sockaddr_in6 *)&name->address)->sin6_port
						   : &((struct sockaddr_in *)&name->address)->sin_port;
}

/* ::ffff:a.b.c.d is a.b.c.d */
static struct name name_plain(struct name name)
{
	const struct sockaddr_in6 in6 = *(const struct sockaddr_in6 *)&name.address;
	struct sockaddr_in *in = (struct sockaddr_in *)&name.address;

	if (name.size < sizeof(in6) || in6.sin6_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
		return name;
	memset(&name, 0, sizeof(name));
	in->sin_family = AF_INET;
	in->sin_port = in6.sin6_port;
	memcpy(&in->sin_addr, &in6.sin6_addr.s6_addr[12], 4);
	name.size = sizeof(*in);
	return name;
}

static struct name name_mapped(const struct name *name)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)&name->address;
	struct name mapped = {.size = sizeof(struct sockaddr_in6)};
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&mapped.address;

	in6->sin6_family = AF_INET6;
	in6->sin6_port = in->sin_port;
	in6->sin6_addr.s6_addr[10] = in6->sin6_addr.s6_addr[11] = 0xff;
	memcpy(&in6->sin6_addr.s6_addr[12], &in->sin_addr, 4);
	return mapped;
}

static bool is_wildcard(const struct name *name)
{
	return name->address.ss_family == AF_INET6
		       ? IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)&name->address)->sin6_addr)
		       : ((const struct sockaddr_in *)&name->address)->sin_addr.s_addr == INADDR_ANY;
}

static bool is_multicast(const struct name *name)
{
	return name->address.ss_family == AF_INET6
		       ? IN6_IS_ADDR_MULTICAST(&((const struct sockaddr_in6 *)&name->address)->sin6_addr)
		       : IN_MULTICAST(ntohl(((const struct sockaddr_in *)&name->address)->sin_addr.s_addr));
}

/* A socket with the address, which is one of this node's; or -1. */
static int udp_bound(const struct name *name)
{
	int fd = socket(name->address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd >= 0 && !is_multicast(name) && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	    bind(fd, (const struct sockaddr *)&name->address, name->size) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool is_here(struct name name)
{
	cleanup_close int fd = -1;

	*port_of(&name) = 0;
	fd = udp_bound(&name);
	return fd >= 0;
}

/* Where to send it, so that the socket gets it and nobody else: never to another node. size 0: nowhere. */
static struct name udp_target(int fd, const json_t *item)
{
	struct name to = name_plain(name_parse(json_array_get(item, 1))), bound = name_plain(name_of(fd));

	if (!bound.size || is_multicast(&bound))
		return (struct name){.size = 0};
	if (!is_wildcard(&bound))
		return bound;
	if (!to.size || is_wildcard(&to) || !is_here(to)) {
		to = bound;
		if (to.address.ss_family == AF_INET6)
			((struct sockaddr_in6 *)&to.address)->sin6_addr = in6addr_loopback;
		else
			((struct sockaddr_in *)&to.address)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	}
	*port_of(&to) = *port_of(&bound);
	return to;
}

/* The job's socket that has the address, or its port of all addresses, or a new one. */
static int udp_sender(const struct sockets *all, struct name *from)
{
	int any = -1;

	for (size_t i = 0; i < all->n; i++) {
		const struct socket_at *at = &all->list[i];
		struct name name;
		int fd;

		if (!is_udp(at) || (fd = cr_proc_descriptor(at->pid, at->fd)) < 0)
			continue;
		name = name_plain(name_of(fd));
		if (name_equal(&name, from)) {
			if (any >= 0)
				close(any);
			return fd;
		}
		if (any < 0 && name.size && is_wildcard(&name) && *port_of(&name) == *port_of(from) &&
		    is_here(*from))
			any = fd;
		else
			close(fd);
	}
	return any >= 0 ? any : udp_bound(from);
}

/* The path may be narrower at a restore (loopback.h): the datagram is to come in pieces then. Returns what was
 * set, to be set again. */
static int fragments_set(int fd, int value)
{
	int was = IP_PMTUDISC_WANT;
	socklen_t size = sizeof(was);

	(void)getsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &was, &size);
	(void)setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &value, sizeof(value));
	return was;
}

static bool arrived(int fd, unsigned before)
{
	for (int i = 0; i < ARRIVALS; i++) {
		if (bytes_waiting(fd) > before)
			return true;
		poll(NULL, 0, ARRIVAL_MS);
	}
	return false;
}

static int udp_send(int fd, const json_t *item, const struct sockets *all)
{
	struct name from = name_plain(name_parse(json_array_get(item, 0))), to = udp_target(fd, item), own;
	cleanup_free char *data = malloc(DATA_MAX);
	int n = data ? socket_bytes(json_array_get(item, 2), data, DATA_MAX) : -1;
	cleanup_close int sender = from.size && to.size && n >= 0 ? udp_sender(all, &from) : -1;
	unsigned before = bytes_waiting(fd);
	ssize_t sent;
	int was;

	if (sender < 0)
		return -1;
	own = name_of(sender);
	if (own.address.ss_family == AF_INET6 && to.address.ss_family == AF_INET)
		to = name_mapped(&to);
	was = fragments_set(sender, IP_PMTUDISC_DONT);
	sent = sendto(sender, data, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&to.address,
		      to.size);
	(void)fragments_set(sender, was);
	return sent == n && arrived(fd, before) ? 0 : -1;
}

unsigned socket_queue_apply(int fd, const struct socket_at *at, const json_t *queue, const struct sockets *all)
{
	unsigned lost = 0;
	size_t i;
	json_t *item;

	if (is_unix(at))
		return local_apply(fd, at, queue, all);
	json_array_foreach (queue, i, item)
		lost += udp_send(fd, item, all) < 0;
	return lost;
}
