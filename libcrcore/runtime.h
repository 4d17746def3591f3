/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* runtime.h - what a job has on its node while it runs
 *
 *   CR_RUN_DIR/JOBID/          root's, mode 0711: nobody else can list, fill or lock it
 *     PART.sock                the job's user's: crinit listens here for scheckpoint
 *   CR_RUN_DIR/home/           root's: where each job's mount namespace has a private tmpfs, for criu and info
 *   CR_RUN_DIR/sockets/        root's: where it has another, which is root's, for the sockets of listen.h
 *   SCRATCH/spank_cr.JOBID/    the job's user's, mode 0700
 *     tmp/ var_tmp/            what the job sees as /tmp and /var/tmp
 *
 * No user may be able to replace what root mounts something on: home and sockets are nobody's but root's.
 *
 * The prolog makes these and the epilog removes them; the launch makes what is missing. Whoever supervises the
 * job holds a lock on CR_RUN_DIR/JOBID, so that a starting slurmd can tell what a crash left from what runs.
 */

#ifndef CR_RUNTIME_H
#define CR_RUNTIME_H

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"

#ifndef CR_RUN_DIR
#define CR_RUN_DIR "/run/spank_cr"
#endif
#define CR_RUN_HOME CR_RUN_DIR "/home"

/* In the job's mount namespace, and root's there: the sockets of listen.h. */
#define CR_RUN_SOCKETS CR_RUN_DIR "/sockets"

/* What SPANK_CR_INFO names: in the job's own tmpfs, and so the same path for every job. */
#define CR_RUN_INFO CR_RUN_HOME "/info"

/* In crinit's environment: NAME=value lines of what Slurm has set for this start of the job. */
#define CR_SLURM_ENV "SPANK_CR_SLURM_ENV"

struct cr_runtime {
	char dir[PATH_MAX];	/* CR_RUN_DIR/JOBID */
	char scratch[PATH_MAX]; /* SCRATCH/spank_cr.JOBID */
	char tmp[PATH_MAX];
	char var_tmp[PATH_MAX];
};

/* Fill in the paths; touches nothing. */
void cr_runtime_paths(struct cr_runtime *rt, const char *scratch, uint32_t job);

/* Make all of it, as root or with CAP_CHOWN, CAP_FOWNER, CAP_DAC_OVERRIDE, CAP_SETUID and CAP_SETGID. What exists
 * with another owner is refused. */
int cr_runtime_create(const struct cr_runtime *rt, uid_t uid, gid_t gid, struct cr_error *err);

/* Empty tmp and var_tmp, for an attempt to restore after one that failed. */
int cr_runtime_reset(const struct cr_runtime *rt, uid_t uid, gid_t gid, struct cr_error *err);

/* Lock CR_RUN_DIR/JOBID; returns a close-on-exec descriptor that holds the lock, or -1 (EWOULDBLOCK: held). */
int cr_runtime_lock(const struct cr_runtime *rt, struct cr_error *err);

int cr_runtime_remove(const struct cr_runtime *rt, struct cr_error *err);

/* Remove the remains of every job whose lock nobody holds. */
int cr_runtime_sweep(const char *scratch, struct cr_error *err);

#endif
