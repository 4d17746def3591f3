/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* clockwork.h - when the next checkpoint of this job is due
 *
 * It goes by the time in which the job runs. When Slurm suspends a job the kernel stops all of it, crinit too,
 * which then sees that it was not there for a while. Slurm announces it with SIGTSTP some seconds before; a
 * checkpoint that began in between would find programs that have stopped for the signal, and bring them back like
 * that.
 *
 * No clock is read in here: now_ns is CLOCK_MONOTONIC.
 */

#ifndef CR_INIT_CLOCKWORK_H
#define CR_INIT_CLOCKWORK_H

#include <stdbool.h>
#include <stdint.h>

#include "cost.h"
#include "interval.h"

#define CLOCKWORK_POLL_MS 1000
#define CLOCKWORK_GAP_NS  (5 * INT64_C(1000000000)) /* nobody waits so long for a processor */
#define CLOCKWORK_HOLD_NS (30 * INT64_C(1000000000))

struct clockwork {
	struct cr_interval_policy policy;
	struct cr_interval interval; /* in use */
	uint64_t seed;
	int64_t seen_ns;	 /* CLOCK_MONOTONIC of the last turn */
	int64_t ran_ns;		 /* the job has run for so long since the start; the next three are of this */
	int64_t begun_ns;	 /* the last one that was due began */
	int64_t due_ns;		 /* the next one */
	int64_t hold_ns;	 /* none begins before; 0: no matter */
	bool held;		 /* since the last one began: nobody can put them off again and again */
	bool periodic;		 /* the one that is being made was due */
	bool committed;		 /* and is */
	unsigned failures;	 /* in a row */
	struct cr_interval told; /* what was in use when it was told last */
};

/* The job runs from now on. policy, seed and what cost knows already are set. Returns when the first is due, in
 * ms. */
int64_t clockwork_start(struct clockwork *c, const struct cr_cost *cost, int64_t now_ns);

/* Returns for how long nothing of the job ran since the last turn, in ns; 0 when it did. */
int64_t clockwork_turn(struct clockwork *c, int64_t now_ns);

/* Until something may be due, but CLOCKWORK_POLL_MS at most. */
int clockwork_sleep_ms(const struct clockwork *c);

bool clockwork_due(const struct clockwork *c);

/* Nothing is to begin but what Slurm waits for. */
bool clockwork_held(const struct clockwork *c);

/* Slurm has announced that it will suspend the job; or somebody has sent SIGTSTP for reasons of his own, so it is
 * believed for half a minute. */
void clockwork_hold(struct clockwork *c);
void clockwork_release(struct clockwork *c);

/* A checkpoint begins, because it was due or because somebody wants it; is committed (the cost has it already);
 * its worker is gone. */
void clockwork_begun(struct clockwork *c, bool periodic);
void clockwork_committed(struct clockwork *c, const struct cr_cost *cost);
void clockwork_ended(struct clockwork *c);

/* The interval has changed so much that it is worth a line, or something is known of it at last. */
bool clockwork_news(struct clockwork *c);

#endif
