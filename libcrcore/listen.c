/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "listen.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 8
#define FLUSH	100

int cr_listen(const char *dir, const char *name, int type, uid_t uid, gid_t gid, struct cr_error *err)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd;

	if (snprintf(at.sun_path, sizeof(at.sun_path), "%s/%s", dir, name) >= (int)sizeof(at.sun_path))
		return cr_error_set(err, ENAMETOOLONG, "%s/%s is too long for a socket", dir, name);
	unlink(at.sun_path);
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 && chmod(at.sun_path, 0600) == 0 &&
	    lchown(at.sun_path, uid, gid) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	cr_error_sys(err, errno, "listening at %s", at.sun_path);
	if (fd >= 0)
		close(fd);
	return -1;
}

void cr_listen_flush(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	for (int i = 0; i < FLUSH && poll(&p, 1, 0) > 0; i++) {
		int waiting = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

		if (waiting < 0)
			return;
		close(waiting);
	}
}
