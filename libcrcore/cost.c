/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "cost.h"

#define LEAD_MS	 2000 /* what has nothing to do with how much there is to write */
#define IDLE	 0.05 /* processors: who uses less is not slowed down by those who want some */
#define DRAIN_MS 200  /* processor time is counted in hundredths of a second */
#define SLOWDOWN 0.1  /* nice 10 has a weight of 110, nice 0 one of 1024 */

static unsigned samples_count(const struct cr_cost *cost)
{
	return cost->n < CR_COST_SAMPLES ? cost->n : CR_COST_SAMPLES;
}

void cr_cost_add(struct cr_cost *cost, int64_t freeze_ms, int64_t total_ms)
{
	struct cr_cost_sample *s = &cost->samples[cost->n % CR_COST_SAMPLES];

	s->freeze_ms = freeze_ms > 0 ? freeze_ms : 0;
	s->total_ms = total_ms > s->freeze_ms ? total_ms : s->freeze_ms;
	s->paused_ms = -1;
	/* a job that runs for years must not start to count from nothing */
	if (++cost->n == 2 * CR_COST_SAMPLES)
		cost->n = CR_COST_SAMPLES;
}

/* What the last few took together. */
static struct cr_cost_sample samples_sum(const struct cr_cost *cost)
{
	struct cr_cost_sample sum = {0};

	for (unsigned i = 0; i < samples_count(cost); i++) {
		sum.freeze_ms += cost->samples[i].freeze_ms;
		sum.total_ms += cost->samples[i].total_ms;
	}
	return sum;
}

int64_t cr_cost_freeze_ms(const struct cr_cost *cost)
{
	return cost->n ? samples_sum(cost).freeze_ms / samples_count(cost) : -1;
}

int64_t cr_cost_total_ms(const struct cr_cost *cost)
{
	return cost->n ? samples_sum(cost).total_ms / samples_count(cost) : -1;
}

void cr_cost_add_drain(struct cr_cost *cost, double before, double during, int64_t drain_ms)
{
	double part = 1 - during / before;

	if (!(before >= IDLE) || !(during >= 0) || drain_ms < DRAIN_MS)
		return;
	/* the last few count, the longer the more */
	cost->drained_ms -= cost->drained_ms / CR_COST_SAMPLES;
	cost->lost_ms -= cost->lost_ms / CR_COST_SAMPLES;
	cost->drained_ms += (double)drain_ms;
	cost->lost_ms += (part > 0 ? part : 0) * (double)drain_ms;
}

double cr_cost_slowdown(const struct cr_cost *cost, int drain_share)
{
	double part = cost->drained_ms > 0 ? cost->lost_ms / cost->drained_ms : SLOWDOWN;
	double most = drain_share / 100.0;

	return part < most ? part : most;
}

int64_t cr_cost_work_ms(const struct cr_cost *cost, int drain_share)
{
	int64_t freeze = cr_cost_freeze_ms(cost), drain = cr_cost_total_ms(cost) - freeze;

	return freeze < 0 ? -1 : freeze + (int64_t)(cr_cost_slowdown(cost, drain_share) * (double)drain);
}

int64_t cr_cost_lead_ms(const struct cr_cost *cost, int64_t unknown_ms)
{
	unsigned n = samples_count(cost);
	int64_t worst = 0;

	for (unsigned i = 0; i < n; i++)
		worst = cost->samples[i].total_ms > worst ? cost->samples[i].total_ms : worst;
	return n ? worst + worst / 2 + LEAD_MS : unknown_ms;
}

void cr_cost_paused(struct cr_cost *cost, int64_t paused_ms)
{
	struct cr_cost_sample *s;

	if (cost->n == 0)
		return;
	s = &cost->samples[(cost->n - 1) % CR_COST_SAMPLES];
	/* the job never stands back while it stands still */
	if (paused_ms > s->total_ms - s->freeze_ms)
		paused_ms = s->total_ms - s->freeze_ms;
	s->paused_ms = paused_ms > 0 ? paused_ms : 0;
}

/* Returns how many count; *sum and *worst are of those. */
static unsigned final_look(const struct cr_cost *cost, int64_t *sum, int64_t *worst)
{
	unsigned n = samples_count(cost), known = 0;

	*sum = *worst = 0;
	for (unsigned i = 0; i < n; i++) {
		const struct cr_cost_sample *s = &cost->samples[i];
		int64_t ms = s->total_ms - s->paused_ms;

		if (s->paused_ms < 0)
			continue;
		known++;
		*sum += ms;
		*worst = ms > *worst ? ms : *worst;
	}
	return known;
}

int64_t cr_cost_final_ms(const struct cr_cost *cost)
{
	int64_t sum, worst;
	unsigned n = final_look(cost, &sum, &worst);

	return n ? sum / n : -1;
}

int64_t cr_cost_final_worst_ms(const struct cr_cost *cost)
{
	int64_t sum, worst;

	return final_look(cost, &sum, &worst) ? worst : -1;
}

int64_t cr_cost_final_lead_ms(const struct cr_cost *cost)
{
	int64_t worst = cr_cost_final_worst_ms(cost);

	return worst < 0 ? -1 : worst + worst / 2 + LEAD_MS;
}
