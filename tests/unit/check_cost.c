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

UNIT_MAIN("cost", {nothing_is_known_before_the_first, false},
	  {the_mean_for_the_cost_the_worst_for_a_deadline, false}, {only_the_last_few_count, false},
	  {what_cannot_be_is_mended, false})
