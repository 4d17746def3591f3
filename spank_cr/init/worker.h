/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* worker.h - the process that makes one checkpoint or one restore, so that crinit itself never waits
 *
 * Forked from crinit without an exec. What it finds out it reports over its socket; what crinit decides meanwhile
 * comes back the same way.
 */

#ifndef CR_INIT_WORKER_H
#define CR_INIT_WORKER_H

#include <stdint.h>
#include <sys/types.h>

#include "error.h"
#include "job.h"
#include "slurm.h"

enum report_type {
	REPORT_FROZEN = 1, /* the images are written; the tree still stands still */
	REPORT_THAWED,	   /* the tree runs again; what follows costs it nothing */
	REPORT_PAUSED,	   /* before it: value is how long it stood back for the job and for others, in ms */
	REPORT_COMMITTED,  /* generation is durable */
	REPORT_FAILED,	   /* text says why; the tree runs (dump) or there is none (restore) */
	REPORT_FINISHED,   /* after a final checkpoint: the tree is dead, crinit may end */
	REPORT_RESUMED,	   /* after a final checkpoint nobody ended the job: the tree runs again */
	REPORT_RESTORED,   /* the tree runs; value is its root */
	REPORT_COST,	   /* before it: what that generation took, value its freeze, extra all of it in ms */
	REPORT_DOING,	   /* text says what it is about to do, value is 1 while the tree stands still */
	REPORT_FENCED,	   /* Slurm has started the job again elsewhere: text says where */
	REPORT_FORGED,	   /* somebody has capabilities, or is not in the tree: end everything at once */
};

struct report {
	uint32_t type;
	uint32_t generation;
	int64_t value;	/* freeze in ms, root pid */
	uint64_t extra; /* image bytes; of a restored generation its run */
	char text[768];
};

/* crinit → worker, one byte */
#define WORKER_RELEASE 'r' /* Slurm ends the job: let the tree of a final checkpoint die */
#define WORKER_HURRY                                                                                              \
	'h' /* Slurm ends the job: do not wait for programs that were sent a signal, nor stand back               \
	     */

enum dump_mode {
	DUMP_RUNNING, /* the tree goes on */
	DUMP_VACATE,  /* final: stay frozen until Slurm requeues the job, or 60 s */
	DUMP_LIMIT,   /* final: requeue the job, then the same */
	DUMP_TERM,    /* Slurm ends the job: final; the tree goes on if that is not so */
};

struct worker {
	pid_t pid; /* 0: none */
	int fd;
};

/* state: what slurmctld has said, and the reason to note; constants or the caller's, and not looked at later. */
int worker_start_dump(struct worker *w, struct job *job, enum dump_mode mode, const struct slurm_state *state,
		      struct cr_error *err);
int worker_start_restore(struct worker *w, struct job *job, struct cr_error *err);

/* Send WORKER_HURRY; fine when there is no worker. */
void worker_hurry(const struct worker *w);

/* For the worker itself. */
void report_send(int fd, enum report_type type, uint32_t generation, int64_t value, uint64_t extra,
		 const char *text);
void dump_work(struct job *job, int fd, enum dump_mode mode, const struct slurm_state *state);
void restore_work(struct job *job, int fd);

#endif
