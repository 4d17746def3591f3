/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include "../../spank_cr/init/clockwork.h"

#define SECOND INT64_C(1000000000)
#define START  (1000 * SECOND)

static struct cr_cost cost;
static int64_t now;

static struct clockwork start(int64_t every_s)
{
	struct clockwork c = {
		.policy = {.every_s = every_s,
			   .least_s = 1,
			   .most_s = 6 * 3600,
			   .mtbf_s = 30 * 86400,
			   .max_share = 5,
			   .drain_share = 75},
		.seed = cr_interval_seed(4711, 0),
	};

	cost = (struct cr_cost){0};
	now = START;
	ck_assert_int_eq(clockwork_start(&c, &cost, now), cr_interval_first_ms(c.interval.ms, c.seed));
	return c;
}

/* The job runs; returns how many seconds it was until a checkpoint was due, up to so many. */
static int run(struct clockwork *c, int seconds)
{
	for (int i = 0; i < seconds; i++) {
		if (clockwork_due(c))
			return i;
		now += SECOND;
		ck_assert_int_eq(clockwork_turn(c, now), 0);
	}
	return seconds;
}

START_TEST(the_first_by_the_seed_then_every_interval)
{
	struct clockwork c = start(100);
	int first = run(&c, 1000);

	ck_assert_int_eq(first, (int)((cr_interval_first_ms(100000, c.seed) + 999) / 1000));
	for (int i = 0; i < 5; i++) {
		clockwork_begun(&c, true);
		ck_assert(!clockwork_due(&c));
		/* it takes ten seconds, which count */
		ck_assert_int_eq(run(&c, 10), 10);
		clockwork_committed(&c, &cost);
		clockwork_ended(&c);
		ck_assert_int_eq(run(&c, 1000), 90);
	}
	/* one that takes longer than the interval is followed by the next */
	clockwork_begun(&c, true);
	now += 3 * SECOND;
	for (int i = 0; i < 120; i++, now += SECOND)
		(void)clockwork_turn(&c, now);
	clockwork_committed(&c, &cost);
	clockwork_ended(&c);
	ck_assert(clockwork_due(&c));
}
END_TEST

START_TEST(a_wish_in_between_changes_nothing)
{
	struct clockwork c = start(100);

	(void)run(&c, 1000);
	clockwork_begun(&c, true);
	clockwork_committed(&c, &cost);
	clockwork_ended(&c);
	(void)run(&c, 30);
	clockwork_begun(&c, false);
	(void)run(&c, 5);
	clockwork_committed(&c, &cost);
	clockwork_ended(&c);
	ck_assert_int_eq(run(&c, 1000), 65);
	/* nor does one that fails */
	clockwork_begun(&c, true);
	clockwork_committed(&c, &cost);
	clockwork_ended(&c);
	(void)run(&c, 30);
	clockwork_begun(&c, false);
	clockwork_ended(&c);
	ck_assert_int_eq(run(&c, 1000), 70);
}
END_TEST

START_TEST(failures_are_tried_again_sooner)
{
	struct clockwork c = start(3600);
	int wait, before = 0;

	(void)run(&c, 10000);
	for (int n = 0; n < 6; n++) {
		clockwork_begun(&c, true);
		clockwork_ended(&c);
		/* a second word about its end is none */
		clockwork_ended(&c);
		wait = run(&c, 10000);
		ck_assert_int_ge(wait, 30 << n);
		ck_assert_int_le(wait, 61 << n);
		before += wait;
	}
	ck_assert_int_gt(before, 1800);
	clockwork_begun(&c, true);
	clockwork_ended(&c);
	ck_assert_int_eq(run(&c, 10000), 3600);
	/* and all is well again */
	clockwork_begun(&c, true);
	clockwork_committed(&c, &cost);
	clockwork_ended(&c);
	ck_assert_int_eq(run(&c, 10000), 3600);
	clockwork_begun(&c, true);
	clockwork_ended(&c);
	ck_assert_int_le(run(&c, 10000), 61);
}
END_TEST

START_TEST(suspended_time_does_not_count)
{
	struct clockwork c = start(100);

	(void)run(&c, 1000);
	clockwork_begun(&c, true);
	clockwork_committed(&c, &cost);
	clockwork_ended(&c);
	ck_assert_int_eq(run(&c, 40), 40);
	now += 3600 * SECOND;
	ck_assert_int_eq(clockwork_turn(&c, now), 3599 * SECOND);
	ck_assert(!clockwork_due(&c));
	ck_assert_int_eq(run(&c, 1000), 59);
	/* a busy machine is no suspension */
	now += 4 * SECOND;
	ck_assert_int_eq(clockwork_turn(&c, now), 0);
	/* nor is a clock that stands */
	ck_assert_int_eq(clockwork_turn(&c, now), 0);
}
END_TEST

START_TEST(put_off_while_a_suspension_is_announced)
{
	struct clockwork c = start(100);

	(void)run(&c, 1000);
	ck_assert(clockwork_due(&c) && !clockwork_held(&c));
	clockwork_hold(&c);
	ck_assert(clockwork_held(&c));
	now += 2 * SECOND;
	(void)clockwork_turn(&c, now);
	ck_assert(clockwork_held(&c));
	/* suspended; the signal that ends it may be read a moment later */
	now += 3600 * SECOND;
	(void)clockwork_turn(&c, now);
	ck_assert(clockwork_held(&c));
	clockwork_release(&c);
	ck_assert(!clockwork_held(&c) && clockwork_due(&c));
}
END_TEST

START_TEST(nobody_puts_checkpoints_off_for_ever)
{
	struct clockwork c = start(100);
	int held = 0;

	(void)run(&c, 1000);
	for (int i = 0; i < 120; i++) {
		clockwork_hold(&c);
		held += clockwork_held(&c);
		now += SECOND;
		(void)clockwork_turn(&c, now);
	}
	ck_assert_int_eq(held, (int)(CLOCKWORK_HOLD_NS / SECOND));
	clockwork_begun(&c, true);
	clockwork_hold(&c);
	ck_assert(clockwork_held(&c));
}
END_TEST

START_TEST(auto_learns)
{
	struct clockwork c = start(CR_INTERVAL_AUTO);

	ck_assert_int_eq(c.interval.ms, 600000);
	ck_assert_int_le(run(&c, 10000), 600);
	clockwork_begun(&c, true);
	(void)run(&c, 91);
	cr_cost_add(&cost, 1000, 91000);
	clockwork_committed(&c, &cost);
	clockwork_ended(&c);
	ck_assert_int_eq(c.interval.ms, 7203334);
	ck_assert(clockwork_news(&c));
	ck_assert(!clockwork_news(&c));
	ck_assert_int_eq(run(&c, 10000), 7204 - 91);
	/* a little more is no news */
	clockwork_begun(&c, true);
	cr_cost_add(&cost, 1100, 92000);
	clockwork_committed(&c, &cost);
	clockwork_ended(&c);
	ck_assert_int_gt(c.interval.ms, 7203334);
	ck_assert(!clockwork_news(&c));
}
END_TEST

START_TEST(it_tells_what_it_comes_from_also_when_nothing_changes)
{
	struct clockwork c = start(CR_INTERVAL_AUTO);

	c.policy.most_s = 600;
	clockwork_begun(&c, true);
	cr_cost_add(&cost, 1000, 91000);
	clockwork_committed(&c, &cost);
	ck_assert_int_eq(c.interval.ms, 600000);
	ck_assert(clockwork_news(&c));
	clockwork_committed(&c, &cost);
	ck_assert(!clockwork_news(&c));
}
END_TEST

START_TEST(it_sleeps_no_longer_than_until_then)
{
	struct clockwork c = start(100);

	ck_assert_int_eq(clockwork_sleep_ms(&c), CLOCKWORK_POLL_MS);
	c.ran_ns = c.due_ns - 250 * 1000000;
	ck_assert_int_eq(clockwork_sleep_ms(&c), 251);
	/* something is in the way of it: no busy loop */
	c.ran_ns = c.due_ns + 5;
	ck_assert_int_eq(clockwork_sleep_ms(&c), CLOCKWORK_POLL_MS);
}
END_TEST

UNIT_MAIN("clockwork", {the_first_by_the_seed_then_every_interval, false},
	  {a_wish_in_between_changes_nothing, false}, {failures_are_tried_again_sooner, false},
	  {suspended_time_does_not_count, false}, {put_off_while_a_suspension_is_announced, false},
	  {nobody_puts_checkpoints_off_for_ever, false}, {auto_learns, false},
	  {it_tells_what_it_comes_from_also_when_nothing_changes, false},
	  {it_sleeps_no_longer_than_until_then, false})
