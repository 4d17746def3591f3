/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* The simulator against what can be computed by hand. */

#include "unit.h"

#include <math.h>

#include "../../libcrcore/interval.h"
#include "../sim/machine.h"
#include "../sim/queue.h"

#define HOUR 3600.0

/* One kind of job that never ends, a file system that is never in the way. */
static const struct machine_world simple = {
	.nodes = 100,
	.length = 2000 * HOUR,
	.fs_bandwidth = 1e18,
	.node_bandwidth = 1e18,
	.freeze_rate = 1e9,
	.compress_rate = 1e18,
	.ratio = 1,
	.new_part = 1,
	.memory = {60e9, 60e9, 60e9},
	.share = {1, 0, 0},
	.work_min = 1e12,
	.work_max = 1e12,
	.seed = 42,
};

static struct machine_result run(const struct machine_world *world, const struct machine_policy *policy)
{
	struct machine_result r;
	double all = world->nodes * world->length;

	ck_assert_int_eq(machine_run(world, policy, &r), 0);
	/* every second is one of these */
	ck_assert_double_eq_tol((r.useful + r.frozen + r.slowed + r.redone + r.waiting) / all, 1, 1e-9);
	return r;
}

static double useful(const struct machine_world *world, const struct machine_policy *policy)
{
	return run(world, policy).useful / (world->nodes * world->length);
}

START_TEST(without_failures_the_freezes_are_lost)
{
	const struct machine_policy policy = {.checkpoints = true, .every_s = 3600};
	struct machine_result r = run(&simple, &policy);

	/* 60 s each hour */
	ck_assert_double_eq_tol(r.frozen / (simple.nodes * simple.length), 60.0 / 3600, 2e-5);
	ck_assert_double_eq(r.redone, 0);
	ck_assert_int_eq((int)r.checkpoints, 100 * 1999);
	ck_assert_double_eq_tol(useful(&simple, &(struct machine_policy){0}), 1, 1e-12);
}
END_TEST

/* Failures at random: of each interval (with its checkpoint) mtbf * (exp(interval / mtbf) - 1) is used up on
 * average until it is through. */
static double expected(double interval, double cost, double mtbf)
{
	return (interval - cost) / (mtbf * expm1(interval / mtbf));
}

START_TEST(with_failures_as_much_as_expected)
{
	static const struct {
		double mtbf;
		int64_t every_s;
	} cases[] = {{10 * HOUR, 3600}, {10 * HOUR, 7200}, {30 * HOUR, 1800}, {2 * HOUR, 3600}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct machine_policy policy = {.checkpoints = true, .every_s = cases[i].every_s};
		struct machine_world world = simple;
		double want = expected((double)cases[i].every_s, 60, cases[i].mtbf), got;

		world.mtbf = cases[i].mtbf;
		got = useful(&world, &policy);
		/* some 7000 failures at least: what is lost is known to a hundredth or two */
		ck_assert_msg(fabs((1 - got) / (1 - want) - 1) < 0.03, "lost %.4f, not %.4f", 1 - got, 1 - want);
	}
}
END_TEST

START_TEST(auto_is_where_least_is_lost)
{
	struct machine_policy policy = {.checkpoints = true, .every_s = CR_INTERVAL_AUTO, .mtbf_s = 36000};
	struct machine_world world = simple;
	double best;

	world.mtbf = 36000;
	world.memory[0] = 30e9;
	best = useful(&world, &policy);
	/* Daly's is 1474 s, 2 % of which are checkpoints, which max_share= allows */
	for (int64_t every = 300; every < 10000; every = every * 3 / 2) {
		policy.every_s = every;
		ck_assert_msg(useful(&world, &policy) < best * 1.002, "%d s is better than auto", (int)every);
	}
	policy.every_s = 1474;
	ck_assert_double_eq_tol(useful(&world, &policy), best, 0.003);
}
END_TEST

START_TEST(bandwidth_is_shared)
{
	const struct machine_policy together = {.checkpoints = true, .every_s = 3600};
	struct machine_policy spread = together;
	struct machine_world world = simple;
	struct machine_result r;

	world.length = 1.9 * HOUR;
	world.fs_bandwidth = 6e9;
	r = run(&world, &together);
	/* 100 times 60 GB at 6 GB/s: all of them end after 1000 s */
	ck_assert_int_eq((int)r.writers_max, 100);
	ck_assert_int_eq((int)r.checkpoints, 100);
	ck_assert_double_eq_tol(r.drain_max, 1000, 1e-3);
	ck_assert_double_eq_tol(r.drain_sum, 100 * 1000, 1);
	ck_assert_double_eq_tol(r.written, 6e12, 1);
	/* a node's own link is the limit when there is enough for all */
	world.node_bandwidth = 30e6;
	ck_assert_double_eq_tol(run(&world, &together).drain_max, 2000, 1e-3);
	spread.bandwidth = 20e6;
	ck_assert_double_eq_tol(run(&world, &spread).drain_max, 3000, 1e-3);
	/* spread over 50 minutes there are a fifth of them at a time, and less */
	world.node_bandwidth = 1e18;
	spread.bandwidth = 0;
	spread.jitter = true;
	r = run(&world, &spread);
	ck_assert_int_lt((int)r.writers_max, 40);
	ck_assert_int_lt((int)r.drain_max, 600);
}
END_TEST

START_TEST(who_keeps_to_less_leaves_it_to_others)
{
	struct machine_policy policy = {.checkpoints = true, .every_s = 3600, .bandwidth = 20e6, .final = true};
	struct machine_world world = simple;
	struct machine_result r;

	/* 60 GB each, 3000 s at 20 MB/s; the last one gives up what is still being written, and has all there is
	 */
	world.nodes = 1;
	world.length = 2 * HOUR - 1;
	world.limit_min = world.limit_max = 1.1 * HOUR;
	world.fs_bandwidth = 6e9;
	r = run(&world, &policy);
	ck_assert_int_eq((int)r.limits, 1);
	ck_assert_double_eq(r.redone, 0);
	ck_assert_double_eq_tol(r.frozen, 60 + 60 + 10, 1e-6);
	ck_assert_double_eq_tol(r.waiting, 10, 1e-6);
}
END_TEST

START_TEST(tokens_are_kept_and_given_back)
{
	const struct machine_policy policy = {
		.checkpoints = true, .every_s = 3600, .jitter = true, .drain_jobs = 4, .mtbf_s = 30 * 86400};
	struct machine_world world = simple;
	struct machine_result r;

	world.length = 50 * HOUR;
	world.mtbf = 20 * HOUR;
	world.fs_bandwidth = 6e9;
	r = run(&world, &policy);
	ck_assert_int_eq((int)r.tokens_max, 4);
	ck_assert_int_eq((int)r.impatient, 0);
	ck_assert_int_gt((int)r.checkpoints, 100 * 40);
	/* a file system that is never idle: the queue grows until patience ends */
	world.fs_bandwidth = 1e9;
	r = run(&world, &policy);
	ck_assert_int_eq((int)r.tokens_max, 4);
	ck_assert_int_gt((int)r.impatient, 100);
}
END_TEST

START_TEST(a_last_checkpoint_saves_what_the_limit_would_take)
{
	struct machine_policy policy = {.checkpoints = true, .every_s = 7200};
	struct machine_world world = simple;
	struct machine_result r;

	world.limit_min = world.limit_max = 11 * HOUR;
	r = run(&world, &policy);
	/* from the thaw of the checkpoint at 10 h to the end at 11 h, each 11 h */
	ck_assert_double_eq_tol(r.redone, 100 * (2000 / 11) * 3540, 1);
	ck_assert_int_eq((int)r.limits, 100 * (2000 / 11));
	policy.final = true;
	r = run(&world, &policy);
	ck_assert_double_eq(r.redone, 0);
	/* a little sooner, for what it takes, half as much again, and two seconds */
	ck_assert_int_ge((int)r.limits, 100 * (2000 / 11));
	ck_assert_int_le((int)r.limits, 102 * (2000 / 11) + 100);
}
END_TEST

START_TEST(the_same_seed_is_the_same_world)
{
	const struct machine_policy policy = {
		.checkpoints = true, .every_s = 3600, .jitter = true, .drain_jobs = 2};
	struct machine_world world = simple;
	struct machine_result a, b;

	world.mtbf = 20 * HOUR;
	world.length = 100 * HOUR;
	a = run(&world, &policy);
	b = run(&world, &policy);
	ck_assert_double_eq(a.useful, b.useful);
	ck_assert_uint_eq(a.failures, b.failures);
	world.seed++;
	ck_assert_double_ne(run(&world, &policy).useful, a.useful);
}
END_TEST

START_TEST(a_queue_sorts)
{
	struct queue q = {0};
	double last = -1;

	for (unsigned i = 0; i < 5000; i++)
		ck_assert_int_eq(queue_put(&q, (struct queue_item){(double)(i * 7919 % 5003), i, 0, 0}), 0);
	for (unsigned i = 0; i < 5000; i++) {
		struct queue_item item = queue_take(&q);

		ck_assert(item.key > last && item.key == item.node * 7919 % 5003);
		last = item.key;
	}
	ck_assert_uint_eq(q.n, 0);
	queue_clear(&q);
}
END_TEST

UNIT_MAIN("machine", {without_failures_the_freezes_are_lost, false}, {with_failures_as_much_as_expected, false},
	  {auto_is_where_least_is_lost, false}, {bandwidth_is_shared, false},
	  {who_keeps_to_less_leaves_it_to_others, false}, {tokens_are_kept_and_given_back, false},
	  {a_last_checkpoint_saves_what_the_limit_would_take, false}, {the_same_seed_is_the_same_world, false},
	  {a_queue_sorts, false})
