/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "interval.h"

#include <math.h>
#include <stdio.h>

#include "duration.h"

#define SECOND	     INT64_C(1000)
#define MINUTE	     (60 * SECOND)
#define LEARN_S	     600 /* with nothing known: soon enough to learn from, and no burden */
#define FIRST_MIN_MS (10 * MINUTE)
#define RETRY_STEPS  20
#define RETRY_APART  10

static int64_t at_least(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t at_most(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* A step of splitmix64: neighbouring numbers come out as if they had nothing to do with each other. */
static uint64_t mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* From 0 up to 1. */
static double fraction(uint64_t seed)
{
	return (double)(seed >> 11) / (double)(UINT64_C(1) << 53);
}

/* Daly, "A higher order estimate of the optimum checkpoint interval for restart dumps" (2006), equation 37. His
 * interval is the work between two dumps; ours has the dump in it. */
int64_t cr_interval_optimum_ms(int64_t cost_ms, int64_t mtbf_ms)
{
	double cost = (double)cost_ms, mtbf = (double)mtbf_ms, root;

	if (cost_ms <= 0 || mtbf_ms <= 0)
		return 0;
	if (cost >= 2 * mtbf)
		return cost_ms + mtbf_ms;
	root = sqrt(cost / (2 * mtbf));
	return (int64_t)(sqrt(2 * cost * mtbf) * (1 + root / 3 + root * root / 9));
}

static void costs_set(const struct cr_interval_policy *policy, const struct cr_cost *cost,
		      struct cr_interval *interval)
{
	interval->freeze_ms = cr_cost_freeze_ms(cost);
	interval->drain_ms = cr_cost_total_ms(cost) - interval->freeze_ms;
	interval->slowdown = cr_cost_slowdown(cost, policy->drain_share);
	interval->cost_ms = cr_cost_work_ms(cost, policy->drain_share);
	interval->mtbf_ms = at_least(policy->mtbf_s * SECOND / at_least(policy->nodes, 1), 1);
	interval->optimum_ms = cr_interval_optimum_ms(interval->cost_ms, interval->mtbf_ms);
}

static void bound_below(struct cr_interval *interval, int64_t ms, enum cr_interval_bound bound)
{
	if (interval->ms >= ms)
		return;
	interval->ms = ms;
	interval->bound = bound;
}

static void bound_above(struct cr_interval *interval, int64_t ms, enum cr_interval_bound bound)
{
	if (interval->ms <= ms)
		return;
	interval->ms = ms;
	interval->bound = bound;
}

void cr_interval_choose(const struct cr_interval_policy *policy, const struct cr_cost *cost,
			struct cr_interval *interval)
{
	*interval = (struct cr_interval){.ms = policy->every_s * SECOND, .bound = CR_INTERVAL_FIXED};
	if (policy->every_s != CR_INTERVAL_AUTO)
		return;
	if (cr_cost_freeze_ms(cost) < 0) {
		interval->bound = CR_INTERVAL_UNKNOWN;
		interval->ms = at_most(at_least(LEARN_S, policy->least_s), policy->most_s) * SECOND;
		return;
	}
	costs_set(policy, cost, interval);
	interval->ms = interval->optimum_ms;
	interval->bound = CR_INTERVAL_OPTIMUM;
	bound_above(interval, policy->most_s * SECOND, CR_INTERVAL_MOST);
	bound_below(interval, policy->least_s * SECOND, CR_INTERVAL_LEAST);
	/* whatever else is wanted: a job is there for its work */
	bound_below(interval, interval->cost_ms * 100 / at_least(policy->max_share, 1), CR_INTERVAL_SHARE);
	bound_below(interval, interval->freeze_ms + interval->drain_ms, CR_INTERVAL_DRAIN);
}

uint64_t cr_interval_seed(uint32_t job, uint32_t restart)
{
	return mix((uint64_t)job << 32 | restart);
}

int64_t cr_interval_first_ms(int64_t interval_ms, uint64_t seed)
{
	int64_t min = at_most(interval_ms / 4, FIRST_MIN_MS);

	return min + (int64_t)((double)(interval_ms - min) * fraction(mix(seed)));
}

int64_t cr_interval_retry_ms(int64_t interval_ms, unsigned failures, int64_t took_ms, uint64_t seed)
{
	unsigned doublings = failures > 1 ? failures - 1 : 0;
	int64_t wait = MINUTE << (doublings < RETRY_STEPS ? doublings : RETRY_STEPS);

	wait = at_least(wait, RETRY_APART * at_least(took_ms, 0));
	if (wait >= interval_ms)
		return interval_ms;
	return wait - (int64_t)((double)(wait / 2) * fraction(mix(seed + failures)));
}

/* ---- for people ---- */

const char *cr_interval_span(int64_t ms, char buf[CR_INTERVAL_SPAN])
{
	if (ms < MINUTE)
		(void)snprintf(buf, CR_INTERVAL_SPAN, "%.*f s", ms < 10 * SECOND ? 2 : 1, (double)ms / 1000);
	else
		(void)cr_duration_format((ms + SECOND / 2) / SECOND, buf, CR_INTERVAL_SPAN);
	return buf;
}

static void bound_text(const struct cr_interval *interval, const struct cr_interval_policy *policy, char *buf,
		       size_t size)
{
	char best[CR_INTERVAL_SPAN];

	*buf = '\0';
	switch (interval->bound) {
	case CR_INTERVAL_LEAST:
		(void)snprintf(buf, size, "; best were %s, the site allows no less",
			       cr_interval_span(interval->optimum_ms, best));
		break;
	case CR_INTERVAL_SHARE:
		(void)snprintf(buf, size, "; best were %s, but they may cost no more than %d%% of the time",
			       cr_interval_span(interval->optimum_ms, best), policy->max_share);
		break;
	case CR_INTERVAL_DRAIN:
		(void)snprintf(buf, size, "; best were %s, but they are not written sooner",
			       cr_interval_span(interval->optimum_ms, best));
		break;
	case CR_INTERVAL_MOST:
		(void)snprintf(buf, size, "; best were %s, the site allows no more",
			       cr_interval_span(interval->optimum_ms, best));
		break;
	default:
		break;
	}
}

const char *cr_interval_text(const struct cr_interval *interval, const struct cr_interval_policy *policy,
			     char *buf, size_t size)
{
	char every[CR_INTERVAL_SPAN], cost[CR_INTERVAL_SPAN], freeze[CR_INTERVAL_SPAN], drain[CR_INTERVAL_SPAN],
		mtbf[CR_INTERVAL_SPAN], bound[128];

	(void)cr_interval_span(interval->ms, every);
	if (interval->bound == CR_INTERVAL_FIXED) {
		(void)snprintf(buf, size, "%s", every);
		return buf;
	}
	if (interval->bound == CR_INTERVAL_UNKNOWN) {
		(void)snprintf(buf, size, "%s (auto: until one has told what it costs)", every);
		return buf;
	}
	bound_text(interval, policy, bound, sizeof(bound));
	(void)snprintf(
		buf, size,
		"%s (auto: one costs %s, %s frozen and %s of writing at %.0f%% less speed, and a failure is "
		"expected every %s%s)",
		every, cr_interval_span(interval->cost_ms, cost), cr_interval_span(interval->freeze_ms, freeze),
		cr_interval_span(interval->drain_ms, drain), 100 * interval->slowdown,
		cr_interval_span(interval->mtbf_ms, mtbf), bound);
	return buf;
}
