/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "slot.h"

#define MINUTE_MS   INT64_C(60000)
#define LEAD_MIN_MS 10000
#define LEAD_MAX_MS (5 * MINUTE_MS)
#define SLACK_MS    15000
#define MARGIN_MS   3000 /* clocks that differ, and the way to slurmctld */

void cr_slot_checkpoint(struct cr_slot_past *past, uint32_t restart, int64_t time_ns, int64_t clock_ms,
			int64_t ran_ms)
{
	*past = (struct cr_slot_past){
		.ran_ms = ran_ms > 0 ? ran_ms : 0, .restart = restart, .last_ns = time_ns, .clock_ms = clock_ms};
}

static int64_t passed_ms(const struct cr_slot_past *past, int64_t time_ns, int64_t clock_ms)
{
	int64_t ms = (time_ns - past->last_ns) / 1000000, clock = clock_ms - past->clock_ms;

	return past->clock_ms > 0 && clock >= 0 && clock < ms ? clock : ms;
}

void cr_slot_event(struct cr_slot_past *past, uint32_t restart, int64_t time_ns, int64_t clock_ms)
{
	if (past->last_ns && restart == past->restart && time_ns > past->last_ns)
		past->ran_ms += passed_ms(past, time_ns, clock_ms);
	else if (past->last_ns && restart <= past->restart)
		return;
	past->restart = restart;
	past->last_ns = time_ns;
	past->clock_ms = clock_ms;
}

static int64_t clamp(int64_t n, int64_t least, int64_t most)
{
	return n < least ? least : n > most ? most : n;
}

/* How long before the end the last checkpoint begins. */
static int64_t lead_ms(const struct cr_slot *slot, const struct cr_cost *cost)
{
	int64_t from_ms = slot->start_s > 0 ? slot->start_s * 1000 : slot->now_ms;
	int64_t length = slot->end_s * 1000 - from_ms;
	int64_t lead = cr_cost_lead_ms(cost, clamp(length / 10, LEAD_MIN_MS, LEAD_MAX_MS)) + MARGIN_MS +
		       clamp(length / 100, 0, MINUTE_MS) * slot->turn / 1000;

	/* a job that did nothing but checkpoints would get nowhere */
	return lead > length / 2 ? length / 2 : lead;
}

/* No clock is looked at: what follows from it cannot be taken back. */
static int64_t limit_ms(const struct cr_slot *slot)
{
	int64_t from_ms = slot->start_s > 0 ? slot->start_s * 1000 : slot->now_ms;

	return slot->limit_s > 0 ? slot->limit_s * 1000 : slot->end_s * 1000 - from_ms;
}

/* The job's total time ends in this slot, or so soon after it that another one would not be worth it. */
static bool is_last(const struct cr_slot *slot, int64_t rest_ms)
{
	return slot->total_s > 0 && (slot->end_s == 0 || rest_ms < limit_ms(slot) + MINUTE_MS);
}

/* Slurm counts in whole minutes, and not in none. What a launch takes shall not make one more of it. */
static int64_t limit_min(const struct cr_slot *slot, int64_t rest_ms)
{
	int64_t minutes = (rest_ms - SLACK_MS + MINUTE_MS - 1) / MINUTE_MS;

	if (minutes < 1)
		minutes = 1;
	return slot->end_s > 0 && minutes * MINUTE_MS >= limit_ms(slot) ? 0 : minutes;
}

void cr_slot_plan(const struct cr_slot *slot, const struct cr_cost *cost, struct cr_slot_plan *plan)
{
	int64_t rest_ms = slot->total_s * 1000 - slot->past_ms;

	*plan = (struct cr_slot_plan){.requeue = slot->requeue && !is_last(slot, rest_ms)};
	if (slot->total_s > 0)
		plan->limit_min = limit_min(slot, rest_ms);
	if (slot->end_s > 0) {
		int64_t lead = lead_ms(slot, cost);

		plan->last_ms = slot->end_s * 1000 - lead;
		plan->learn_ms = cost->n == 0 ? plan->last_ms - lead : 0;
	}
}
