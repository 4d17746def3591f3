/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* tasks.h - before a restored process runs: what may the processes below pid 1?
 *
 * criu holds capabilities, and gives to the processes that it makes what the images say. Whoever got it to read
 * images of his own could ask for a process that has them, anywhere in the tree or beside it.
 */

#ifndef CR_INIT_TASKS_H
#define CR_INIT_TASKS_H

#include <stddef.h>
#include <sys/types.h>

#include "error.h"

struct tasks {
	pid_t top;	   /* all that descends from it is looked at: 1, but in tests */
	pid_t root;	   /* of the restored tree */
	pid_t criu;	   /* which has restored it */
	const pid_t *ours; /* may have capabilities: these and no others */
	size_t n_ours;
};

/* Every thread of every other process has no capability, and what criu has made is in the tree. A process that is
 * about to end, or to drop what it has, is waited for. Returns 0, or -1 (EPERM: one has). */
int tasks_check(const struct tasks *tasks, struct cr_error *err);

#endif
