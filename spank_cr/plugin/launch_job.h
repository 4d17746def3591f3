/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* launch_job.h - the job as T knows it, and the command lines of crinit that say so */

#ifndef CR_PLUGIN_LAUNCH_JOB_H
#define CR_PLUGIN_LAUNCH_JOB_H

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

#include <slurm/spank.h>

#include "error.h"
#include "runtime.h"

#define LAUNCH_PART "batch.0"
#define LAUNCH_ARGS 96

struct launch_job {
	uint32_t id;
	uint32_t restart; /* SLURM_RESTART_COUNT */
	uint32_t nodes;
	uid_t uid;
	gid_t gid;
	char user[64];
	char node[256];
	char script[PATH_MAX];
	char dir[PATH_MAX];	  /* this job's checkpoint directory, expanded */
	char site_dir[PATH_MAX];  /* the site's for this user, expanded */
	char token_dir[PATH_MAX]; /* where all jobs of the site take turns to drain */
	char slurm_env[32768];	  /* for the info file, see launch_env.h */
	struct cr_runtime runtime;
	int private_net; /* 1: this attempt has a network of its own; a checkpoint knows better than the option */
	int from_now;	 /* 1: this attempt, or this request, is of a checkpoint of the job of --restart-from */
	int cgroup;	 /* cgroup.procs of the child cgroup, or -1 */
	int notary;	 /* socket to the notary, or -1 */
	char why[768];	 /* this attempt is not with the newest generation: why; or "" */
};

struct launch_args {
	char *argv[LAUNCH_ARGS + 1];
	const char *slurm_env;
	int argc;
};

int launch_job_read(spank_t sp, struct launch_job *job, struct cr_error *err);

/* Append "--key=value"; an argument that does not fit is an error at launch_args_check. */
void launch_args_add(struct launch_args *args, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int launch_args_check(const struct launch_args *args, struct cr_error *err);

/* "crinit VERB" and what is the same for every verb. */
void launch_args_common(struct launch_args *args, const char *verb, const struct launch_job *job);

/* Replace the process by crinit with a fixed environment. Returns only on error. */
int launch_exec(const char *program, struct launch_args *args, struct cr_error *err);

#endif
