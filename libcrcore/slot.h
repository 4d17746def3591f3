/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* slot.h - a job's starts: how long they have run together, and what is to be done before the end of this one
 *
 * Pure arithmetic: no clock, no file. A slot is one start of the job, until Slurm's time limit for it.
 */

#ifndef CR_SLOT_H
#define CR_SLOT_H

#include <stdbool.h>
#include <stdint.h>

#include "cost.h"

/* What is known of earlier starts, told in the order in which it happened. Times are CLOCK_REALTIME in ns.
 * clock_ms is the CLOCK_MONOTONIC of whoever says so, the job's or the node's, 0: not known. Of the two the one by
 * which less has passed counts: a clock that was set, or another one, takes nothing from the job. */
struct cr_slot_past {
	int64_t ran_ms;	  /* over all of them */
	uint32_t restart; /* the start that was heard of last */
	int64_t last_ns;  /* and when; 0: of none */
	int64_t clock_ms;
};

/* A checkpoint says how long the job had run by then. */
void cr_slot_checkpoint(struct cr_slot_past *past, uint32_t restart, int64_t time_ns, int64_t clock_ms,
			int64_t ran_ms);

/* Something happened in a start of the job: it ran until then at the least. What is older than what is known
 * already is nothing new. Between two starts it did not run. */
void cr_slot_event(struct cr_slot_past *past, uint32_t restart, int64_t time_ns, int64_t clock_ms);

struct cr_slot {
	int64_t start_s, end_s; /* CLOCK_REALTIME; end 0: there is none, start 0: not known */
	int64_t now_ms;
	unsigned turn;	 /* 0 to 999, another for each job: those that started together do not write together */
	bool requeue;	 /* the job is to go on in another slot, and may */
	int64_t limit_s; /* its time limit, as Slurm has it; 0: not known, then it is from start to end */
	int64_t total_s; /* that it may run over all of its starts; 0: no limit */
	int64_t past_ms; /* that it has run over those before this one */
};

/* CLOCK_REALTIME in ms; 0: never. */
struct cr_slot_plan {
	int64_t learn_ms;  /* take a checkpoint then, to learn what the last one will take */
	int64_t last_ms;   /* begin the last one */
	bool requeue;	   /* after which the job is requeued */
	int64_t limit_min; /* the time limit that this slot must get, in minutes; 0: it is right */
};

/* The last checkpoint is durable before the slot's end. Without a cost to go by there is time for a tenth of the
 * slot, 10 s to 5 min, and one to learn from comes twice as long before the end. By its turn a job is up to a
 * hundredth of the slot earlier, at most a minute. */
void cr_slot_plan(const struct cr_slot *slot, const struct cr_cost *cost, struct cr_slot_plan *plan);

#endif
