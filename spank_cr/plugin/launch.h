/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* launch.h - how a batch job's task gets its crinit; runs in slurmstepd and in the task process T it forks */

#ifndef CR_PLUGIN_LAUNCH_H
#define CR_PLUGIN_LAUNCH_H

#include <slurm/spank.h>

/* T as root, before Slurm places it: keep the capabilities across Slurm's setuid. */
int launch_privileged(spank_t sp);

/* T as the user, placed. Returns in the process that goes on to exec the user's program: inside of the job's
 * namespaces beside its crinit, or T itself when the job cannot be checkpointed here. T of a supervised job
 * never returns; it ends as the job ended. */
int launch_task(spank_t sp);

/* slurmstepd: remember the step's cgroup; remove the child cgroup when the task is gone. */
int launch_post_fork(spank_t sp);
int launch_cleanup(void);

#endif
