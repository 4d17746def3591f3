/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* ending.c - the job's end: how it came about, and what becomes of its checkpoints */

#include "loop_state.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fence.h"
#include "spawn.h"

#define TIDY_PATIENCE_MS   (20 * 1000)
#define FINISH_PATIENCE_NS (120 * INT64_C(1000000000))

void ending_set(struct loop *l, int status)
{
	if (l->over)
		return;
	l->over = true;
	l->status = status;
}

/* The job came to its end while nobody held a checkpoint of it. Whether Slurm was about to end it is what decides
 * over the checkpoints: it may start the job again. */
static void root_ended(struct loop *l, int status)
{
	bool by_itself = l->term == TERM_NONE && !l->ending;
	/* a program that was told to go and did is not one that came to its end */
	bool completed = status == 0 && !l->ending;
	struct cr_error err;
	char text[64];

	/* of what the newer start does this says nothing */
	if (fence_check(l->job, &err) < 0 && err.errnum == FENCE_LOST) {
		job_log(l->job, 1, "%s", err.text);
		return;
	}
	if (completed) {
		job_journal(l->job, "completed", l->committed, l->job->keep_completed ? "keep" : NULL, NULL, -1);
	} else if (by_itself) {
		snprintf(text, sizeof(text), WIFSIGNALED(status) ? "signal %d" : "exit code %d",
			 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		job_journal(l->job, "ended", l->committed, NULL, text, -1);
	} else {
		job_journal(l->job, "stopped", l->committed, NULL, NULL, -1);
	}
	l->unwanted = by_itself && (status == 0 ? l->job->on_complete : l->job->on_failure);
}

void ending_reap(struct loop *l)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == l->job->root && !l->restoring) {
			/* the tree of a final checkpoint is killed by criu; the worker says when that is it */
			if (l->worker.pid && l->mode != DUMP_RUNNING && l->holding) {
				l->root_gone = true;
				l->root_status = status;
				continue;
			}
			root_ended(l, status);
			ending_set(l, status);
		}
		/* the worker's end shows as the end of its socket; anything else is an orphan, done */
	}
}

/* The program has ended after a SIGTERM, and its newest checkpoint is still being written: it counts, if Slurm
 * gives it the time. Nothing but the worker and T is listened to any more. */
static void worker_finish(struct loop *l)
{
	int64_t end = cr_time_clock_ns(CLOCK_MONOTONIC) + FINISH_PATIENCE_NS;
	bool completed = l->status == 0 && !l->ending;

	if (!l->finish || !l->drained || l->unwanted || completed)
		return;
	worker_hurry(&l->worker);
	while (l->worker.pid && cr_time_clock_ns(CLOCK_MONOTONIC) < end) {
		struct pollfd p[] = {{.fd = l->worker.fd, .events = POLLIN}, {.fd = l->job->wire, .events = 0}};

		poll(p, 2, 1000);
		if (p[1].revents & (POLLHUP | POLLERR))
			return; /* T is gone */
		dispatch_serve(l);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}

/* A checkpoint that is being written has no reader any more. */
static void worker_stop(struct loop *l)
{
	if (!l->worker.pid)
		return;
	kill(l->worker.pid, SIGKILL);
	if (!spawn_ended(l->worker.pid, TIDY_PATIENCE_MS))
		job_log(l->job, 1,
			"the process that was making a checkpoint hangs: storage did not answer in time");
}

/* What the job leaves in the store, as the site wants it. */
static void store_leave(const struct loop *l)
{
	struct cr_error err = {0};

	if (fence_check(l->job, &err) < 0)
		job_log(l->job, 1, "%s", err.text);
	else if ((l->unwanted ? cr_store_clear(&l->job->store, &err) : cr_store_sweep(&l->job->store, &err)) < 0)
		job_log(l->job, 0, "removing what is not needed any more: %s", err.text);
	else if (l->unwanted)
		job_log(l->job, 1, "its checkpoints are removed");
	/* whoever starts the job next need not wait for the end of this start */
	if (err.errnum != FENCE_LOST)
		job_journal(l->job, "over", l->committed, NULL, NULL, -1);
}

/* In a process of its own, which a storage that hangs may keep: the job's end waits for so long and no longer, and
 * what is left is for "scheckpoint gc". */
static void store_tidy(const struct loop *l)
{
	pid_t pid = fork();

	if (pid == 0) {
		store_leave(l);
		_exit(0);
	}
	if (pid > 0 && spawn_ended(pid, TIDY_PATIENCE_MS))
		return;
	if (pid > 0)
		kill(pid, SIGKILL);
	job_log(l->job, 1, "checkpoints are left behind: %s",
		pid < 0 ? "no process to remove them" : "storage did not answer in time");
}

void ending_tidy(struct loop *l)
{
	worker_finish(l);
	worker_stop(l);
	store_tidy(l);
}
