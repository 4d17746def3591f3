/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* gc.h - what ended jobs have left in the store, and which of it goes */

#ifndef CLI_GC_H
#define CLI_GC_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "config.h"
#include "error.h"

struct gc {
	const struct cr_config *config;
	bool dry_run;
	uid_t uid;
	int64_t now;	 /* seconds since 1970 */
	json_t *removed; /* an object for each thing that went, or would have: job, path, why, bytes */
};

/* DIR/JOBID of a job that Slurm does not know any more: remove what a crash left; the checkpoints, when it
 * completed or failed and the site does not keep those; everything, when it is older than max_age. What is empty
 * then goes too. */
int gc_job(struct gc *gc, const char *dir, uint32_t job, struct cr_error *err);

/* DIR/NAME, where name is JOBID.old-TIME: checkpoints of an earlier job of the same id. */
int gc_old(struct gc *gc, const char *dir, const char *name, uint32_t job, struct cr_error *err);

#endif
