/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include "../../spank_cr/init/grace.h"

START_TEST(slurmd_waits_five_seconds_at_least)
{
	ck_assert_int_eq(grace_kill_ms(30), 30000);
	ck_assert_int_eq(grace_kill_ms(5), 5000);
	ck_assert_int_eq(grace_kill_ms(0), 5000);
	ck_assert(grace_kill_ms(-1) == GRACE_UNKNOWN);
}
END_TEST

START_TEST(slurmctld_is_not_asked_too_often)
{
	ck_assert_int_eq(grace_period_s(0), 10);
	ck_assert_int_eq(grace_period_s(40), 10);
	ck_assert_int_eq(grace_period_s(3600), 900);
}
END_TEST

START_TEST(the_numbers_that_would_do)
{
	ck_assert_int_eq(grace_kill_wait_for(1), 10);
	ck_assert_int_eq(grace_kill_wait_for(30000), 30);
	ck_assert_int_eq(grace_kill_wait_for(30001), 40);
	/* enough as it is */
	ck_assert_int_eq(grace_time_for(30000, 30), 0);
	for (int64_t lead = 1000; lead < 4000000; lead += 997) {
		for (int64_t wait = 0; wait <= 60; wait += 5) {
			int64_t s = grace_time_for(lead, wait), kill = grace_kill_ms(wait);

			ck_assert(lead <= kill ? s == 0 : s > 0);
			ck_assert_int_eq(s % 10, 0);
			/* noticed a period late, there is time all the same; and with ten seconds less there is
			 * not */
			if (s)
				ck_assert_int_ge(kill + (s - grace_period_s(s)) * 1000, lead);
			if (s > 10)
				ck_assert_int_lt(kill + (s - 10 - grace_period_s(s - 10)) * 1000, lead + 9999);
		}
	}
}
END_TEST

START_TEST(as_late_as_can_be)
{
	/* the SIGTERM itself is early enough */
	ck_assert_int_eq(grace_moment_ms(1000, 30, 20000), 1000000);
	ck_assert_int_eq(grace_moment_ms(1000, 30, 30000), 1000000);
	ck_assert_int_eq(grace_moment_ms(1000, 30, 100000), 1000000 - 70000);
	ck_assert_int_eq(grace_moment_ms(1000, 0, 100000), 1000000 - 95000);
}
END_TEST

UNIT_MAIN("grace", {slurmd_waits_five_seconds_at_least, false}, {slurmctld_is_not_asked_too_often, false},
	  {the_numbers_that_would_do, false}, {as_late_as_can_be, false})
