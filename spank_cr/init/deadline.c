/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "deadline.h"
#include "loop_state.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define SECOND_NS     INT64_C(1000000000)
#define ASK_AHEAD_MS  10000 /* the limit may have been changed */
#define ASK_AGE_S     20
#define ASK_SELDOM_S  600
#define MOVED_S	      30 /* an end that is so much later is another one */
#define RETRIES	      2
#define RETRY_PAUSE_S 2
#define LIMIT_TRIES   3
#define LIMIT_PAUSE_S 20

/* "14:05", or with the day when that is not today's */
static const char *clock_text(int64_t end_s, char *buf, size_t size)
{
	time_t now = (time_t)(cr_time_now_ns() / SECOND_NS), end = (time_t)end_s;
	struct tm then = {0}, today = {0};
	bool same;

	if (!localtime_r(&end, &then) || !localtime_r(&now, &today))
		return "its time limit";
	same = then.tm_yday == today.tm_yday && then.tm_year == today.tm_year;
	return strftime(buf, size, same ? "%H:%M:%S" : "%Y-%m-%d %H:%M", &then) ? buf : "its time limit";
}

static void plan_make(struct loop *l)
{
	const struct facts *f = &l->facts.known;
	struct cr_slot slot = {
		.start_s = f->start,
		.limit_s = f->limit_s > 0 && f->limit_s != FACTS_UNLIMITED ? f->limit_s : 0,
		.end_s = f->preempted ? 0 : f->end, /* the grace of a preemption is grace.c's */
		.now_ms = cr_time_now_ns() / 1000000,
		.turn = (l->job->id * UINT32_C(2654435761) >> 8) % 1000,
		/* what the environment says of the time limit does not say whether the job may be requeued */
		.requeue = l->job->timelimit && (f->asked == 0 || (f->requeue && !f->het)),
		.total_s = l->job->total_time,
		.past_ms = l->job->ran_ms,
	};

	cr_slot_plan(&slot, &l->cost, &l->deadline.plan);
}

/* All that runs until the total time is over gets a limit that Slurm ends it by. */
static void limit_set(struct loop *l)
{
	struct deadline *d = &l->deadline;
	const struct facts *f = &l->facts.known;
	int64_t now = cr_time_clock_ns(CLOCK_MONOTONIC);
	char text[64];

	if (!d->plan.limit_min || !f->asked || f->suspended || facts_asking(l) || d->limits > LIMIT_TRIES ||
	    now - d->limit_asked_ns < LIMIT_PAUSE_S * SECOND_NS)
		return;
	d->limit_asked_ns = now;
	if (d->limits++ < LIMIT_TRIES) {
		facts_limit(l, d->plan.limit_min);
		return;
	}
	job_log(l->job, 0,
		"--checkpoint-total-time: slurmctld does not set the job's time limit to %lld minutes (see "
		"crinit.log): it %s%s",
		(long long)d->plan.limit_min, f->end ? "ends at " : "goes on without one",
		f->end ? clock_text(f->end, text, sizeof(text)) : "");
}

static void terms_tell(struct loop *l)
{
	struct deadline *d = &l->deadline;
	const struct facts *f = &l->facts.known;
	char text[64];

	if (d->told_terms || !f->asked)
		return;
	d->told_terms = true;
	if (l->job->timelimit && f->end && (!f->requeue || f->het))
		job_log(l->job, 0,
			"--checkpoint-timelimit=requeue: this job %s: it will end at its time limit, %s, after a "
			"last checkpoint",
			f->het ? "is one component of a heterogeneous job"
			       : "may not be requeued (--no-requeue, or the site's JobRequeue=0)",
			clock_text(f->end, text, sizeof(text)));
	else if (f->end)
		job_log(l->job, 1, "the time limit is at %s: after the last checkpoint before it the job %s",
			clock_text(f->end, text, sizeof(text)),
			d->plan.requeue ? "is requeued" : "runs on until Slurm ends it");
}

static bool is_blocked(const struct loop *l)
{
	const struct look *k = &l->look;

	return (!k->pid && k->used == sizeof(k->found) && k->found.blockers) || l->deadline.failures > 1;
}

/* While there is time to do something about it. */
static void lost_tell(struct loop *l)
{
	struct deadline *d = &l->deadline;
	int64_t end_s = l->facts.known.end;
	char text[64], since[64] = "all that it has done";

	if (d->told_lost || !l->facts.known.asked || !end_s)
		return;
	d->told_lost = true;
	if (l->committed)
		snprintf(since, sizeof(since), "what it has done since generation %u", l->committed);
	job_log(l->job, 0,
		"there is no checkpoint of the job as it is now: unless that changes, %s will be lost at %s, its "
		"time limit",
		since, clock_text(end_s, text, sizeof(text)));
}

static bool is_begun(const struct loop *l)
{
	const struct deadline *d = &l->deadline;

	return d->begun_for_s && l->facts.known.end <= d->begun_for_s + MOVED_S;
}

void deadline_serve(struct loop *l)
{
	struct deadline *d = &l->deadline;
	int64_t now_ms = cr_time_now_ns() / 1000000, first;

	plan_make(l);
	if (l->over || l->term != TERM_NONE)
		return;
	terms_tell(l);
	limit_set(l);
	if (is_blocked(l))
		lost_tell(l);
	first = d->plan.learn_ms && !d->learnt ? d->plan.learn_ms : d->plan.last_ms;
	if (d->plan.last_ms && !is_begun(l) && now_ms >= first - ASK_AHEAD_MS)
		facts_want(l, ASK_AGE_S);
}

bool deadline_take(struct loop *l, enum dump_mode *mode, const char **reason)
{
	struct deadline *d = &l->deadline;
	int64_t now_ms = cr_time_now_ns() / 1000000;

	*mode = DUMP_RUNNING;
	if (!d->plan.last_ms || is_begun(l) || cr_time_clock_ns(CLOCK_MONOTONIC) < d->again_ns)
		return false;
	/* the limit may have been changed, or moved by a suspension; one that does not answer is not waited for */
	if (facts_asking(l) && !facts_fresh(l, ASK_AGE_S) && !l->facts.failures)
		return false;
	if (now_ms >= d->plan.last_ms) {
		*mode = d->plan.requeue ? DUMP_LIMIT : DUMP_RUNNING;
		*reason = "timelimit";
		d->begun_for_s = l->facts.known.end;
	} else if (d->plan.learn_ms && !d->learnt && now_ms >= d->plan.learn_ms) {
		*reason = "interval";
		d->learnt = true;
	} else {
		return false;
	}
	d->ours = true;
	return true;
}

int64_t deadline_lead_ms(const struct loop *l)
{
	return l->facts.known.end * 1000 - l->deadline.plan.last_ms;
}

bool deadline_near(const struct loop *l)
{
	const struct deadline *d = &l->deadline;
	int64_t now_ms = cr_time_now_ns() / 1000000;

	return d->plan.last_ms && !is_begun(l) && now_ms >= d->plan.last_ms - deadline_lead_ms(l);
}

void deadline_committed(struct loop *l)
{
	l->deadline.failures = 0;
	l->deadline.ours = false;
	facts_want(l, ASK_SELDOM_S);
}

void deadline_resumed(struct loop *l)
{
	/* slurmctld may have said that the limit is another one by now: a later one has its own last checkpoint */
	l->facts.failures = 0;
	facts_want(l, 0);
}

void deadline_failed(struct loop *l)
{
	struct deadline *d = &l->deadline;

	d->failures++;
	if (d->ours || is_blocked(l))
		lost_tell(l);
	/* it may pass, and there may be time for another one */
	if (d->ours && d->failures <= RETRIES &&
	    l->facts.known.end * 1000 - cr_time_now_ns() / 1000000 > deadline_lead_ms(l) / 2) {
		d->begun_for_s = 0;
		d->again_ns = cr_time_clock_ns(CLOCK_MONOTONIC) + RETRY_PAUSE_S * SECOND_NS;
	}
	d->ours = false;
}
