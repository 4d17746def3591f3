/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* requeue.h - "crinit requeue": a job whose newest checkpoint does not fit this node has Slurm start it elsewhere
 *
 * As the job's user, with scontrol: requeue, and then this node into the job's ExcNodeList, which slurmctld takes
 * for pending jobs only. In between the job waits for its old processes and credential to go, so that it is not
 * started again at once. If it comes back all the same, the journal knows that it was sent away from here once,
 * and it stays.
 */

#ifndef CR_INIT_REQUEUE_H
#define CR_INIT_REQUEUE_H

#include <stdbool.h>

#include "elsewhere.h"
#include "job.h"
#include "moved.h"

#define REQUEUE_MOST 3 /* in a row, without having run in between */

/* What scontrol says of the job. */
struct requeue_facts {
	char name[64];	     /* what scontrol calls it: an element of an array has a name of its own */
	char excluded[4096]; /* ExcNodeList, "" when there is none */
	char comment[256];   /* its first word */
	char wanted[256];    /* ReqNodeList, likewise */
	uint32_t restarts;
	struct elsewhere wish;
};

/* Read the line of job id in the text of "scontrol --oneliner show job"; ENOTSUP with the reason when it can or
 * should not be requeued. */
int requeue_read(const char *text, uint32_t id, struct requeue_facts *facts, struct cr_error *err);

/* As that, but only whether Slurm will start the job again at all: not the wish. */
int requeue_may(const char *text, uint32_t id, struct requeue_facts *facts, struct cr_error *err);

typedef int (*requeue_reader)(const char *text, uint32_t id, struct requeue_facts *facts, struct cr_error *err);

/* Ask for the facts; patiently, as the job has nothing else to do. */
int requeue_ask(const struct job *job, requeue_reader reader, struct requeue_facts *facts, struct cr_error *err);

/* Have the job pending again: "requeue", or "requeuehold". Prints "asking" directly before. */
int requeue_pending(const struct job *job, const char *verb, requeue_reader reader,
		    const struct requeue_facts *facts, struct cr_error *err);

/* "scontrol update" of the pending job, again and again while Slurm ends this start. more: as what, or NULL. */
int requeue_update(const struct requeue_facts *facts, const char *what, const char *more, struct cr_error *err);
/* On one node, a job that wants nodes wants this one. ENOTSUP, unless that is what "scheckpoint vacate --to" said.
 */
int requeue_wanted(const struct requeue_facts *facts, const struct moved *moved, struct cr_error *err);

/* What the journal has to say: -1 when the job was sent away from this node before, or too often in a row. */
int requeue_past(const struct job *job, struct cr_error *err);

/* Is it that slurmctld did not answer, rather than that it refused? */
bool requeue_unanswered(const struct cr_error *err);

/* Prints "asking" as soon as slurmctld may have heard of it, then "requeued" or "refused WHY", and notes before.
 * Every signal must be blocked: Slurm ends the step as soon as it has requeued the job. Returns the exit status.
 */
int requeue_main(struct job *job);

#endif
