/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* loop.c - what may happen to a job, one event after the other; nothing in here waits, nothing leaves the loop but
 * the job's end */

#include "loop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "info.h"
#include "inside.h"
#include "listen.h"
#include "loop_state.h"
#include "ran.h"
#include "restart.h"
#include "wire.h"

static int loop_open(struct loop *l, struct cr_error *err)
{
	sigset_t all;

	sigfillset(&all);
	l->signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (l->signals < 0)
		return cr_error_sys(err, errno, "signalfd");
	if (control_open(&l->control, l->job, err) < 0)
		job_log(l->job, 0, "scheckpoint cannot reach this job: %s", err->text);
	return 0;
}

static void loop_once(struct loop *l)
{
	struct pollfd fds[8 + CONTROL_CLIENTS + 1] = {
		{.fd = l->signals, .events = POLLIN},
		{.fd = l->job->wire, .events = POLLIN},
		{.fd = l->worker.pid ? l->worker.fd : -1, .events = POLLIN},
		{.fd = look_fd(l), .events = POLLIN},
		{.fd = facts_fd(l), .events = POLLIN},
		{.fd = term_fd(l), .events = POLLIN},
		/* without a worker nobody answers: criu takes that for a hook that has failed, and lets go */
		{.fd = l->worker.pid ? -1 : l->job->hook, .events = POLLIN},
		{.fd = l->worker.pid ? -1 : l->job->capture, .events = POLLIN},
	};
	int n = control_poll(&l->control, fds + 8);

	/* bounded: a child that ended in between two looks is seen at the next */
	if (poll(fds, (nfds_t)(8 + n), clockwork_sleep_ms(&l->clock)) < 0 && errno != EINTR)
		job_log(l->job, 0, "poll: %s", strerror(errno));
	pause_look(l);
	signals_read(l);
	/* before the reaping: a report explains the death that follows it */
	if (l->worker.pid)
		dispatch_serve(l);
	ending_reap(l);
	if (fds[1].revents)
		signals_read_wire(l);
	for (int i = 6; i < 8; i++)
		if (fds[i].revents)
			cr_listen_flush(fds[i].fd);
	dispatch_watch(l);
	control_serve(&l->control, fds + 8, n);
	term_serve(l);
	grace_serve(l);
	deadline_serve(l);
	dispatch_next(l);
	fence_serve(l);
	look_serve(l);
	(void)facts_serve(l);
}

static int loop_until_over(struct loop *l)
{
	while (!l->over)
		loop_once(l);
	ending_tidy(l);
	job_log(l->job, 1, "the job ended, status %d signal %d", WIFEXITED(l->status) ? WEXITSTATUS(l->status) : 0,
		WIFSIGNALED(l->status) ? WTERMSIG(l->status) : 0);
	cr_wire_send(l->job->wire, CR_WIRE_EXIT, l->status, NULL, NULL);
	return 0;
}

static int fresh_line(const struct cr_journal_event *event, void *arg)
{
	uint32_t *run = arg;

	if (strcmp(event->event, "fresh") == 0)
		(*run)++;
	return 0;
}

static void clock_start(struct loop *l)
{
	const struct job *job = l->job;
	struct clockwork *c = &l->clock;
	char text[512], first[64];

	c->policy = (struct cr_interval_policy){
		.every_s = job->interval,
		.least_s = job->min_interval,
		.most_s = job->max_interval,
		.mtbf_s = job->mtbf,
		.nodes = job->nodes,
		.max_share = job->max_share,
		.drain_share = job->drain_share,
	};
	c->seed = cr_interval_seed(job->id, job->restart);
	(void)cr_interval_span(clockwork_start(c, &l->cost, cr_time_clock_ns(CLOCK_MONOTONIC)), first);
	drag_mark(&l->drag, job->root, c->ran_ns);
	(void)cr_interval_text(&c->interval, &c->policy, text, sizeof(text));
	job_log(job, 1, "a checkpoint every %s, the first after %s", text, first);
	job_journal(job, "interval", 0, NULL, text, c->interval.ms);
}

static int started_tell(struct loop *l)
{
	struct cr_error err;
	struct stat st;

	clock_start(l);
	l->job->saved_ns = cr_time_clock_ns(CLOCK_MONOTONIC);
	look_arm(l);
	facts_arm(l);
	ran_begin(l->job);
	l->job->notice_from = fstat(2, &st) == 0 && S_ISREG(st.st_mode) ? st.st_size : 0;

	if (cr_wire_send(l->job->wire, CR_WIRE_STARTED, 0, NULL, &err) < 0) {
		job_log(l->job, 0, "%s", err.text);
		return 1;
	}
	return 0;
}

int loop_run(struct job *job)
{
	struct loop l = {.job = job};
	struct cr_error err;

	if (loop_open(&l, &err) < 0) {
		cr_wire_send(job->wire, CR_WIRE_FAILED, 0, err.text, NULL);
		return 1;
	}
	job->run = 1;
	if (cr_journal_each(&job->store, fresh_line, &job->run, &err) < 0)
		job_log(job, 0, "journal: %s", err.text);
	ran_read(job);
	job_journal(job, "fresh", 0, NULL, *job->why ? job->why : NULL, -1);
	if (started_tell(&l) != 0)
		return 1;
	info_write(job, &(struct info){.event = "start"});
	inside_started(job);
	if (write(job->go, "g", 1) != 1)
		job_log(job, 0, "starting the job: %s", strerror(errno));
	close(job->go);
	job_log(job, 1, "the job started on %s", job->node);
	return loop_until_over(&l);
}

/* Wait for the restoring worker; T's socket and the end of children are looked after meanwhile. */
static int restore_wait(struct loop *l, struct report *r)
{
	struct pollfd p = {.fd = l->worker.fd, .events = POLLIN};

	for (;;) {
		int rc;

		if (poll(&p, 1, 1000) < 0 && errno != EINTR)
			return -1;
		fence_serve(l);
		if (l->over) {
			r->type = REPORT_FENCED;
			return 0;
		}
		rc = dispatch_report(l, r);
		if (rc == 1 && r->type == REPORT_COST)
			cr_cost_add(&l->cost, r->value, (int64_t)r->extra);
		else if (rc != 0)
			return rc == 1 ? 0 : -1;
	}
}

int loop_restore(struct job *job)
{
	struct loop l = {.job = job, .restoring = true};
	struct report r = {.type = REPORT_FAILED,
			   .value = CR_BLAME_NODE,
			   .text = "the process that was restoring ended without a word"};
	struct cr_error err;

	ran_read(job);
	if (loop_open(&l, &err) < 0 || worker_start_restore(&l.worker, job, &err) < 0) {
		cr_wire_send(job->wire, CR_WIRE_FAILED, (int)cr_restart_blame(err.errnum, err.text), err.text,
			     NULL);
		return 1;
	}
	/* any failure ends this process, and the kernel all that was restored with it, before it could run */
	if (restore_wait(&l, &r) < 0 || r.type != REPORT_RESTORED) {
		if (r.type == REPORT_FENCED) {
			if (!l.over)
				fence_lost(&l, r.text);
			r.value = CR_BLAME_FENCED;
		}
		cr_wire_send(job->wire, CR_WIRE_FAILED, (int)r.value, r.text, NULL);
		return 1;
	}
	close(l.worker.fd);
	l.worker.pid = 0;
	l.restoring = false;
	job->root = (pid_t)r.value;
	job->run = (uint32_t)r.extra;
	l.committed = job->from_now ? 0 : job->generation;
	if (started_tell(&l) != 0)
		return 1;
	if (*job->why) /* for the user: it is put behind what his job had written */
		job_log(job, 0, "it goes on from generation %u instead of %s", job->generation, job->why);
	job_log(job, 1, "restored on %s from generation %u", job->node, job->generation);
	return loop_until_over(&l);
}
