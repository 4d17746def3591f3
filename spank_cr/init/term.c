/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* term.c - a SIGTERM: what Slurm means by it, and what the job gets instead of it, before it, or after all
 *
 * A child asks slurmctld, whatever the worker does meanwhile: what the worker writes may be needed. Then:
 *
 *   the job is being ended     a last checkpoint, when it fits into the time that is left; otherwise the program
 * gets the signal, and what is being written is finished cancelled                  the program gets the signal;
 * the last checkpoint when its user has asked for one preempted, in grace time   nothing yet: the job goes on, and
 * grace.c knows when the last checkpoint is due goes on                    somebody's own: a checkpoint, and the
 * signal as soon as the tree runs again
 */

#include "loop_state.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "caps.h"
#include "slurm.h"

#define SLURM_PATIENCE_MS 3000
#define CHILD_PATIENCE_NS (5 * INT64_C(1000000000))
/* What somebody who sends a SIGTERM is made to wait for a checkpoint. */
#define SAVE_FREEZE_MS	  10000

struct answer {
	enum slurm_fate fate;
	char reason[TERM_REASON];
};

static void child_ask(const struct job *job, int fd)
{
	struct slurm_state s;
	struct cr_error err;
	struct answer a;

	(void)prctl(PR_SET_NAME, "crterm"); /* for ps and top */
	if (cr_caps_drop(&err) < 0) {
		job_log(job, 0, "asking slurmctld: %s", err.text);
		_exit(1);
	}
	s = slurm_ask(job, SLURM_PATIENCE_MS);
	memset(&a, 0, sizeof(a));
	a.fate = s.fate;
	snprintf(a.reason, sizeof(a.reason), "%s", s.reason);
	/* one write, less than a pipe takes at once */
	_exit(write(fd, &a, sizeof(a)) == (ssize_t)sizeof(a) ? 0 : 1);
}

static int child_start(struct term_ask *ask, const struct job *job, struct cr_error *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return cr_error_sys(err, errno, "pipe");
	ask->pid = fork();
	if (ask->pid == 0)
		child_ask(job, fds[1]);
	close(fds[1]);
	if (ask->pid < 0) {
		ask->pid = 0;
		cr_error_sys(err, errno, "asking slurmctld");
		close(fds[0]);
		return -1;
	}
	ask->fd = fds[0];
	ask->end_ns = cr_time_clock_ns(CLOCK_MONOTONIC) + CHILD_PATIENCE_NS;
	return 0;
}

int term_fd(const struct loop *l)
{
	return l->ask.pid ? l->ask.fd : -1;
}

void term_stop(struct loop *l)
{
	if (!l->ask.pid)
		return;
	kill(l->ask.pid, SIGKILL); /* fine when it has ended */
	close(l->ask.fd);
	l->ask.pid = 0;
}

static void final_want(struct loop *l, enum slurm_fate fate, const char *reason)
{
	if (!grace_fits(l)) {
		/* freezing the program now would only keep it from using the time itself */
		grace_refuse(l);
		/* what comes now is nobody's fault */
		if (fate != SLURM_UNKNOWN)
			job_journal(l->job, "stopping", 0, reason, NULL, -1);
		l->finish = true;
		worker_hurry(&l->worker);
		signals_term_pass(l, true);
		return;
	}
	l->term = TERM_FINAL;
	l->term_fate = fate;
	snprintf(l->term_reason, sizeof(l->term_reason), "%s", reason);
}

static void save_want(struct loop *l)
{
	/* what is being written is of a moment ago, and another one would have to wait for it; before the job is
	 * suspended none begins */
	if ((l->worker.pid && l->drained) || clockwork_held(&l->clock) ||
	    cr_cost_freeze_ms(&l->cost) > SAVE_FREEZE_MS) {
		l->finish = true;
		signals_term_pass(l, false);
		return;
	}
	l->term = TERM_SAVE;
}

static void answer_take(struct loop *l, const struct answer *a)
{
	switch (a->fate) {
	case SLURM_RUNNING:
		save_want(l);
		break;
	case SLURM_CANCELLED:
		if (l->job->on_cancel)
			final_want(l, SLURM_ENDING, "cancel");
		else
			signals_term_pass(l, true);
		break;
	case SLURM_GRACE:
		l->term = TERM_NONE;
		l->term_root = l->term_rest = false;
		grace_begin(l);
		break;
	default:
		final_want(l, a->fate, a->reason);
	}
}

void term_arrived(struct loop *l)
{
	struct cr_error err;

	/* Slurm counts from the first one on, which may come after a last checkpoint was begun in grace time */
	if (!l->ending && (l->term == TERM_NONE || !l->term_ns))
		l->term_ns = cr_time_clock_ns(CLOCK_MONOTONIC);
	if (l->term != TERM_NONE)
		return;
	l->term = TERM_ASKING;
	facts_yield(l); /* this is urgent */
	if (!l->drained)
		worker_hurry(&l->worker);
	if (child_start(&l->ask, l->job, &err) < 0) {
		const struct answer none = {.fate = SLURM_UNKNOWN, .reason = "term"};

		job_log(l->job, 0, "%s", err.text);
		answer_take(l, &none);
	}
}

void term_serve(struct loop *l)
{
	struct answer a = {.fate = SLURM_UNKNOWN, .reason = "term"};
	ssize_t n;

	if (!l->ask.pid)
		return;
	n = read(l->ask.fd, &a, sizeof(a));
	if (n < 0 && (errno == EAGAIN || errno == EINTR) && cr_time_clock_ns(CLOCK_MONOTONIC) < l->ask.end_ns)
		return;
	if (n != (ssize_t)sizeof(a))
		a = (struct answer){.fate = SLURM_UNKNOWN, .reason = "term"};
	term_stop(l);
	/* the last checkpoint may have been released meanwhile, or the job ended */
	if (l->term == TERM_ASKING && !l->over)
		answer_take(l, &a);
}

void term_thawed(struct loop *l)
{
	if (l->term != TERM_SAVE)
		return;
	l->finish = true;
	signals_term_pass(l, false);
}

void term_failed(struct loop *l, bool gone_early)
{
	/* begun before Slurm's SIGTERM: that one is to come */
	if (l->term == TERM_RUNS && !l->term_root && !l->term_rest)
		grace_failed(l);
	/* the job is being ended and there is no newer checkpoint: the program gets what Slurm meant for it */
	if (l->term == TERM_RUNS || (gone_early && (l->term == TERM_ASKING || l->term == TERM_FINAL)))
		signals_term_pass(l, true);
	else if (l->term == TERM_SAVE)
		signals_term_pass(l, false);
}
