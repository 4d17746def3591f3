/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* notify.h - a signal for those programs of the job that want to know (--checkpoint-signal)
 *
 * Only a process that has a handler is told, for anybody else would die of it. Between fork and exec a process
 * shows its parent's, which the exec takes away: while a job runs, such a one is passed over; while all of it
 * stands still, whoever has a handler runs it before anything else.
 */

#ifndef CR_INIT_NOTIFY_H
#define CR_INIT_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "job.h"

/* Does pid have a handler of its own for sig? Anybody else would die of it. */
bool notify_catches(pid_t pid, int sig);

/* Has pid executed a program since its fork, or lived so long without that it hardly will? *start is when it
 * began, in clock ticks. */
bool notify_settled(pid_t pid, uint64_t *start);

/* Send sig to every process of the tree below root that has a handler: while none of them runs; and while they
 * run, those that are settled. The young ones get half a second for that, less when something comes from fd.
 * Both return how many were told. */
unsigned notify_still(const struct job *job, pid_t root, int sig);
unsigned notify_running(const struct job *job, pid_t root, int sig, int fd);

/* Before a checkpoint, in the worker: the signal, then the time that the program has, at most max seconds; less
 * when something comes from fd, which is crinit's word that there is no time for that. */
void notify_before(const struct job *job, int max, int fd);

#endif
