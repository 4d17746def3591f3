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
#include <string.h>
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
static bool peer_text(int fd, bool is_six, char text[INET6_ADDRSTRLEN], unsigned *port)
{
	struct sockaddr_in6 six = {0};
	struct sockaddr_in four = {0};
	/* more room than the address takes is an error here */
	socklen_t size = is_six ? sizeof(six) : sizeof(four);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERNAME, is_six ? (void *)&six : (void *)&four, &size) < 0)
		return false;
	*port = ntohs(is_six ? six.sin6_port : four.sin_port);
	return is_six ? inet_ntop(AF_INET6, &six.sin6_addr, text, INET6_ADDRSTRLEN) != NULL
		      : inet_ntop(AF_INET, &four.sin_addr, text, INET6_ADDRSTRLEN) != NULL;
}

void preflight_broken(struct preflight *p, const struct preflight_socket *s, bool tcp)
{
	const struct preflight_process *process = &p->processes[s->process];
	cleanup_close int fd = preflight_live(p) ? cr_proc_descriptor(process->pid, s->fd) : -1;
	char peer[INET6_ADDRSTRLEN];
	unsigned port;

	if (fd < 0 || (tcp && !peer_text(fd, strcmp(s->proto, "TCPv6") == 0, peer, &port)))
		return;
	if (tcp && !p->job->private_net)
		preflight_add(p, CR_PREFLIGHT_TCP, process, s->fd, "to %s:%u, over", peer, port);
	else
		error_look(p, s, fd);
}
