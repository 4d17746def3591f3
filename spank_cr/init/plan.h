/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* plan.h - "crinit plan": before anything is made, as the plain user, what can be done on this node */

#ifndef CR_INIT_PLAN_H
#define CR_INIT_PLAN_H

#include "job.h"

/* Prints for spank_cr.so, a line each:
 *   note TEXT                                   for slurmd's log
 *   warn TEXT                                   for the job's stderr too
 *   refused TEXT                                no supervision here: why, and what to do
 *   candidate GENERATION MONOTONIC BOOTTIME NET to restore, newest first; clocks in nanoseconds, host or private
 *   unfit GENERATION WHY                        the newest sound one, which another node may go on with
 *   passed GENERATION WHY                       one that is not used
 *   looked                                      it is known which checkpoints there are
 *   last HOW WHY                                what to do when no candidate can be restored: hold, fail or fresh
 *   stop HOW WHY                                to do at once, for the job gets nowhere: hold or fail
 *   delay SECONDS                               before the job is started again
 *   ready                                       the end of a good plan
 * By cr_line_say alone, as its reader has root's capabilities: a path may hold anything. Returns the exit status.
 */
int plan_main(struct job *job);

#endif
