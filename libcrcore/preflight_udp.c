/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* preflight_udp.c - UDP sockets that are corked, or have something in their queues */

#include "preflight_part.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"
#include "proc.h"

#define HALF_MS 200

/* 0: none yet. */
static unsigned socket_port(int fd)
{
	struct sockaddr_storage at = {0};
	socklen_t size = sizeof(at);

	if (getsockname(fd, (struct sockaddr *)&at, &size) < 0)
		return 0;
	if (at.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&at)->sin6_port);
	return at.ss_family == AF_INET ? ntohs(((struct sockaddr_in *)&at)->sin_port) : 0;
}

/* criu refuses the option alone, with nothing in the queue, and whether the socket is bound or not. */
static void cork_look(struct preflight *p, struct preflight_socket *s)
{
	cleanup_close int fd = cr_proc_descriptor(p->processes[s->process].pid, s->fd);
	socklen_t size = sizeof(int);
	int cork = 0;

	if (fd < 0 || getsockopt(fd, IPPROTO_UDP, UDP_CORK, &cork, &size) < 0 || !cork)
		return;
	s->corked = true;
	preflight_add(p, CR_PREFLIGHT_UDP_CORK, &p->processes[s->process], s->fd, "port %u", socket_port(fd));
}

/* A line of /proc/net/udp. */
struct udp {
	uint64_t ino;
	unsigned port, sending, waiting;
	char local[33]; /* as the kernel writes it */
	bool six;
};

/* What else has bytes in its sending queue: the network has them, for less than a moment, or they are half a
 * datagram. */
static void line_look(struct preflight *p, struct preflight_socket *s, const struct udp *u, bool again)
{
	const struct preflight_process *process = &p->processes[s->process];

	if (again) {
		if (s->sending && s->sending == u->sending)
			preflight_add(p, CR_PREFLIGHT_UDP_CORK, process, s->fd, "port %u", u->port);
		return;
	}
	s->sending = s->corked ? 0 : u->sending;
	p->sending = p->sending || s->sending;
	/* in a network of the job's own there is no outside, but groups */
	if (u->waiting && (!p->job->private_net || preflight_is_group(u->local, u->six)))
		preflight_add(p, CR_PREFLIGHT_UDP, process, s->fd, "port %u", u->port);
	/* and the addresses are the same everywhere */
	if (!p->job->private_net)
		preflight_address(p, s, u->local, u->six, u->port);
}

static void table_look(struct preflight *p, const char *name, bool six, bool again)
{
	cleanup_fclose FILE *f = preflight_open(p, "%d/net/%s", (int)p->job->root, name);
	char line[512];

	while (f && !preflight_late(p) && fgets(line, sizeof(line), f)) {
		const struct preflight_socket *s;
		struct udp u = {.six = six};

		if (sscanf(line, " %*d: %32[0-9A-F]:%x %*[0-9A-F]:%*x %*x %x:%x %*x:%*x %*x %*u %*d %" SCNu64,
			   u.local, &u.port, &u.sending, &u.waiting, &u.ino) != 5 ||
		    strlen(u.local) != (six ? 32 : 8))
			continue;
		s = preflight_socket_find(p, u.ino);
		if (s)
			line_look(p, &p->sockets[s - p->sockets], &u, again);
	}
}

void preflight_udp(struct preflight *p)
{
	for (size_t i = 0; i < p->n_sockets && !preflight_late(p); i++)
		if (strncmp(p->sockets[i].proto, "UDP", 3) == 0)
			cork_look(p, &p->sockets[i]);
	table_look(p, "udp", false, false);
	table_look(p, "udp6", true, false);
	if (!p->sending)
		return;
	poll(NULL, 0, HALF_MS);
	table_look(p, "udp", false, true);
	table_look(p, "udp6", true, true);
}
