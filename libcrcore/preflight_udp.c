/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* preflight_udp.c - UDP sockets with something in their queues */

#include "preflight_part.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"

/* Bytes are in its sending queue also while the network card has them. criu refuses both together. */
static bool corked(const struct preflight *p, const struct preflight_socket *s)
{
	cleanup_close int pidfd = (int)syscall(SYS_pidfd_open, p->processes[s->process].pid, 0);
	cleanup_close int fd = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, s->fd, 0);
	socklen_t size = sizeof(int);
	int cork = 0;

	return fd >= 0 && getsockopt(fd, IPPROTO_UDP, UDP_CORK, &cork, &size) == 0 && cork;
}

static void line_look(struct preflight *p, const struct preflight_socket *s, unsigned sending, unsigned waiting,
		      unsigned port)
{
	const struct preflight_process *process = &p->processes[s->process];

	if (sending && corked(p, s))
		preflight_add(p, CR_PREFLIGHT_UDP_CORK, process, s->fd, "port %u", port);
	/* in a network of the job's own there is no outside */
	if (waiting && !p->job->private_net)
		preflight_add(p, CR_PREFLIGHT_UDP, process, s->fd, "port %u", port);
}

static void table_look(struct preflight *p, const char *name)
{
	cleanup_fclose FILE *f = preflight_open(p, "%d/net/%s", (int)p->job->root, name);
	char line[512];

	while (f && !preflight_late(p) && fgets(line, sizeof(line), f)) {
		unsigned port, sending, waiting;
		const struct preflight_socket *s;
		uint64_t ino;

		if (sscanf(line, " %*d: %*[0-9A-F]:%x %*[0-9A-F]:%*x %*x %x:%x %*x:%*x %*x %*u %*d %" SCNu64,
			   &port, &sending, &waiting, &ino) != 4 ||
		    (!sending && !waiting))
			continue;
		s = preflight_socket_find(p, ino);
		if (s)
			line_look(p, s, sending, waiting, port);
	}
}

void preflight_udp(struct preflight *p)
{
	table_look(p, "udp");
	table_look(p, "udp6");
}
