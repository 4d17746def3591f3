/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* fence.h - two nodes that believe that they run the same job: the start that Slurm made last is the job
 *
 * A node that Slurm has given up on may run the job yet, and reach the store. What tells the two starts apart is
 * how often Slurm has started the job, which each knows from Slurm; no clock. A start says in the journal that it
 * is there before it looks at the checkpoints, and the older one finds that line: doc/faults.md.
 */

#ifndef CR_INIT_FENCE_H
#define CR_INIT_FENCE_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "job.h"
#include "manifest.h"

/* Of the error that says that a newer start owns the store; no call of the system's gives it for a file. */
#define FENCE_LOST EKEYREVOKED

/* Does the store still belong to this start of the job? -1 with FENCE_LOST when a newer one owns it: nothing there
 * is to be published, swept or written then. */
int fence_check(const struct job *job, struct cr_error *err);

/* After a commit: -1 with FENCE_LOST, and the generation set aside, when a newer start had made its choice among
 * the checkpoints by then. */
int fence_settle(const struct job *job, uint32_t generation, struct cr_error *err);

/* This start owns the store from now on; what it does not find there yet is not the job's. -1 with FENCE_LOST when
 * it is not the newest one: unless slurmctld says that it is, which may have lost count. over: is the start before
 * it known to have ended? Otherwise it may run yet, and write to the job's files, until it has looked at the
 * journal. */
int fence_claim(struct job *job, bool *over, struct cr_error *err);

/* The seconds within which it has. */
int64_t fence_patience(const struct job *job);

/* A look at it between checkpoints, for loop.c; one child at a time. */
struct fence {
	int fd; /* 0: nobody looks */
	int64_t next_ns;
};

/* Was this generation published by a start that was not the job's newest any more? */
bool fence_late(const struct job *job, const struct cr_manifest *m);

#endif
