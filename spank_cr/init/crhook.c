/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* crhook - what criu runs at its action points: tells crinit which one, and ends as crinit answers
 *
 * criu runs an action script without arguments and closes inherited descriptors: the socket's path and the token
 * that proves where the call comes from travel in the environment, which the job's processes cannot read.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "hook.h"

int main(void)
{
	const char *path = getenv(HOOK_ENV_SOCKET), *token = getenv(HOOK_ENV_TOKEN);
	const char *action = getenv("CRTOOLS_SCRIPT_ACTION");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct hook_call call;
	unsigned char answer = 1;
	int fd;

	if (!path || !token || !action || strlen(path) >= sizeof(to.sun_path)) {
		fprintf(stderr, "crhook: started by criu only\n");
		return 2;
	}
	memset(&call, 0, sizeof(call));
	snprintf(call.token, sizeof(call.token), "%s", token);
	snprintf(call.action, sizeof(call.action), "%s", action);
	strcpy(to.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
	    send(fd, &call, sizeof(call), MSG_NOSIGNAL) != (ssize_t)sizeof(call) || recv(fd, &answer, 1, 0) != 1) {
		perror("crhook: crinit does not answer");
		return 1;
	}
	return answer;
}
