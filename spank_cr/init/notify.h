/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* notify.h - a signal for those programs of the job that want to know (--checkpoint-signal) */

#ifndef CR_INIT_NOTIFY_H
#define CR_INIT_NOTIFY_H

#include <stdbool.h>
#include <sys/types.h>

#include "job.h"

/* Does pid have a handler of its own for sig? Anybody else would die of it. */
bool notify_catches(pid_t pid, int sig);

/* Send sig to every process of the tree below root that has one. Returns how many. */
unsigned notify_tree(const struct job *job, pid_t root, int sig);

/* Before a checkpoint, in the worker: the signal, then the time that the program has, at most max seconds; less
 * when something comes from fd, which is crinit's word that there is no time for that. */
void notify_before(const struct job *job, int max, int fd);

#endif
