/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* deadline.h - the checkpoint before the job's time limit, and what becomes of the job there
 *
 * It begins so early that it is committed by then, as earlier ones have taken (libcrcore/slot.h). With
 * --checkpoint-timelimit=requeue the job stands still after it, and requeues itself; otherwise it runs on until
 * Slurm ends it. With --checkpoint-total-time the time limit of the last slot is lowered, so that it is Slurm that
 * ends it.
 */

#ifndef CR_INIT_DEADLINE_H
#define CR_INIT_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

#include "slot.h"
#include "worker.h"

struct deadline {
	struct cr_slot_plan plan;
	int64_t begun_for_s; /* the end for which the last checkpoint was begun; 0: not yet */
	bool learnt;	     /* one to learn from was begun */
	bool ours;	     /* the running one is the deadline's */
	int64_t again_ns;    /* CLOCK_MONOTONIC; the last one has failed, and is not begun again before */
	unsigned failures;   /* since the last one that was committed */
	bool told_lost, told_terms;
	int limits; /* how often a lower time limit was asked for */
	int64_t limit_asked_ns;
};

struct loop;

/* Look at the clock; ask slurmctld again when the end is near. */
void deadline_serve(struct loop *l);

/* Is a checkpoint due for the deadline? Then it counts as begun; *mode and *reason are the worker's. */
bool deadline_take(struct loop *l, enum dump_mode *mode, const char **reason);

/* Is the last one so near that one of the interval's would only be in its way? */
bool deadline_near(const struct loop *l);

/* How long before the limit the last one begins. */
int64_t deadline_lead_ms(const struct loop *l);

/* What became of a checkpoint; resumed: of one after which the job was to end. */
void deadline_committed(struct loop *l);
void deadline_resumed(struct loop *l);
void deadline_failed(struct loop *l);

#endif
