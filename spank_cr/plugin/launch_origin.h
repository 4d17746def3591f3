/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* launch_origin.h - --restart-from=JOBID[.GENERATION]: a new job from another one's checkpoint */

#ifndef CR_PLUGIN_LAUNCH_ORIGIN_H
#define CR_PLUGIN_LAUNCH_ORIGIN_H

#include <stddef.h>

#include "error.h"
#include "launch_job.h"
#include "plan.h"

/* The option's value. Returns 0, or -1 with a line to the user. */
int origin_set(const char *value);

/* sbatch has all its options: is there such a checkpoint? Returns 0, or -1 with a line to the user. */
int origin_check(void);

/* For crinit. */
void origin_args(struct launch_args *args, const struct launch_job *job);

/* "generation 7", or "generation 7 of job 123". Returns buf. */
const char *origin_name(const struct candidate *c, char *buf, size_t size);

/* The job asked for a checkpoint of another job's, and has none: what it was to begin from is not there, and its
 * script is not what it was to begin with. T ends as a job that failed. Returns when the job is another one. */
void origin_fail(const struct cr_error *err);

#endif
