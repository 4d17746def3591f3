/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* shim_stop.h - processes that are stopped (SIGSTOP and its like) are so again, and nobody is told a second time
 *
 * criu stops them anew at the end of a restore. Their parents would have another SIGCHLD, and waitpid(WUNTRACED)
 * would tell of the stop again: a shell takes that for a job that has stopped just now, and leaves its loop. So,
 * while criu still holds all of them by ptrace, each is let into its stop, and its parent is made to take note of
 * that without knowing: a wait4 in its name, and the signal is thrown away.
 */

#ifndef CR_INIT_SHIM_STOP_H
#define CR_INIT_SHIM_STOP_H

#include <sys/types.h>

#include "shim_call.h"

/* Process pid is ptrace-stopped by the caller, has the stop signal sig pending, and so are its parent and all
 * threads of both. Returns 0, or -1: its parent may be told again. */
int shim_stop_quietly(const struct shim_calls *calls, pid_t pid, int sig);

#endif
