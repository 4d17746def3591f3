/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* grace.c - is there time for a last checkpoint, and when is it due? */

#include "grace.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "loop_state.h"
#include "timefmt.h"

static int64_t left_ms(const struct loop *l)
{
	int64_t kill_ms = grace_kill_ms(l->facts.known.kill_wait_s);

	if (kill_ms == GRACE_UNKNOWN)
		return GRACE_UNKNOWN;
	return kill_ms - (cr_time_clock_ns(CLOCK_MONOTONIC) - l->term_ns) / 1000000;
}

bool grace_fits(const struct loop *l)
{
	int64_t takes = cr_cost_final_ms(&l->cost);

	/* Expected, not feared: what is lost by one that is begun in vain is less than what is lost without. */
	return takes < 0 || takes <= left_ms(l);
}

void grace_refuse(struct loop *l)
{
	char counts[96] = "there is none that counts instead", text[256];

	if (l->worker.pid && l->drained)
		snprintf(counts, sizeof(counts), "the one that is being written counts, if that is done by then");
	else if (l->committed)
		snprintf(counts, sizeof(counts), "generation %u counts", l->committed);
	snprintf(text, sizeof(text),
		 "no last checkpoint: it would take about %" PRId64 " s, and Slurm ends the job in %" PRId64
		 " s; %s",
		 (cr_cost_final_ms(&l->cost) + 999) / 1000, left_ms(l) > 0 ? left_ms(l) / 1000 : 0, counts);
	job_log(l->job, 0, "%s", text);
	/* a restored job's stderr is as it was at the checkpoint: there the line would not be seen */
	job_journal(l->job, "short", 0, NULL, text, -1);
}

/* May it be preempted, and is it killed then? */
static bool preemptable(const struct facts *f)
{
	return strcmp(f->preempt_type, "preempt/none") != 0 &&
	       (strstr(f->preempt_mode, "REQUEUE") || strstr(f->preempt_mode, "CANCEL"));
}

static bool grace_enough(const struct facts *f, int64_t lead_ms)
{
	return preemptable(f) && f->grace_s >= grace_time_for(lead_ms, f->kill_wait_s);
}

static void warn(struct loop *l, int64_t lead_ms)
{
	const struct facts *f = &l->facts.known;
	char preempted[160] = "", text[512];

	if (grace_enough(f, lead_ms))
		snprintf(preempted, sizeof(preempted), " (preempted, its GraceTime of %" PRId64 " s is enough)",
			 f->grace_s);
	else if (preemptable(f))
		snprintf(preempted, sizeof(preempted),
			 ", for preemption GraceTime=%" PRId64 " of partition %s, too",
			 grace_time_for(lead_ms, f->kill_wait_s), f->partition);
	snprintf(text, sizeof(text),
		 "a last checkpoint of this job takes about %" PRId64 " s, and Slurm leaves it %" PRId64
		 " s when it ends it: KillWait=%" PRId64 " in slurm.conf would do%s",
		 (cr_cost_final_worst_ms(&l->cost) + 999) / 1000, grace_kill_ms(f->kill_wait_s) / 1000,
		 grace_kill_wait_for(lead_ms), preempted);
	job_log(l->job, 0, "%s", text);
	job_journal(l->job, "short", 0, NULL, text, -1);
}

/* In grace time: begin as late as can be, for until then the job does work. */
static void moment_look(struct loop *l, int64_t lead_ms)
{
	const struct facts *f = &l->facts.known;
	int64_t now_ms = cr_time_now_ns() / 1000000;

	if (l->grace.begun || l->term != TERM_NONE || (l->worker.pid && l->mode != DUMP_RUNNING))
		return;
	if (lead_ms < 0) {
		l->grace.learn = l->grace.learn || !l->grace.measured;
		l->grace.measured = true;
		return;
	}
	/* with less the SIGTERM is early enough; too late, it is said then */
	if (lead_ms <= grace_kill_ms(f->kill_wait_s) ||
	    now_ms < grace_moment_ms(f->end, f->kill_wait_s, lead_ms) ||
	    cr_cost_final_ms(&l->cost) > f->end * 1000 + grace_kill_ms(f->kill_wait_s) - now_ms)
		return;
	l->grace.begun = true;
	l->term_ns = 0; /* it is to come */
	l->term = TERM_FINAL;
	l->term_fate = SLURM_GRACE;
	snprintf(l->term_reason, sizeof(l->term_reason), "preempt");
	job_log(l->job, 1, "preempted, and killed in %" PRId64 " s: the last checkpoint begins",
		f->end + grace_kill_ms(f->kill_wait_s) / 1000 - now_ms / 1000);
}

void grace_failed(struct loop *l)
{
	if (!l->grace.again)
		l->grace.begun = false;
	l->grace.again = true;
}

void grace_begin(struct loop *l)
{
	l->grace.begun = false;
	facts_want(l, 0);
}

void grace_serve(struct loop *l)
{
	int64_t lead_ms = cr_cost_final_lead_ms(&l->cost);
	const struct facts *f = &l->facts.known;

	if (l->over || f->kill_wait_s < 0)
		return;
	if (f->preempted && preemptable(f)) {
		moment_look(l, lead_ms);
		return;
	}
	if (lead_ms <= grace_kill_ms(f->kill_wait_s))
		return;
	if (!l->grace.warned) {
		l->grace.warned = true;
		warn(l, lead_ms);
	}
	/* nobody tells a batch job that its grace time has begun: who needs it has to ask */
	if (preemptable(f) && f->grace_s > 0)
		facts_want(l, grace_period_s(f->grace_s));
}
