/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* cost.h - what checkpoints of a job have taken so far, and what the next one is expected to take
 *
 * Pure arithmetic over what crinit has seen: no clock, no file. A sample is one committed checkpoint: how long the
 * job stood still, and how long it was from the beginning until the checkpoint was durable. The last few count,
 * the worst of them for a deadline, their mean for what checkpoints cost a job.
 *
 * A last checkpoint is written while the job stands still: without the pauses that one beside the running job
 * makes for the job's sake, or for other jobs'. How long those were is known of checkpoints that this crinit has
 * made.
 */

#ifndef CR_COST_H
#define CR_COST_H

#include <stdint.h>

#define CR_COST_SAMPLES 5

struct cr_cost_sample {
	int64_t freeze_ms; /* the job stood still */
	int64_t total_ms;  /* from the beginning until it was durable; at least freeze_ms */
	int64_t paused_ms; /* of those, standing back for the job and for others; -1: not known */
};

struct cr_cost {
	struct cr_cost_sample samples[CR_COST_SAMPLES]; /* a ring */
	unsigned n;					/* that were added; which is the next one with it */
	double drained_ms, lost_ms; /* looked at while a checkpoint was written, and work lost then */
};

/* Note a committed checkpoint. Negative values count as 0, a total below the freeze as the freeze. */
void cr_cost_add(struct cr_cost *cost, int64_t freeze_ms, int64_t total_ms);

/* Of the newest, so much was spent standing back. Until then that is not known of it. */
void cr_cost_paused(struct cr_cost *cost, int64_t paused_ms);

/* What a last checkpoint is expected to take, in ms: the mean and the worst of those of the last few whose pauses
 * are known, without them. -1 when there is none. */
int64_t cr_cost_final_ms(const struct cr_cost *cost);
int64_t cr_cost_final_worst_ms(const struct cr_cost *cost);

/* The time that one needs to be sure to have: the worst, half as much again, and two seconds. -1 as above. */
int64_t cr_cost_final_lead_ms(const struct cr_cost *cost);

/* The mean of the last few, in ms; -1 before the first. */
int64_t cr_cost_freeze_ms(const struct cr_cost *cost);
int64_t cr_cost_total_ms(const struct cr_cost *cost);

/* The job's processes have used so many processors before a checkpoint, and so many during the drain_ms in which
 * it was written while they ran. What tells nothing is passed over: a job that was idle, a drain too short to see.
 */
void cr_cost_add_drain(struct cr_cost *cost, double before, double during, int64_t drain_ms);

/* By which part a job is slower while a checkpoint is written, 0 to drain_share percent: the mean of what was
 * seen, or what processes at nice 10 take from one that wants all of the processors, a tenth. */
double cr_cost_slowdown(const struct cr_cost *cost, int drain_share);

/* The work that one checkpoint costs the job, in ms: what it stands still, and that part of the drain; -1 before
 * the first. */
int64_t cr_cost_work_ms(const struct cr_cost *cost, int drain_share);

/* How long before a deadline a checkpoint has to begin in order to be durable by then, in ms: the longest of the
 * last few, half as much again, and two seconds. unknown_ms before the first. */
int64_t cr_cost_lead_ms(const struct cr_cost *cost, int64_t unknown_ms);

#endif
