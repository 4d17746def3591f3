/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* interval.h - how long it is from one checkpoint to the next
 *
 * Pure arithmetic: no clock, no file, no randomness but the seed's. crinit asks it for its jobs, and so does the
 * simulator (tests/sim). All times are of a job that runs: while it is suspended none passes. doc/interval.md has
 * the reasons and the sources.
 */

#ifndef CR_INTERVAL_H
#define CR_INTERVAL_H

#include <stddef.h>
#include <stdint.h>

#include "cost.h"

/* Instead of a time: chosen from what checkpoints cost and how often nodes fail. */
#define CR_INTERVAL_AUTO 0

/* What the job's user and the site want. */
struct cr_interval_policy {
	int64_t every_s;	 /* --checkpoint=TIME, or CR_INTERVAL_AUTO; the rest is for auto alone */
	int64_t least_s, most_s; /* min_interval= and max_interval= */
	int64_t mtbf_s;		 /* mtbf=, of one node */
	uint32_t nodes;		 /* of the job; 0 counts as 1 */
	int max_share;		 /* max_share=, percent of the run time that checkpoints may cost */
	int drain_share;	 /* drain_share=, percent of the processors: no drain slows a job down by more */
};

/* What has decided. */
enum cr_interval_bound {
	CR_INTERVAL_FIXED,   /* the user or the site has named the time */
	CR_INTERVAL_UNKNOWN, /* no checkpoint has told yet what it costs */
	CR_INTERVAL_OPTIMUM, /* Daly's */
	CR_INTERVAL_LEAST,   /* longer than that: the site's min_interval= */
	CR_INTERVAL_SHARE,   /* longer than that, to cost no more than max_share= */
	CR_INTERVAL_DRAIN,   /* longer than that: one checkpoint is written before the next begins */
	CR_INTERVAL_MOST,    /* shorter than that: the site's max_interval= */
};

struct cr_interval {
	int64_t ms; /* from the beginning of one checkpoint to that of the next */
	enum cr_interval_bound bound;
	/* what it comes from; 0 with FIXED and UNKNOWN */
	int64_t cost_ms;    /* work that one checkpoint costs the job */
	int64_t freeze_ms;  /* of it: the job stands still */
	int64_t drain_ms;   /* and so long it is written while the job runs */
	double slowdown;    /* by this part slower */
	int64_t mtbf_ms;    /* of all nodes of the job together */
	int64_t optimum_ms; /* before anything bounds it */
};

/* Choose. cost has what the job's checkpoints took so far. */
void cr_interval_choose(const struct cr_interval_policy *policy, const struct cr_cost *cost,
			struct cr_interval *interval);

/* Daly's estimate, from the beginning of one checkpoint to that of the next, of the interval at which a job that
 * fails every mtbf_ms on average, and whose checkpoints cost it cost_ms, loses least. 0 when cost_ms is. */
int64_t cr_interval_optimum_ms(int64_t cost_ms, int64_t mtbf_ms);

/* The seed of one start of a job: jobs that start at the same moment have different ones, and so has the same job
 * the next time. */
uint64_t cr_interval_seed(uint32_t job, uint32_t restart);

/* The first checkpoint comes so long after the start: by the seed, evenly spread over the interval but its first
 * quarter, of which ten minutes at most are left out: so short a job has nothing to save. */
int64_t cr_interval_first_ms(int64_t interval_ms, uint64_t seed);

/* The next attempt after so many that failed in a row (1: the first) begins so long after the last one began:
 * after about a minute, then two, four, …, and never later than the interval. By the seed up to a half of it is
 * left out: what fails for one job, such as full storage, fails for all. took_ms: the last attempt took so long;
 * the next is at least ten times as far away, unless the interval is shorter. */
int64_t cr_interval_retry_ms(int64_t interval_ms, unsigned failures, int64_t took_ms, uint64_t seed);

/* For people: "0.21 s", "1h2m". Returns buf. */
#define CR_INTERVAL_SPAN 64
const char *cr_interval_span(int64_t ms, char buf[CR_INTERVAL_SPAN]);

/* "17m (auto: …)"; returns buf. */
const char *cr_interval_text(const struct cr_interval *interval, const struct cr_interval_policy *policy,
			     char *buf, size_t size);

#endif
