/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "clockwork.h"

#define MS	  INT64_C(1000000)
#define NEWS_PART 8 /* an eighth of it */

int64_t clockwork_start(struct clockwork *c, const struct cr_cost *cost, int64_t now_ns)
{
	int64_t first;

	cr_interval_choose(&c->policy, cost, &c->interval);
	c->told = c->interval;
	first = cr_interval_first_ms(c->interval.ms, c->seed);
	c->seen_ns = now_ns;
	c->ran_ns = c->begun_ns = 0;
	c->due_ns = first * MS;
	return first;
}

int64_t clockwork_turn(struct clockwork *c, int64_t now_ns)
{
	int64_t passed = now_ns - c->seen_ns;

	c->seen_ns = now_ns;
	if (passed < CLOCKWORK_GAP_NS) {
		c->ran_ns += passed > 0 ? passed : 0;
		return 0;
	}
	c->held = false;
	/* what the job ran of that is no more than one wait of the loop's */
	c->ran_ns += CLOCKWORK_POLL_MS * MS;
	return passed - CLOCKWORK_POLL_MS * MS;
}

int clockwork_sleep_ms(const struct clockwork *c)
{
	int64_t left = c->due_ns - c->ran_ns;

	if (left <= 0 || left >= CLOCKWORK_POLL_MS * MS)
		return CLOCKWORK_POLL_MS;
	return (int)(left / MS) + 1;
}

bool clockwork_due(const struct clockwork *c)
{
	return c->ran_ns >= c->due_ns;
}

bool clockwork_held(const struct clockwork *c)
{
	return c->ran_ns < c->hold_ns;
}

void clockwork_hold(struct clockwork *c)
{
	if (c->held)
		return;
	c->held = true;
	c->hold_ns = c->ran_ns + CLOCKWORK_HOLD_NS;
}

void clockwork_release(struct clockwork *c)
{
	c->hold_ns = 0;
}

void clockwork_begun(struct clockwork *c, bool periodic)
{
	c->periodic = periodic;
	c->committed = c->held = false;
	if (!periodic)
		return;
	c->begun_ns = c->ran_ns;
	c->due_ns = c->begun_ns + c->interval.ms * MS;
}

void clockwork_committed(struct clockwork *c, const struct cr_cost *cost)
{
	c->failures = 0;
	c->committed = true;
	cr_interval_choose(&c->policy, cost, &c->interval);
	/* from beginning to beginning: jobs that were apart stay apart, however long each of theirs takes */
	if (c->periodic)
		c->due_ns = c->begun_ns + c->interval.ms * MS;
}

void clockwork_ended(struct clockwork *c)
{
	int64_t took_ms = (c->ran_ns - c->begun_ns) / MS;

	if (!c->periodic || c->committed)
		return;
	c->periodic = false;
	c->failures++;
	c->due_ns = c->begun_ns + cr_interval_retry_ms(c->interval.ms, c->failures, took_ms, c->seed) * MS;
}

bool clockwork_news(struct clockwork *c)
{
	int64_t now = c->interval.ms, told = c->told.ms;
	bool learnt = c->told.bound == CR_INTERVAL_UNKNOWN && c->interval.bound != CR_INTERVAL_UNKNOWN;

	if (!learnt && (now > told ? now - told : told - now) <= told / NEWS_PART)
		return false;
	c->told = c->interval;
	return true;
}
