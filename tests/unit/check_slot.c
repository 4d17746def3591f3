/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include "../../libcrcore/slot.h"

#define S INT64_C(1000000000)

START_TEST(nothing_has_happened)
{
	struct cr_slot_past past = {0};

	ck_assert_int_eq(past.ran_ms, 0);
	/* the first word of a start is when it began */
	cr_slot_event(&past, 0, 1000 * S, 0);
	ck_assert_int_eq(past.ran_ms, 0);
	cr_slot_event(&past, 0, 1010 * S, 0);
	ck_assert_int_eq(past.ran_ms, 10000);
}
END_TEST

START_TEST(time_in_the_queue_does_not_count)
{
	struct cr_slot_past past = {0};

	cr_slot_event(&past, 0, 1000 * S, 0);
	cr_slot_event(&past, 0, 1060 * S, 0);
	cr_slot_event(&past, 1, 5000 * S, 0);
	ck_assert_int_eq(past.ran_ms, 60000);
	cr_slot_event(&past, 1, 5001 * S, 0);
	cr_slot_event(&past, 4, 9000 * S, 0);
	cr_slot_event(&past, 4, 9000 * S + S / 2, 0);
	ck_assert_int_eq(past.ran_ms, 61500);
}
END_TEST

START_TEST(a_checkpoint_knows)
{
	struct cr_slot_past past = {0};

	cr_slot_checkpoint(&past, 3, 1000 * S, 0, 777000);
	/* the journal tells it all again, from the first start on */
	cr_slot_event(&past, 0, 10 * S, 0);
	cr_slot_event(&past, 0, 20 * S, 0);
	cr_slot_event(&past, 3, 900 * S, 0);
	cr_slot_event(&past, 3, 1000 * S, 0);
	ck_assert_int_eq(past.ran_ms, 777000);
	/* until the node was lost, as far as it is known */
	cr_slot_event(&past, 3, 1030 * S, 0);
	ck_assert_int_eq(past.ran_ms, 807000);
	cr_slot_event(&past, 4, 2000 * S, 0);
	cr_slot_event(&past, 4, 2005 * S, 0);
	ck_assert_int_eq(past.ran_ms, 812000);
	cr_slot_checkpoint(&past, 3, 1000 * S, 0, -5);
	ck_assert_int_eq(past.ran_ms, 0);
}
END_TEST

START_TEST(clocks_that_go_back)
{
	struct cr_slot_past past = {0};

	cr_slot_event(&past, 0, 1000 * S, 0);
	cr_slot_event(&past, 0, 900 * S, 0);
	cr_slot_event(&past, 0, 1001 * S, 0);
	ck_assert_int_eq(past.ran_ms, 1000);
	cr_slot_event(&past, 1, 500 * S, 0);
	cr_slot_event(&past, 1, 502 * S, 0);
	ck_assert_int_eq(past.ran_ms, 3000);
}
END_TEST

START_TEST(a_clock_that_is_set)
{
	struct cr_slot_past past = {0};

	cr_slot_event(&past, 0, 1000 * S, 50000);
	cr_slot_event(&past, 0, 5000 * S, 60000);
	ck_assert_int_eq(past.ran_ms, 10000);
	/* the node's clock, then the job's, which another node's was: nothing is known by them */
	cr_slot_event(&past, 0, 5001 * S, 9000000);
	cr_slot_event(&past, 0, 5003 * S, 1000);
	ck_assert_int_eq(past.ran_ms, 13000);
	/* on behalf of an older one */
	cr_slot_event(&past, 0, 5004 * S, 0);
	ck_assert_int_eq(past.ran_ms, 14000);
	cr_slot_event(&past, 0, 5006 * S, 100);
	ck_assert_int_eq(past.ran_ms, 16000);
	cr_slot_checkpoint(&past, 1, 6000 * S, 70000, 20000);
	cr_slot_event(&past, 1, 9000 * S, 75000);
	ck_assert_int_eq(past.ran_ms, 25000);
}
END_TEST

static struct cr_slot_plan planned(struct cr_slot slot, const struct cr_cost *cost)
{
	struct cr_slot_plan plan;

	cr_slot_plan(&slot, cost, &plan);
	return plan;
}

START_TEST(no_time_limit)
{
	struct cr_cost cost = {0};
	struct cr_slot_plan p =
		planned((struct cr_slot){.now_ms = 5000000, .start_s = 100, .requeue = true}, &cost);

	ck_assert_int_eq(p.last_ms, 0);
	ck_assert_int_eq(p.learn_ms, 0);
	ck_assert_int_eq(p.limit_min, 0);
}
END_TEST

START_TEST(what_is_not_known_is_learnt)
{
	static const struct {
		int64_t length_s, lead_ms;
	} cases[] = {
		{60, 13000}, {100, 13000}, {600, 63000}, {3600, 303000}, {86400, 303000}, {10, 5000}, {1, 500},
	};
	struct cr_cost cost = {0};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t end = 1000000 + cases[i].length_s;
		struct cr_slot_plan p =
			planned((struct cr_slot){.now_ms = 1000001000, .start_s = 1000000, .end_s = end}, &cost);

		ck_assert_int_eq(p.last_ms, end * 1000 - cases[i].lead_ms);
		ck_assert_int_eq(p.learn_ms, end * 1000 - 2 * cases[i].lead_ms);
		ck_assert(!p.requeue);
	}
}
END_TEST

START_TEST(what_is_known_decides)
{
	struct cr_slot slot = {.now_ms = 1000001000, .start_s = 1000000, .end_s = 1003600, .requeue = true};
	struct cr_cost cost = {0};
	struct cr_slot_plan p;

	cr_cost_add(&cost, 1000, 4000);
	p = planned(slot, &cost);
	ck_assert_int_eq(p.learn_ms, 0);
	ck_assert_int_eq(p.last_ms, 1003600000 - (4000 + 2000 + 2000 + 3000));
	ck_assert(p.requeue);
	slot.turn = 500;
	p = planned(slot, &cost);
	ck_assert_int_eq(p.last_ms, 1003600000 - 11000 - 18000);
	slot.turn = 0;
	/* a checkpoint that takes longer than the slot: half of it is for work all the same */
	cr_cost_add(&cost, 1000, 7200000);
	p = planned(slot, &cost);
	ck_assert_int_eq(p.last_ms, 1001800000);
	/* when it began is not known: from now on */
	slot.start_s = 0;
	p = planned(slot, &cost);
	ck_assert_int_eq(p.last_ms, 1003600000 - (1003600000 - 1000001000) / 2);
}
END_TEST

START_TEST(total_time)
{
	const struct cr_slot base = {.now_ms = 1000010000, .start_s = 1000000, .end_s = 1003600, .requeue = true};
	static const struct {
		int64_t total_s, ran_s, end_s, limit_min;
		bool requeue;
	} cases[] = {
		{0, 999999, 1003600, 0, true},	  /* no limit */
		{36000, 10, 1003600, 0, true},	  /* nine slots more */
		{3600, 10, 1003600, 0, false},	  /* exactly this one */
		{3659, 10, 1003600, 0, false},	  /* less than a minute more is not worth one */
		{3660, 10, 1003600, 0, true},	  /* a minute is */
		{3556, 10, 1003600, 0, false},	  /* Slurm counts whole minutes: 60 are what there is */
		{3540, 10, 1003600, 59, false},	  /* the limit goes down */
		{1800, 10, 1003600, 30, false},	  /* in the first slot */
		{7200, 5410, 1003600, 30, false}, /* in a later one */
		{1800, 1800, 1003600, 1, false},  /* it is over: Slurm has nothing less than a minute */
		{1800, 9999, 1003600, 1, false},  {1800, 10, 0, 30, false}, /* no time limit of its own */
		{1815, 10, 0, 30, false},				    /* a launch takes some seconds */
		{1816, 10, 0, 31, false},
	};
	struct cr_cost cost = {0};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cr_slot slot = base;
		struct cr_slot_plan p;

		slot.total_s = cases[i].total_s;
		slot.past_ms = (cases[i].ran_s - 10) * 1000;
		slot.end_s = cases[i].end_s;
		p = planned(slot, &cost);
		ck_assert_msg(p.limit_min == cases[i].limit_min && p.requeue == cases[i].requeue,
			      "case %zu: limit %lld, requeue %d", i, (long long)p.limit_min, p.requeue);
	}
}
END_TEST

START_TEST(a_limit_that_was_set_is_right)
{
	struct cr_slot slot = {.now_ms = 1000010000, .start_s = 1000000, .total_s = 1816};
	struct cr_cost cost = {0};

	slot.end_s = slot.start_s + planned(slot, &cost).limit_min * 60;
	ck_assert_int_eq(slot.end_s, 1000000 + 31 * 60);
	ck_assert_int_eq(planned(slot, &cost).limit_min, 0);
}
END_TEST

START_TEST(no_clock_changes_the_limit)
{
	struct cr_slot slot = {.now_ms = 1000010000,
			       .start_s = 1000000,
			       .end_s = 1003600,
			       .limit_s = 3600,
			       .requeue = true,
			       .total_s = 36000,
			       .past_ms = 3600000};
	struct cr_cost cost = {0};

	ck_assert(planned(slot, &cost).requeue);
	ck_assert_int_eq(planned(slot, &cost).limit_min, 0);
	/* the node's clock is set, or it was never right */
	for (int64_t off = -100000000; off <= 100000000; off += 50000000) {
		slot.now_ms = 1000010000 + off;
		ck_assert(planned(slot, &cost).requeue);
		ck_assert_int_eq(planned(slot, &cost).limit_min, 0);
	}
	/* after a suspension the end is later than by the limit */
	slot.end_s += 1000;
	slot.past_ms = 34200000;
	ck_assert_int_eq(planned(slot, &cost).limit_min, 30);
	slot.limit_s = 1800;
	ck_assert_int_eq(planned(slot, &cost).limit_min, 0);
	ck_assert(!planned(slot, &cost).requeue);
}
END_TEST

UNIT_MAIN("slot", {nothing_has_happened, false}, {time_in_the_queue_does_not_count, false},
	  {a_checkpoint_knows, false}, {clocks_that_go_back, false}, {a_clock_that_is_set, false},
	  {no_time_limit, false}, {what_is_not_known_is_learnt, false}, {what_is_known_decides, false},
	  {total_time, false}, {a_limit_that_was_set_is_right, false}, {no_clock_changes_the_limit, false})
