/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* preflight_broken.c - connections that are over while the program has its socket yet
 *
 * Such a TCP socket is in no table of the kernel's, but knows who was at the other end. criu takes it into its
 * repair mode, which takes CAP_NET_ADMIN; and what went wrong, which the next read would tell, is in no image.
 */

#include "preflight_part.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"
#include "proc.h"

/* An error that the program has not been told of. */
static void error_look(struct preflight *p, const struct preflight_socket *s, int fd)
{
	struct pollfd look = {.fd = fd};

	if (poll(&look, 1, 0) == 1 && look.revents & POLLERR)
		preflight_add(p, CR_PREFLIGHT_SOCKET_ERROR, &p->processes[s->process], s->fd, "%s", "");
}

/* Whose peer was that? False when it never had one. */
static bool peer_text(int fd, char text[INET6_ADDRSTRLEN], unsigned *port)
{
	struct sockaddr_storage at = {0};
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&at;
	const struct sockaddr_in *four = (const struct sockaddr_in *)&at;
	socklen_t size = sizeof(at);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERNAME, &at, &size) < 0)
		return false;
	*port = ntohs(at.ss_family == AF_INET6 ? six->sin6_port : four->sin_port);
	if (at.ss_family == AF_INET6)
		return inet_ntop(AF_INET6, &six->sin6_addr, text, INET6_ADDRSTRLEN) != NULL;
	return at.ss_family == AF_INET && inet_ntop(AF_INET, &four->sin_addr, text, INET6_ADDRSTRLEN);
}

void preflight_broken(struct preflight *p, const struct preflight_socket *s, bool tcp)
{
	const struct preflight_process *process = &p->processes[s->process];
	cleanup_close int fd = preflight_live(p) ? cr_proc_descriptor(process->pid, s->fd) : -1;
	char peer[INET6_ADDRSTRLEN];
	unsigned port;

	if (fd < 0 || (tcp && !peer_text(fd, peer, &port)))
		return;
	if (tcp && !p->job->private_net)
		preflight_add(p, CR_PREFLIGHT_TCP, process, s->fd, "to %s:%u, over", peer, port);
	else
		error_look(p, s, fd);
}
