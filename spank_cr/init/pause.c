/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* pause.c - Slurm suspends the job: SIGTSTP, then the kernel stops its cgroup and crinit with it, then SIGCONT */

#include "loop_state.h"

#include <signal.h>
#include <time.h>

bool pause_announced(struct loop *l, bool from_t)
{
	clockwork_hold(&l->clock);
	if (!l->worker.pid || l->drained)
		return false;
	/* a program that stops for it now would be in the checkpoint as one that is stopped */
	if (from_t)
		l->stop_root = true;
	else
		l->stop_rest = true;
	return true;
}

void pause_over(struct loop *l)
{
	clockwork_release(&l->clock);
	l->stop_root = l->stop_rest = false;
}

void pause_pass(struct loop *l)
{
	if (l->stop_root || l->stop_rest)
		signals_pass(l, SIGTSTP, l->stop_root, l->stop_rest);
	l->stop_root = l->stop_rest = false;
}

void pause_look(struct loop *l)
{
	int64_t gap = clockwork_turn(&l->clock, cr_time_clock_ns(CLOCK_MONOTONIC));

	if (gap == 0)
		return;
	/* what waits for a while, or has taken a while, has not done so meanwhile */
	l->job->saved_ns += gap;
	l->job->ran_from_ns += gap;
	l->begun_ns += gap;
	l->frozen_ns += gap;
	if (l->stall.since)
		l->stall.since += gap;
	if (l->look.pid)
		l->look.deadline_ns += gap;
	if (l->ask.pid)
		l->ask.end_ns += gap;
	if (l->facts.pid)
		l->facts.deadline_ns += gap;
	/* and its time limit has moved */
	l->facts.answered_ns = 0;
	/* how long the tree was frozen is what the worker has seen: all of it */
	l->interrupted = l->interrupted || (l->worker.pid != 0 && !l->drained);
	job_log(l->job, 1, "the job did not run for %lld s", (long long)(gap / 1000000000));
}
