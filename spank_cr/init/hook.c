/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "hook.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "cleanup.h"
#include "listen.h"

int hook_open(struct hook *hook, int fd, struct cr_error *err)
{
	unsigned char random[16];

	/* all of the token is compared, and the caller's struct may be fresh from a used stack */
	memset(hook, 0, sizeof(*hook));
	hook->fd = fd;
	hook->peer = hook->listening = -1;
	cr_listen_flush(fd);
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return cr_error_sys(err, errno, "getrandom");
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(hook->token + 2 * i, 3, "%02x", random[i]);
	return 0;
}

void hook_watch(struct hook *hook, int peer, int listening)
{
	hook->peer = peer;
	hook->listening = listening;
	cr_listen_flush(listening);
}

static void call_serve(struct hook *hook, int (*on_action)(const char *action, pid_t caller, void *arg), void *arg)
{
	/* a caller that says nothing (only the job's own user can be one) must not hold a frozen job up */
	const struct timeval patience = {.tv_sec = 2};
	cleanup_close int fd = accept4(hook->fd, NULL, NULL, SOCK_CLOEXEC);
	socklen_t length = sizeof(struct ucred);
	struct hook_call call;
	struct ucred peer;
	unsigned char answer = 1;

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (recv(fd, &call, sizeof(call), MSG_TRUNC) != (ssize_t)sizeof(call))
		return;
	call.action[sizeof(call.action) - 1] = '\0';
	if (memcmp(call.token, hook->token, sizeof(hook->token)) == 0)
		answer = on_action(call.action, peer.pid, arg) == 0 ? 0 : 1;
	if (send(fd, &answer, 1, MSG_NOSIGNAL) != 1)
		return; /* criu is gone; its exit status tells */
}

int hook_serve(struct hook *hook, int pidfd, int (*on_action)(const char *action, pid_t caller, void *arg),
	       void *arg, struct cr_error *err)
{
	struct pollfd fds[] = {{.fd = hook->fd, .events = POLLIN},
			       {.fd = pidfd, .events = POLLIN},
			       {.fd = hook->peer},
			       {.fd = -1, .events = POLLIN}};

	for (;;) {
		if (poll(fds, 4, -1) < 0) {
			if (errno == EINTR)
				continue;
			return cr_error_sys(err, errno, "poll");
		}
		/* first: whoever keeps calling must not keep us once criu has ended */
		if (fds[1].revents)
			return 0;
		/* nobody would ever accept criu's connection, and criu waits for that without an end */
		if (fds[2].revents) {
			fds[2].fd = -1;
			fds[3].fd = hook->listening;
		}
		if (fds[3].revents)
			cr_listen_flush(hook->listening);
		if (fds[0].revents)
			call_serve(hook, on_action, arg);
	}
}
