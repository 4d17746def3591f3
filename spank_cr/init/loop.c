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
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "info.h"
#include "loop_state.h"
#include "wire.h"

static int loop_open(struct loop *l, struct cr_error *err)
{
	struct itimerspec every = {{l->job->interval, 0}, {l->job->interval, 0}};
	sigset_t all;

	sigfillset(&all);
	l->signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	l->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (l->signals < 0 || l->timer < 0 || timerfd_settime(l->timer, 0, &every, NULL) < 0)
		return cr_error_sys(err, errno, "signalfd and timerfd");
	if (control_open(&l->control, l->job, err) < 0)
		job_log(l->job, 0, "scheckpoint cannot reach this job: %s", err->text);
	return 0;
}

static void loop_once(struct loop *l)
{
	struct pollfd fds[6 + CONTROL_CLIENTS + 1] = {
		{.fd = l->signals, .events = POLLIN}, {.fd = l->job->wire, .events = POLLIN},
		{.fd = l->timer, .events = POLLIN},   {.fd = l->worker.pid ? l->worker.fd : -1, .events = POLLIN},
		{.fd = look_fd(l), .events = POLLIN}, {.fd = facts_fd(l), .events = POLLIN},
	};
	int n = control_poll(&l->control, fds + 6);
	uint64_t ticks;

	/* bounded: a child that ended in between two looks is seen at the next */
	if (poll(fds, (nfds_t)(6 + n), 1000) < 0 && errno != EINTR)
		job_log(l->job, 0, "poll: %s", strerror(errno));
	signals_read(l);
	/* before the reaping: a report explains the death that follows it */
	if (l->worker.pid)
		dispatch_serve(l);
	ending_reap(l);
	if (fds[1].revents)
		signals_read_wire(l);
	if (read(l->timer, &ticks, sizeof(ticks)) == (ssize_t)sizeof(ticks))
		l->due = true;
	dispatch_watch(l);
	control_serve(&l->control, fds + 6, n);
	dispatch_next(l);
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

static int started_tell(struct loop *l)
{
	struct cr_error err;
	struct stat st;

	l->job->saved_ns = cr_time_clock_ns(CLOCK_MONOTONIC);
	look_arm(l);
	facts_arm(l);
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
	job_journal(job, "fresh", 0, NULL, NULL, -1);
	if (started_tell(&l) != 0)
		return 1;
	info_write(job, &(struct info){.event = "start"});
	if (write(job->go, "g", 1) != 1)
		job_log(job, 0, "starting the job: %s", strerror(errno));
	close(job->go);
	job_log(job, 1, "the job started on %s, a checkpoint every %lld s", job->node, (long long)job->interval);
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
	struct report r = {.type = REPORT_FAILED, .text = "the process that was restoring ended without a word"};
	struct cr_error err;

	if (loop_open(&l, &err) < 0 || worker_start_restore(&l.worker, job, &err) < 0) {
		cr_wire_send(job->wire, CR_WIRE_FAILED, 0, err.text, NULL);
		return 1;
	}
	/* any failure ends this process, and the kernel all that was restored with it, before it could run */
	if (restore_wait(&l, &r) < 0 || r.type != REPORT_RESTORED) {
		cr_wire_send(job->wire, CR_WIRE_FAILED, 0, r.text, NULL);
		return 1;
	}
	close(l.worker.fd);
	l.worker.pid = 0;
	l.restoring = false;
	job->root = (pid_t)r.value;
	job->run = (uint32_t)r.extra;
	l.committed = job->generation;
	if (started_tell(&l) != 0)
		return 1;
	job_log(job, 1, "restored on %s from generation %u, a checkpoint every %lld s", job->node, job->generation,
		(long long)job->interval);
	return loop_until_over(&l);
}
