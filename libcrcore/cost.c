/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "cost.h"

#define LEAD_MS 2000 /* what has nothing to do with how much there is to write */

static unsigned samples_count(const struct cr_cost *cost)
{
	return cost->n < CR_COST_SAMPLES ? cost->n : CR_COST_SAMPLES;
}

void cr_cost_add(struct cr_cost *cost, int64_t freeze_ms, int64_t total_ms)
{
	struct cr_cost_sample *s = &cost->samples[cost->n % CR_COST_SAMPLES];

	s->freeze_ms = freeze_ms > 0 ? freeze_ms : 0;
	s->total_ms = total_ms > s->freeze_ms ? total_ms : s->freeze_ms;
	/* a job that runs for years must not start to count from nothing */
	if (++cost->n == 2 * CR_COST_SAMPLES)
		cost->n = CR_COST_SAMPLES;
}

int64_t cr_cost_freeze_ms(const struct cr_cost *cost)
{
	unsigned n = samples_count(cost);
	int64_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += cost->samples[i].freeze_ms;
	return n ? sum / n : -1;
}

int64_t cr_cost_total_ms(const struct cr_cost *cost)
{
	unsigned n = samples_count(cost);
	int64_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += cost->samples[i].total_ms;
	return n ? sum / n : -1;
}

int64_t cr_cost_lead_ms(const struct cr_cost *cost, int64_t unknown_ms)
{
	unsigned n = samples_count(cost);
	int64_t worst = 0;

	for (unsigned i = 0; i < n; i++)
		worst = cost->samples[i].total_ms > worst ? cost->samples[i].total_ms : worst;
	return n ? worst + worst / 2 + LEAD_MS : unknown_ms;
}
