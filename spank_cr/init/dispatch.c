/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* dispatch.c - the worker's turn: what is wanted next, and what the one at work reports */

#include "loop_state.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "inside.h"
#include "netlock.h"
#include "proc.h"

static void clients_reply(struct loop *l, const struct report *r)
{
	control_answer(&l->control, false,
		       r->type == REPORT_COMMITTED ? control_done(r->generation, r->value, r->extra)
						   : control_error(r->text));
	inside_answer(l->job, l->control.turns_taken, r);
	l->control.turns_taken = 0;
}

static void dump_failed(struct loop *l, const struct report *r)
{
	l->answered = true;
	/* an error shows in the job's stderr: when it is news, not at every interval */
	job_log(l->job, verdict_news(l->told, r->text) ? 0 : 1, "no checkpoint: %s", r->text);
	clients_reply(l, r);
	deadline_failed(l);
	term_failed(l, false);
}

static void doing_set(struct loop *l, const struct report *r)
{
	struct stall *s = &l->stall;

	s->since = 0;
	s->frozen = r->value != 0;
	s->generation = r->generation;
	snprintf(s->doing, sizeof(s->doing), "%.*s", (int)sizeof(s->doing) - 1, r->text);
}

/* What it has cost, and what follows from that. */
static void committed_count(struct loop *l, int64_t freeze_ms)
{
	char text[512];

	if (!l->interrupted) {
		cr_cost_add(&l->cost, freeze_ms, (cr_time_clock_ns(CLOCK_MONOTONIC) - l->begun_ns) / 1000000);
		cr_cost_paused(&l->cost, l->paused_ms);
	}
	if (l->mode == DUMP_RUNNING)
		drag_committed(&l->drag, l->job->root, l->clock.ran_ns, &l->cost);
	clockwork_committed(&l->clock, &l->cost);
	if (!clockwork_news(&l->clock))
		return;
	(void)cr_interval_text(&l->clock.interval, &l->clock.policy, text, sizeof(text));
	job_log(l->job, 1, "from now on a checkpoint every %s", text);
	job_journal(l->job, "interval", 0, NULL, text, l->clock.interval.ms);
}

static void report_dump(struct loop *l, const struct report *r)
{
	switch (r->type) {
	case REPORT_DOING:
		doing_set(l, r);
		break;
	case REPORT_FROZEN:
		l->stall.staged = true;
		l->frozen_ns = cr_time_clock_ns(CLOCK_MONOTONIC);
		break;
	case REPORT_THAWED:
		l->drained = true;
		drag_thawed(&l->drag, l->job->root, l->clock.ran_ns);
		pause_pass(l);
		term_thawed(l);
		break;
	case REPORT_PAUSED:
		l->paused_ms = r->value;
		break;
	case REPORT_COMMITTED:
		l->answered = true;
		l->told[0] = '\0';
		l->committed = r->generation;
		l->newest = *r;
		l->job->saved_ns = l->frozen_ns;
		committed_count(l, r->value);
		l->holding = l->mode != DUMP_RUNNING;
		deadline_committed(l);
		job_log(l->job, 1, "generation %u committed (%s), frozen %lld ms, %llu bytes", r->generation,
			r->text, (long long)r->value, (unsigned long long)r->extra);
		clients_reply(l, r);
		break;
	case REPORT_FAILED:
		dump_failed(l, r);
		break;
	case REPORT_FENCED:
		clients_reply(l, r);
		fence_lost(l, r->text);
		break;
	case REPORT_FINISHED:
		job_journal(l->job, "stopped", l->committed, NULL, NULL, -1);
		ending_set(l, SIGTERM);
		break;
	case REPORT_RESUMED:
		l->holding = false;
		if (l->root_gone)
			ending_set(l, l->root_status);
		if (l->mode == DUMP_TERM)
			signals_term_pass(l, true);
		else if (l->term == TERM_NONE && (l->term_root || l->term_rest))
			term_arrived(l); /* it came while the tree was held, and the worker had given up */
		else
			term_failed(l, false);
		deadline_resumed(l);
		job_log(l->job, 1, "nobody ended the job after generation %u: it goes on", r->generation);
		break;
	default:
		job_log(l->job, 0, "the worker sent a report of type %u", r->type);
	}
}

/* A worker that was ended in between has left the job's network without packets. */
static void net_open(const struct loop *l)
{
	struct cr_error err;

	if (l->job->private_net && netlock_release_surely(&err) < 0)
		job_log(l->job, 0, "%s", err.text);
}

static void worker_gone(struct loop *l)
{
	struct report r = {.type = REPORT_FAILED};
	bool stalled = l->stall.over;

	close(l->worker.fd);
	l->worker.pid = 0;
	net_open(l);
	l->drained = false;
	l->stall.over = false;
	clockwork_ended(&l->clock);
	pause_pass(l);
	if (!l->answered && !l->over)
		deadline_failed(l);
	/* it ended before it could say what Slurm wants; another would hang as well */
	if (!l->holding && !l->over)
		term_failed(l, stalled);
	snprintf(r.text, sizeof(r.text), "%s",
		 stalled ? l->stall.text : "the process that was making the checkpoint ended without a word");
	clients_reply(l, &r);
	if (l->holding && !l->over) {
		/* it was killed with the tree frozen: criu may have killed the tree or not; reaping tells */
		l->holding = false;
		if (l->root_gone || kill(l->job->root, 0) < 0)
			ending_set(l, l->root_gone ? l->root_status : SIGTERM);
	}
}

int dispatch_report(struct loop *l, struct report *r)
{
	ssize_t n = recv(l->worker.fd, r, sizeof(*r), MSG_DONTWAIT);

	if (n == (ssize_t)sizeof(*r)) {
		r->text[sizeof(r->text) - 1] = '\0';
		return 1;
	}
	return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

void dispatch_serve(struct loop *l)
{
	struct report r;
	int rc;

	while ((rc = dispatch_report(l, &r)) == 1)
		report_dump(l, &r);
	if (rc < 0)
		worker_gone(l);
}

/* What is written about it goes to storage, too: by a process that may hang there, and is reaped like an orphan.
 */
static void stall_tell(const struct loop *l, int level)
{
	if (fork() != 0)
		return;
	job_log(l->job, level, "no checkpoint: %s", l->stall.text);
	job_journal(l->job, "failed", l->stall.generation, NULL, l->stall.text, -1);
	_exit(0);
}

static void worker_give_up(struct loop *l)
{
	pid_t worker = l->worker.pid;

	/* criu first: it gives the tree back when its hook fails. Without one it is criu that has it. */
	(void)stall_release(worker);
	if (cr_proc_state(l->job->root) == 't')
		return;
	stall_kill(worker);
	if (l->stall.generation > l->job->lost)
		l->job->lost = l->stall.generation;
	worker_gone(l);
	stall_tell(l, verdict_news(l->told, l->stall.text) ? 0 : 1);
}

void dispatch_watch(struct loop *l)
{
	const int64_t second = 1000000000, now = cr_time_clock_ns(CLOCK_MONOTONIC);
	struct stall *s = &l->stall;
	uint64_t cpu;
	int64_t idle;

	/* one that only writes, or waits for Slurm with all done, takes its time */
	if (!l->worker.pid || l->drained || l->holding || l->over || now - s->looked < second)
		return;
	s->looked = now;
	if (!s->over) {
		if (stall_cpu(l->worker.pid, &cpu) < 0)
			return;
		idle = stall_look(s, cpu, l->term, now);
		if (idle < stall_limit(s, l->term))
			return;
		/* nobody is held up, and what began now would hang as well; or the tree is in criu's hands alone
		 */
		if (!s->frozen && (l->term == TERM_NONE || cr_proc_state(l->job->root) == 't'))
			return;
		snprintf(s->text, sizeof(s->text), "storage did not answer for %d s%s: %s", (int)idle,
			 s->frozen ? " while the job stood still" : "",
			 s->doing[0] ? s->doing : "opening the store");
		s->over = true;
	}
	worker_give_up(l);
}

static bool clients_want(struct loop *l, enum control_verb verb)
{
	bool want = false;

	for (int i = 0; i < CONTROL_CLIENTS; i++) {
		struct control_client *c = &l->control.clients[i];

		if (c->fd < 0 || c->taken)
			continue;
		if (c->verb == CONTROL_STATUS)
			control_reply_status(c, l->committed, l->worker.pid ? "draining" : "committed");
		else if (c->verb == verb)
			want = true;
	}
	return want;
}

static void worker_begin(struct loop *l, enum dump_mode mode, const struct slurm_state *state,
			 enum control_verb verb)
{
	struct report failed = {.type = REPORT_FAILED};
	struct cr_error err;

	control_take(&l->control, verb);
	facts_yield(l);
	clockwork_begun(&l->clock, mode == DUMP_RUNNING && verb == CONTROL_NONE);
	/* any checkpoint that begins now will do for them */
	l->control.turns_taken = l->control.turns_due;
	l->control.turns_due = 0;
	l->job->moving = control_moving(&l->control);
	l->turns++;
	l->begun_ns = cr_time_clock_ns(CLOCK_MONOTONIC);
	l->mode = mode;
	l->drained = l->holding = l->interrupted = l->finish = l->answered = false;
	l->stall = (struct stall){0};
	drag_begun(&l->drag, l->job->root, l->clock.ran_ns);
	if (worker_start_dump(&l->worker, l->job, mode, state, &err) == 0)
		return;
	clockwork_ended(&l->clock);
	snprintf(failed.text, sizeof(failed.text), "%s", err.text);
	dump_failed(l, &failed);
}

static void dump_begin(struct loop *l, enum dump_mode mode, const char *reason, enum control_verb verb)
{
	const struct slurm_state state = {.fate = SLURM_UNKNOWN, .reason = reason, .lead_ms = deadline_lead_ms(l)};

	worker_begin(l, mode, &state, verb);
}

static void final_begin(struct loop *l)
{
	const struct slurm_state state = {.fate = l->term_fate, .reason = l->term_reason};

	l->term = TERM_RUNS;
	worker_begin(l, DUMP_TERM, &state, CONTROL_NONE);
}

/* The tree stands still since the last checkpoint, which is what whoever asks for one now wants. */
static void held_answer(struct loop *l)
{
	control_refuse_moves(&l->control,
			     "its last checkpoint is made already, and the job goes where Slurm puts it");
	control_take(&l->control, CONTROL_CREATE);
	control_take(&l->control, CONTROL_VACATE);
	clients_reply(l, &l->newest);
}

void dispatch_next(struct loop *l)
{
	bool create = clients_want(l, CONTROL_CREATE) || control_later(&l->control),
	     vacate = clients_want(l, CONTROL_VACATE);
	bool held = clockwork_held(&l->clock);
	enum dump_mode mode;
	const char *reason;

	if (l->holding && (create || vacate))
		held_answer(l);
	if (l->over)
		return;
	if (l->worker.pid) {
		/* what it still writes is older than what the last checkpoint will hold; but the one for the time
		 * limit, late as it is, is nearly done */
		if (l->term == TERM_FINAL && l->mode == DUMP_RUNNING && l->drained && !l->deadline.ours) {
			kill(l->worker.pid, SIGKILL);
			worker_gone(l);
		} else
			return;
	}
	switch (l->term) {
	case TERM_FINAL:
		final_begin(l);
		return;
	case TERM_SAVE:
		dump_begin(l, DUMP_RUNNING, "term", CONTROL_NONE);
		return;
	case TERM_NONE:
		break;
	default: /* what is wanted shows soon */
		return;
	}
	if (held)
		return;
	if (vacate) {
		dump_begin(l, DUMP_VACATE, "vacate", CONTROL_VACATE);
	} else if (create) {
		dump_begin(l, DUMP_RUNNING, "user", CONTROL_CREATE);
	} else if (l->grace.learn) {
		l->grace.learn = false;
		dump_begin(l, DUMP_RUNNING, "preempt", CONTROL_NONE);
	} else if (deadline_take(l, &mode, &reason)) {
		dump_begin(l, mode, reason, CONTROL_NONE);
	} else if (clockwork_due(&l->clock) && !deadline_near(l)) {
		dump_begin(l, DUMP_RUNNING, "interval", CONTROL_NONE);
	}
}
