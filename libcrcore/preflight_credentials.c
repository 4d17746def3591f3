/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* preflight_credentials.c - UNIX sockets where messages wait whose sender the receiver is told */

#include "preflight_part.h"

#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"
#include "proc.h"

static int option_of(int fd, int name)
{
	socklen_t size = sizeof(int);
	int value = 0;

	return getsockopt(fd, SOL_SOCKET, name, &value, &size) < 0 ? 0 : value;
}

static void socket_look(struct preflight *p, const struct preflight_socket *s)
{
	const struct preflight_process *process = &p->processes[s->process];
	cleanup_close int fd = cr_proc_descriptor(process->pid, s->fd);
	int waiting = 0;

	if (fd < 0 || option_of(fd, SO_DOMAIN) != AF_UNIX || !option_of(fd, SO_PASSCRED) ||
	    option_of(fd, SO_ACCEPTCONN) || ioctl(fd, FIONREAD, &waiting) < 0 || waiting == 0)
		return;
	preflight_add(p, CR_PREFLIGHT_CREDENTIALS, process, s->fd, "%d bytes", waiting);
}

void preflight_credentials(struct preflight *p)
{
	for (size_t i = 0; i < p->n_sockets && !preflight_late(p); i++) {
		if (strncmp(p->sockets[i].proto, "UNIX", 4) == 0)
			socket_look(p, &p->sockets[i]);
	}
}
