/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* shim_ended.h - the processes that had ended and were not waited for, as crinit tells them to the library in criu
 *
 * A line "PID STATUS" each, STATUS as wait(2) has it. Neither jansson nor anything of libcrcore is here: all of it
 * is loaded into criu.
 */

#ifndef CR_INIT_SHIM_ENDED_H
#define CR_INIT_SHIM_ENDED_H

#include <stddef.h>
#include <sys/types.h>

#define SHIM_ENDED_MAX 65536

struct shim_ended {
	pid_t pid;
	int status;
};

/* The lines of text into list, at most max. Returns how many; -1 if any of it is not as it should be, or too much.
 */
int shim_ended_parse(const char *text, struct shim_ended *list, size_t max);

/* The one with pid, or NULL. */
const struct shim_ended *shim_ended_find(const struct shim_ended *list, size_t n, pid_t pid);

/* What criu calls for such a process, exit(3) or kill(2) to itself: does what it is called with stand for status?
 */
int shim_ended_is_exit(int status, int argument);
int shim_ended_is_kill(int status, int argument);

#endif
