/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include <math.h>

#include "../../libcrcore/interval.h"

#define DAY INT64_C(86400)

static const struct cr_interval_policy automatic = {
	.every_s = CR_INTERVAL_AUTO,
	.least_s = 1,
	.most_s = 6 * 3600,
	.mtbf_s = 30 * DAY,
	.nodes = 1,
	.max_share = 5,
	.drain_share = 75,
};

/* What is chosen when every checkpoint has cost so much. */
static struct cr_interval choose(const struct cr_interval_policy *policy, int64_t freeze_ms, int64_t total_ms)
{
	struct cr_cost cost = {0};
	struct cr_interval interval;

	cr_cost_add(&cost, freeze_ms, total_ms);
	cr_interval_choose(policy, &cost, &interval);
	return interval;
}

/* The exact expectation of Daly's model, without restart costs: wall time for each unit of work, when failures
 * come at random every mtbf on average and each interval has cost in it that is no work. */
static double expected(double interval, double cost, double mtbf)
{
	return mtbf * expm1(interval / mtbf) / (interval - cost);
}

START_TEST(a_named_time_is_the_time)
{
	struct cr_interval_policy policy = automatic;
	struct cr_interval interval;
	char text[512];

	policy.every_s = 1800;
	interval = choose(&policy, 60000, 600000);
	ck_assert_int_eq(interval.ms, 1800000);
	ck_assert_int_eq(interval.bound, CR_INTERVAL_FIXED);
	ck_assert_str_eq(cr_interval_text(&interval, &policy, text, sizeof(text)), "30m");
}
END_TEST

START_TEST(the_optimum_in_numbers)
{
	/* Young's sqrt(2 * 10 s * 30 d) is 7200 s; Daly's next terms add 3.33 s */
	ck_assert_int_eq(cr_interval_optimum_ms(10000, 30 * DAY * 1000), 7203334);
	/* 600 s of 2 h: Young says 2939 s, and is 7 % off */
	ck_assert_int_eq(cr_interval_optimum_ms(600000, 7200000), 3152995);
	/* checkpoints that take as long as the job lives: nothing helps, but nothing overflows either */
	ck_assert_int_eq(cr_interval_optimum_ms(7200000, 3600000), 7200000 + 3600000);
	ck_assert_int_eq(cr_interval_optimum_ms(0, 1000), 0);
	ck_assert_int_eq(cr_interval_optimum_ms(-1, 1000), 0);
	ck_assert_int_eq(cr_interval_optimum_ms(1000, 0), 0);
}
END_TEST

START_TEST(nothing_else_is_better_than_the_optimum)
{
	static const double costs[] = {1, 30, 300, 1200};

	for (size_t i = 0; i < sizeof(costs) / sizeof(costs[0]); i++) {
		double mtbf = 7200, cost = costs[i];
		double best = (double)cr_interval_optimum_ms((int64_t)cost * 1000, (int64_t)mtbf * 1000) / 1000;

		for (double other = cost + 1; other < 4 * mtbf; other *= 1.01)
			ck_assert_msg(expected(best, cost, mtbf) < 1.0005 * expected(other, cost, mtbf),
				      "cost %.0f s: %.0f s is better than %.0f s", cost, other, best);
	}
}
END_TEST

START_TEST(auto_without_and_with_a_known_cost)
{
	struct cr_cost none = {0};
	struct cr_interval_policy policy = automatic;
	struct cr_interval interval;
	char text[512];

	cr_interval_choose(&policy, &none, &interval);
	ck_assert_int_eq(interval.bound, CR_INTERVAL_UNKNOWN);
	ck_assert_int_eq(interval.ms, 600000);
	policy.most_s = 60;
	cr_interval_choose(&policy, &none, &interval);
	ck_assert_int_eq(interval.ms, 60000);
	policy.least_s = 3600;
	cr_interval_choose(&policy, &none, &interval);
	ck_assert_int_eq(interval.ms, 60000);

	/* 1 s frozen, 90 s of writing that takes a tenth: 10 s */
	interval = choose(&automatic, 1000, 91000);
	ck_assert_int_eq(interval.bound, CR_INTERVAL_OPTIMUM);
	ck_assert_int_eq(interval.cost_ms, 10000);
	ck_assert_int_eq(interval.ms, 7203334);
	ck_assert_str_eq(
		cr_interval_text(&interval, &automatic, text, sizeof(text)),
		"2h3s (auto: one costs 10.0 s, 1.00 s frozen and 1m30s of writing at 10% less speed, and a "
		"failure is expected every 30d)");
}
END_TEST

START_TEST(a_job_on_many_nodes_fails_more_often)
{
	struct cr_interval_policy policy = automatic;
	struct cr_interval one = choose(&policy, 1000, 91000), many;

	policy.nodes = 100;
	many = choose(&policy, 1000, 91000);
	ck_assert_int_eq(many.mtbf_ms, one.mtbf_ms / 100);
	ck_assert_int_gt(many.ms, one.ms / 11);
	ck_assert_int_lt(many.ms, one.ms / 9);
	policy.nodes = 0;
	ck_assert_int_eq(choose(&policy, 1000, 91000).ms, one.ms);
	/* so many that a millisecond is all there is */
	policy.nodes = UINT32_MAX;
	policy.mtbf_s = 1;
	ck_assert_int_gt(choose(&policy, 1000, 91000).ms, 91000);
}
END_TEST

START_TEST(auto_has_bounds)
{
	struct cr_interval_policy policy = automatic;
	struct cr_interval interval = choose(&policy, 300000, 300000);
	char text[512];

	/* 5 min each 30 d: 11 h */
	ck_assert_int_eq(interval.bound, CR_INTERVAL_MOST);
	ck_assert_int_eq(interval.ms, 6 * 3600 * 1000);
	ck_assert_ptr_nonnull(
		strstr(cr_interval_text(&interval, &policy, text, sizeof(text)), "the site allows no more"));
	interval = choose(&policy, 0, 0);
	ck_assert_int_eq(interval.bound, CR_INTERVAL_LEAST);
	ck_assert_int_eq(interval.ms, 1000);
	ck_assert_ptr_nonnull(
		strstr(cr_interval_text(&interval, &policy, text, sizeof(text)), "the site allows no less"));

	/* 60 s on 1000 nodes that fail every 43 min together: the optimum were 561 s, more than a tenth of the
	 * time */
	policy.nodes = 1000;
	interval = choose(&policy, 60000, 60000);
	ck_assert_int_eq(interval.bound, CR_INTERVAL_SHARE);
	ck_assert_int_eq(interval.ms, 1200000);
	ck_assert_ptr_nonnull(strstr(cr_interval_text(&interval, &policy, text, sizeof(text)), "no more than 5%"));
	/* the share is kept whatever else is said */
	policy.most_s = 60;
	ck_assert_int_eq(choose(&policy, 60000, 60000).ms, 1200000);

	/* an hour of writing that costs nothing */
	policy = automatic;
	policy.drain_share = 0;
	interval = choose(&policy, 10, 3600000);
	ck_assert_int_eq(interval.bound, CR_INTERVAL_DRAIN);
	ck_assert_int_eq(interval.ms, 3600000);
}
END_TEST

START_TEST(the_first_one_is_anywhere_in_the_interval)
{
	const int64_t intervals[] = {2000, 60000, 3600000, 86400000};
	enum { JOBS = 20000, BINS = 20 };

	for (size_t k = 0; k < sizeof(intervals) / sizeof(intervals[0]); k++) {
		int64_t interval = intervals[k], min = interval / 4 < 600000 ? interval / 4 : 600000;
		unsigned bins[BINS] = {0};
		double chi = 0;

		for (uint32_t job = 1; job <= JOBS; job++) {
			int64_t first = cr_interval_first_ms(interval, cr_interval_seed(job, 0));

			ck_assert_int_ge(first, min);
			ck_assert_int_lt(first, interval);
			bins[(first - min) * BINS / (interval - min)]++;
			ck_assert_int_eq(first, cr_interval_first_ms(interval, cr_interval_seed(job, 0)));
		}
		for (int i = 0; i < BINS; i++)
			chi += pow(bins[i] - (double)JOBS / BINS, 2) / ((double)JOBS / BINS);
		/* 19 degrees of freedom: one in a thousand is above, and these seeds are always the same */
		ck_assert_msg(chi < 43.8, "interval %d: chi squared %.1f", (int)interval, chi);
	}
	/* a restart is a start */
	ck_assert_int_ne(cr_interval_first_ms(3600000, cr_interval_seed(7, 0)),
			 cr_interval_first_ms(3600000, cr_interval_seed(7, 1)));
}
END_TEST

START_TEST(retries_come_sooner_but_not_as_a_storm)
{
	const int64_t hour = 3600000;
	int64_t last = 0, sum = 0;

	for (unsigned n = 1; n <= 6; n++) {
		int64_t wait = cr_interval_retry_ms(hour, n, 0, 42);

		ck_assert_int_gt(wait, (INT64_C(60000) << (n - 1)) / 2);
		ck_assert_int_le(wait, INT64_C(60000) << (n - 1));
		sum += wait;
		last = wait;
	}
	ck_assert_int_le(last, hour);
	ck_assert_int_gt(sum, hour / 2);
	for (unsigned n = 7; n < 200; n++)
		ck_assert_int_eq(cr_interval_retry_ms(hour, n, 0, 42), hour);
	ck_assert_int_eq(cr_interval_retry_ms(hour, UINT_MAX, 0, 42), hour);
	/* never later than without a failure */
	ck_assert_int_eq(cr_interval_retry_ms(2000, 1, 0, 42), 2000);
	/* an attempt that took four minutes is not made again after one */
	ck_assert_int_ge(cr_interval_retry_ms(hour, 1, 240000, 42), 1200000);
	ck_assert_int_eq(cr_interval_retry_ms(hour, 1, 2 * hour, 42), hour);
	/* what failed for all together is not tried by all together */
	ck_assert_int_ne(cr_interval_retry_ms(hour, 3, 0, 42), cr_interval_retry_ms(hour, 3, 0, 43));
}
END_TEST

START_TEST(spans)
{
	char buf[CR_INTERVAL_SPAN];

	ck_assert_str_eq(cr_interval_span(210, buf), "0.21 s");
	ck_assert_str_eq(cr_interval_span(59940, buf), "59.9 s");
	ck_assert_str_eq(cr_interval_span(60499, buf), "1m");
	ck_assert_str_eq(cr_interval_span(3723000, buf), "1h2m3s");
}
END_TEST

UNIT_MAIN("interval", {a_named_time_is_the_time, false}, {the_optimum_in_numbers, false},
	  {nothing_else_is_better_than_the_optimum, false}, {auto_without_and_with_a_known_cost, false},
	  {a_job_on_many_nodes_fails_more_often, false}, {auto_has_bounds, false},
	  {the_first_one_is_anywhere_in_the_interval, false}, {retries_come_sooner_but_not_as_a_storm, false},
	  {spans, false})
