/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* hook.h - criu's action points, served by the worker that runs criu */

#ifndef CR_INIT_HOOK_H
#define CR_INIT_HOOK_H

#include <sys/types.h>

#include "error.h"

#define HOOK_ENV_SOCKET "CR_HOOK_SOCKET"
#define HOOK_ENV_TOKEN	"CR_HOOK_TOKEN"

struct hook_call {
	char token[40];
	char action[40];
};

struct hook {
	int fd;
	int peer;      /* the image process's socket, and */
	int listening; /* where it accepts criu: once it has gone, criu is hung up on there; both -1: there is none
			*/
	char token[40];
};

/* For calls that come to the listening socket fd, which stays the caller's, and know a token that is new. */
int hook_open(struct hook *hook, int fd, struct cr_error *err);

/* criu is about to be started, and is to connect to the image process, whose socket is peer (-1: there is none),
 * at listening: both stay the caller's. Who waits there already is hung up on. */
void hook_watch(struct hook *hook, int peer, int listening);

/* Serve calls until the process of pidfd ends: on_action's 0 lets criu go on, anything else makes it fail; caller
 * is the process that criu has run and that waits for the answer. Calls without the token are answered with 1 and
 * otherwise ignored. */
int hook_serve(struct hook *hook, int pidfd, int (*on_action)(const char *action, pid_t caller, void *arg),
	       void *arg, struct cr_error *err);

#endif
