/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include "../../libcrcore/cost.h"

START_TEST(nothing_is_known_before_the_first)
{
	struct cr_cost cost = {0};

	ck_assert_int_eq(cr_cost_freeze_ms(&cost), -1);
	ck_assert_int_eq(cr_cost_total_ms(&cost), -1);
	ck_assert_int_eq(cr_cost_lead_ms(&cost, 12345), 12345);
}
END_TEST

START_TEST(the_mean_for_the_cost_the_worst_for_a_deadline)
{
	struct cr_cost cost = {0};

	cr_cost_add(&cost, 100, 1000);
	cr_cost_add(&cost, 300, 5000);
	ck_assert_int_eq(cr_cost_freeze_ms(&cost), 200);
	ck_assert_int_eq(cr_cost_total_ms(&cost), 3000);
	ck_assert_int_eq(cr_cost_lead_ms(&cost, 0), 5000 + 2500 + 2000);
}
END_TEST

START_TEST(only_the_last_few_count)
{
	struct cr_cost cost = {0};

	for (int round = 0; round < 7; round++) {
		cr_cost_add(&cost, 90000, 900000);
		for (int i = 0; i < CR_COST_SAMPLES; i++)
			cr_cost_add(&cost, 10, 20);
		ck_assert_int_eq(cr_cost_freeze_ms(&cost), 10);
		ck_assert_int_eq(cr_cost_lead_ms(&cost, 0), 20 + 10 + 2000);
	}
}
END_TEST

START_TEST(what_cannot_be_is_mended)
{
	struct cr_cost cost = {0};

	cr_cost_add(&cost, -5, -7);
	ck_assert_int_eq(cr_cost_total_ms(&cost), 0);
	cr_cost_add(&cost, 100, 50);
	ck_assert_int_eq(cr_cost_total_ms(&cost), 50);
	ck_assert_int_eq(cr_cost_lead_ms(&cost, 0), 100 + 50 + 2000);
}
END_TEST

START_TEST(a_last_checkpoint_does_not_stand_back)
{
	struct cr_cost cost = {0};

	cr_cost_paused(&cost, 5);
	ck_assert_int_eq(cr_cost_final_ms(&cost), -1);
	/* from a manifest: nobody knows how long it stood back */
	cr_cost_add(&cost, 1000, 90000);
	ck_assert_int_eq(cr_cost_final_ms(&cost), -1);
	ck_assert_int_eq(cr_cost_final_worst_ms(&cost), -1);
	ck_assert_int_eq(cr_cost_final_lead_ms(&cost), -1);
	cr_cost_add(&cost, 1000, 41000);
	cr_cost_paused(&cost, 38000);
	ck_assert_int_eq(cr_cost_final_ms(&cost), 3000);
	cr_cost_add(&cost, 1000, 5000);
	cr_cost_paused(&cost, 0);
	ck_assert_int_eq(cr_cost_final_ms(&cost), 4000);
	ck_assert_int_eq(cr_cost_final_worst_ms(&cost), 5000);
	ck_assert_int_eq(cr_cost_final_lead_ms(&cost), 5000 + 2500 + 2000);
	/* less than the freeze it is never */
	cr_cost_add(&cost, 6000, 7000);
	cr_cost_paused(&cost, 5000);
	ck_assert_int_eq(cr_cost_final_worst_ms(&cost), 6000);
	cr_cost_paused(&cost, -1);
	ck_assert_int_eq(cr_cost_final_worst_ms(&cost), 7000);
}
END_TEST

START_TEST(work_lost_is_the_freeze_and_a_part_of_the_drain)
{
	struct cr_cost cost = {0};

	ck_assert_int_eq(cr_cost_work_ms(&cost, 75), -1);
	cr_cost_add(&cost, 1000, 11000);
	/* a tenth of it as long as nothing was seen, never more than the site lets a drain take */
	ck_assert_int_eq(cr_cost_work_ms(&cost, 75), 2000);
	ck_assert_int_eq(cr_cost_work_ms(&cost, 5), 1500);
	cr_cost_add_drain(&cost, 2.0, 1.0, 10000);
	ck_assert_int_eq(cr_cost_work_ms(&cost, 75), 6000);
	ck_assert_int_eq(cr_cost_work_ms(&cost, 25), 3500);
}
END_TEST

START_TEST(slowdown_is_the_mean_by_time)
{
	struct cr_cost cost = {0};

	cr_cost_add_drain(&cost, 4.0, 2.0, 1000);
	ck_assert_double_eq_tol(cr_cost_slowdown(&cost, 100), 0.5, 1e-9);
	/* nothing lost for nine times as long, less what is forgotten of the first */
	cr_cost_add_drain(&cost, 4.0, 4.0, 9000);
	ck_assert_double_eq_tol(cr_cost_slowdown(&cost, 100), 400.0 / 9800, 1e-9);
	/* a job that does more than before has not been made faster */
	for (int i = 0; i < 50; i++)
		cr_cost_add_drain(&cost, 1.0, 3.0, 1000);
	ck_assert_double_eq_tol(cr_cost_slowdown(&cost, 100), 0, 1e-4);
	for (int i = 0; i < 50; i++)
		cr_cost_add_drain(&cost, 1.0, 0, 1000);
	ck_assert_double_eq_tol(cr_cost_slowdown(&cost, 100), 1, 1e-4);
	ck_assert_double_eq_tol(cr_cost_slowdown(&cost, 75), 0.75, 1e-9);
}
END_TEST

START_TEST(what_tells_nothing_of_the_slowdown_is_passed_over)
{
	struct cr_cost cost = {0};

	cr_cost_add_drain(&cost, 0, 0, 1000);
	cr_cost_add_drain(&cost, 0.01, 0, 1000);
	cr_cost_add_drain(&cost, -1, 0.5, 1000);
	cr_cost_add_drain(&cost, 1, -1, 1000);
	cr_cost_add_drain(&cost, 1, 0, 10);
	cr_cost_add_drain(&cost, 1, 0, -10);
	ck_assert_double_eq_tol(cr_cost_slowdown(&cost, 100), 0.1, 1e-9);
}
END_TEST

UNIT_MAIN("cost", {a_last_checkpoint_does_not_stand_back, false},
	  {work_lost_is_the_freeze_and_a_part_of_the_drain, false}, {slowdown_is_the_mean_by_time, false},
	  {what_tells_nothing_of_the_slowdown_is_passed_over, false}, {nothing_is_known_before_the_first, false},
	  {the_mean_for_the_cost_the_worst_for_a_deadline, false}, {only_the_last_few_count, false},
	  {what_cannot_be_is_mended, false})
