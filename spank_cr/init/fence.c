/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "fence.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ask.h"
#include "cleanup.h"
#include "slurm.h"

#define PATIENCE_MS 15000
#define PAUSE_MS    500
#define MARGIN_S    2 /* between a look's time and its end */

/* ---- what the journal says ---- */

struct view {
	const struct job *job;
	uint32_t newest; /* start of the job that is in the journal */
	char node[256];	 /* where it is */
	bool chosen;	 /* a newer one than this has chosen what to go on from */
	bool over;	 /* it has ended, or never ran anything */
};

static bool is(const struct cr_journal_event *event, const char *name)
{
	return strcmp(event->event, name) == 0;
}

static bool is_confirmed(const struct cr_journal_event *event)
{
	return is(event, "start") && event->reason && strcmp(event->reason, CR_JOURNAL_CONFIRMED) == 0;
}

/* After these, nothing of that start runs: it has ended, or never came to run anything. */
static bool is_end(const struct cr_journal_event *event)
{
	static const char *const names[] = {"over", "requeue", "held", "delayed", "gave-up"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (is(event, names[i]))
			return true;
	return false;
}

static int view_line(const struct cr_journal_event *event, void *arg)
{
	struct view *v = arg;
	bool runs = is(event, "fresh") || is(event, "restored");

	if (is_end(event) && event->restart == v->newest)
		v->over = true;
	/* it could not be put off */
	if (is(event, "restoring") && event->restart == v->newest)
		v->over = false;
	if (!runs && !is(event, "start"))
		return 0;
	if (is_confirmed(event))
		v->newest = 0;
	if (event->restart < v->newest)
		return 0;
	v->newest = event->restart;
	snprintf(v->node, sizeof(v->node), "%s", event->node);
	v->chosen = runs;
	v->over = false;
	return 0;
}

/* Of the same count, as slurmctld may have lost one, it is the one that came later. */
static bool view_lost(const struct view *v)
{
	return v->newest > v->job->restart ||
	       (v->newest == v->job->restart && v->node[0] && strcmp(v->node, v->job->node) != 0);
}

static int view_read(struct view *v, const struct job *job, struct cr_error *err)
{
	*v = (struct view){.job = job};
	if (cr_journal_each(&job->store, view_line, v, err) < 0)
		return -1;
	if (!view_lost(v))
		return 0;
	return cr_error_set(err, FENCE_LOST,
			    "Slurm has started this job again on %s (restart %u, this is %u on %s): nothing is "
			    "published",
			    v->node, v->newest, job->restart, job->node);
}

int fence_check(const struct job *job, struct cr_error *err)
{
	struct view v;

	return view_read(&v, job, err);
}

int fence_settle(const struct job *job, uint32_t generation, struct cr_error *err)
{
	struct cr_error ignored;
	struct view v;

	if (view_read(&v, job, err) == 0 || err->errnum != FENCE_LOST)
		return 0; /* it is committed: what cannot be read now is no reason to take it back */
	/* one that has not chosen yet finds it, or sets it aside itself */
	if (!v.chosen)
		return 0;
	if (cr_store_set_aside_one(&job->store, generation, &ignored) < 0)
		(void)cr_error_prefix(err, "generation %u stays: %s", generation, ignored.text);
	return -1;
}

/* ---- a start says that it is there ---- */

/* What slurmctld says is what counts, when it says anything. */
static bool slurm_confirms(const struct job *job)
{
	static char text[65536];
	char id[16], state[64], restarts[32], host[256];
	const char *const argv[] = {CR_SLURM_BINDIR "/scontrol", "show", "job", id, NULL};
	struct cr_error err;

	snprintf(id, sizeof(id), "%u", job->id);
	if (ask_capture(job, argv, PATIENCE_MS, text, sizeof(text), &err) < 0)
		return false;
	slurm_value(text, "JobState", state, sizeof(state));
	slurm_value(text, "Restarts", restarts, sizeof(restarts));
	slurm_value(text, "BatchHost", host, sizeof(host));
	return (strcmp(state, "RUNNING") == 0 || strcmp(state, "CONFIGURING") == 0) && *restarts &&
	       strtoul(restarts, NULL, 10) == job->restart && strcmp(host, job->node) == 0;
}

/* The highest number that anything in the store has, also one that an older start is at now. */
static int mark_read(const struct job *job, uint32_t *mark, struct cr_error *err)
{
	uint32_t next;

	if (cr_store_next(&job->store, &next, err) < 0)
		return -1;
	*mark = next - 1;
	return 0;
}

/* Without the line of one that slurmctld has confirmed, the next look would end it. */
static int start_append(const struct job *job, uint32_t mark, bool confirmed, struct cr_error *err)
{
	int64_t end = cr_time_clock_ns(CLOCK_MONOTONIC) + PATIENCE_MS * INT64_C(1000000);

	while (job_journal_append(job, "start", mark, confirmed ? CR_JOURNAL_CONFIRMED : NULL, NULL, -1, err) <
	       0) {
		if (!confirmed || cr_time_clock_ns(CLOCK_MONOTONIC) > end)
			return -1;
		poll(NULL, 0, PAUSE_MS);
	}
	return 0;
}

int fence_claim(struct job *job, bool *over, struct cr_error *err)
{
	struct view v;
	uint32_t mark;
	bool lost;

	*over = true;
	/* there is none before the first */
	if (job->restart == 0)
		return 0;
	lost = view_read(&v, job, err) < 0;
	/* no line then: with a mark that is too low, everything that the starts before made would be late */
	if ((lost && err->errnum != FENCE_LOST) || mark_read(job, &mark, err) < 0)
		return -1;
	/* the same count elsewhere, earlier: slurmctld has started it a second time, here */
	if (lost && v.newest > job->restart && !slurm_confirms(job))
		return -1;
	*over = v.over || !v.node[0];
	return start_append(job, mark, lost, err);
}

int64_t fence_patience(const struct job *job)
{
	return job->fence ? job->fence + MARGIN_S : 0;
}

/* ---- what was published too late ---- */

struct late {
	const struct cr_manifest *m;
	bool late;
};

static int late_line(const struct cr_journal_event *event, void *arg)
{
	struct late *l = arg;

	if (is_confirmed(event) && l->m->restart >= event->restart)
		l->late = false;
	if ((is(event, "start") || is(event, "restored")) && l->m->restart < event->restart &&
	    l->m->generation > event->generation)
		l->late = true;
	return 0;
}

bool fence_late(const struct job *job, const struct cr_manifest *m)
{
	struct late l = {.m = m};

	return cr_journal_each(&job->store, late_line, &l, NULL) == 0 && l.late;
}
