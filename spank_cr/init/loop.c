/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* loop.c - what may happen to a job, one event after the other; nothing in here waits, nothing leaves the loop but
 * the job's end */

#include "loop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "caps.h"
#include "cleanup.h"
#include "control.h"
#include "proc.h"
#include "wire.h"
#include "worker.h"

#define TIDY_PATIENCE_S 20

enum term { TERM_NONE, TERM_WANTED, TERM_ASKED };

struct loop {
	struct job *job;
	struct control control;
	struct worker worker;
	enum dump_mode mode; /* of the running worker */
	bool restoring;
	bool drained; /* the worker's tree is thawed: it only writes */
	bool holding; /* a final checkpoint is committed, the tree frozen */
	int signals, timer;
	bool due;		   /* the interval has passed */
	enum term term;		   /* SIGTERM from Slurm */
	bool term_root, term_rest; /* whom it was for, should it be for the program */
	unsigned failures;	   /* checkpoints in a row that failed */
	int64_t frozen_ns;	   /* CLOCK_MONOTONIC of the newest dump */
	uint32_t committed;	   /* newest generation of this crinit's */
	bool root_gone;		   /* the tree's root ended while a final checkpoint was held */
	int root_status;
	bool ending;   /* Slurm is ending the job, and the program had to be told */
	bool unwanted; /* the job ended by itself, in a way after which its checkpoints go */
	bool over;
	int status; /* wait status to hand to Slurm */
};

/* ---- the tree ---- */

static void rest_signal(struct loop *l, int sig)
{
	cleanup_free pid_t *pids = NULL;
	struct cr_error err;
	size_t n;

	if (cr_proc_tree(l->job->root, &pids, &n, &err) < 0) {
		job_log(l->job, 0, "passing signal %d on: %s", sig, err.text);
		return;
	}
	for (size_t i = 1; i < n; i++)
		kill(pids[i], sig);
}

/* A signal for the program: what T got is for the tree's root, as Slurm means the batch shell by it; what Slurm
 * sends to every process of the step reaches crinit too, which is the rest of the tree to Slurm. */
static void signal_pass(struct loop *l, int sig, bool root, bool rest)
{
	if (root && kill(l->job->root, sig) < 0 && errno != ESRCH)
		job_log(l->job, 0, "passing signal %d to the job: %s", sig, strerror(errno));
	if (rest)
		rest_signal(l, sig);
}

/* What is learnt first is how the job ended; what follows is the clean-up. */
static void job_over(struct loop *l, int status)
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
	char text[64];

	/* a program that was told to go and did is not one that came to its end */
	if (status == 0 && !l->ending) {
		job_journal(l->job, "completed", l->committed, NULL, NULL, -1);
	} else if (by_itself) {
		snprintf(text, sizeof(text), WIFSIGNALED(status) ? "signal %d" : "exit code %d",
			 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		job_journal(l->job, "ended", l->committed, NULL, text, -1);
	}
	l->unwanted = by_itself && (status == 0 ? l->job->on_complete : l->job->on_failure);
}

static void children_reap(struct loop *l)
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
			job_over(l, status);
		}
		/* the worker's end shows as the end of its socket; anything else is an orphan, done */
	}
}

/* ---- signals ---- */

static void signal_arrived(struct loop *l, int sig, bool from_t)
{
	if (sig != SIGTERM) {
		signal_pass(l, sig, from_t, !from_t);
		return;
	}
	if (from_t)
		l->term_root = true;
	else
		l->term_rest = true;
	if (l->holding && l->worker.pid) {
		const char byte = WORKER_RELEASE;

		if (send(l->worker.fd, &byte, 1, MSG_NOSIGNAL) != 1)
			job_log(l->job, 0, "releasing the last checkpoint: %s", strerror(errno));
		return;
	}
	if (l->term == TERM_NONE)
		l->term = TERM_WANTED;
}

static void signals_read(struct loop *l)
{
	struct signalfd_siginfo info;

	while (read(l->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			continue; /* children_reap looks every time */
		/* from inside of the job: not for pid 1 */
		if (info.ssi_pid != 0 || info.ssi_code > 0)
			continue;
		signal_arrived(l, (int)info.ssi_signo, false);
	}
}

static void wire_read(struct loop *l)
{
	struct cr_wire message;
	struct cr_error err;
	int rc = cr_wire_receive(l->job->wire, &message, &err);

	if (rc == 1 && message.type == CR_WIRE_SIGNAL)
		signal_arrived(l, message.value, true);
	else if (rc == 0)
		job_over(l, SIGKILL); /* T is gone, and with it whoever waits for this job */
}

/* ---- workers ---- */

static void clients_reply(struct loop *l, const struct report *r)
{
	for (int i = 0; i < CONTROL_CLIENTS; i++) {
		struct control_client *c = &l->control.clients[i];

		if (c->fd < 0 || !c->taken)
			continue;
		if (r->type == REPORT_COMMITTED)
			control_reply_done(c, r->generation, r->value, r->extra);
		else
			control_reply_error(c, r->text);
	}
}

/* The SIGTERM that a worker was to look into is the program's after all. */
static void term_pass(struct loop *l, bool ending)
{
	l->ending = l->ending || ending;
	signal_pass(l, SIGTERM, l->term_root, l->term_rest);
	l->term_root = l->term_rest = false;
	l->term = TERM_NONE;
}

static void dump_failed(struct loop *l, const struct report *r)
{
	/* an error shows in the job's stderr: once, not at every interval */
	job_log(l->job, l->failures++ ? 1 : 0, "no checkpoint: %s", r->text);
	clients_reply(l, r);
	/* The job is being ended and there is no newer checkpoint: the program gets what Slurm meant for it. */
	if (l->mode == DUMP_TERM)
		term_pass(l, true);
}

static void report_dump(struct loop *l, const struct report *r)
{
	switch (r->type) {
	case REPORT_FROZEN:
		l->frozen_ns = cr_time_clock_ns(CLOCK_MONOTONIC);
		break;
	case REPORT_THAWED:
		l->drained = true;
		break;
	case REPORT_COMMITTED:
		l->failures = 0;
		l->committed = r->generation;
		l->job->saved_ns = l->frozen_ns;
		l->holding = l->mode != DUMP_RUNNING;
		job_log(l->job, 1, "generation %u committed (%s), frozen %lld ms, %llu bytes", r->generation,
			r->text, (long long)r->value, (unsigned long long)r->extra);
		clients_reply(l, r);
		break;
	case REPORT_FAILED:
		dump_failed(l, r);
		break;
	case REPORT_PASS:
	case REPORT_CANCELLED:
		term_pass(l, r->type == REPORT_CANCELLED);
		break;
	case REPORT_FINISHED:
		job_over(l, SIGTERM);
		break;
	case REPORT_RESUMED:
		l->holding = false;
		if (l->root_gone)
			job_over(l, l->root_status);
		if (l->mode == DUMP_TERM)
			term_pass(l, true);
		job_log(l->job, 1, "nobody ended the job after generation %u: it goes on", r->generation);
		break;
	default:
		job_log(l->job, 0, "the worker sent a report of type %u", r->type);
	}
}

static void worker_gone(struct loop *l)
{
	struct report r = {.type = REPORT_FAILED};

	close(l->worker.fd);
	l->worker.pid = 0;
	l->drained = false;
	/* it ended before it could say what Slurm wants */
	if (l->term == TERM_ASKED && !l->holding && !l->over)
		term_pass(l, true);
	snprintf(r.text, sizeof(r.text), "the process that was making the checkpoint ended without a word");
	clients_reply(l, &r);
	if (l->holding && !l->over) {
		/* it was killed with the tree frozen: criu may have killed the tree or not; reaping tells */
		l->holding = false;
		if (l->root_gone || kill(l->job->root, 0) < 0)
			job_over(l, l->root_gone ? l->root_status : SIGTERM);
	}
}

/* Returns 0 as long as the worker may have more to say. */
static int worker_read(struct loop *l, struct report *r)
{
	ssize_t n = recv(l->worker.fd, r, sizeof(*r), MSG_DONTWAIT);

	if (n == (ssize_t)sizeof(*r)) {
		r->text[sizeof(r->text) - 1] = '\0';
		return 1;
	}
	return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static void worker_serve(struct loop *l)
{
	struct report r;
	int rc;

	while ((rc = worker_read(l, &r)) == 1)
		report_dump(l, &r);
	if (rc < 0)
		worker_gone(l);
}

static void clients_take(struct loop *l, enum control_verb verb)
{
	/* who has not said yet what he wants is not served by what begins now */
	for (int i = 0; verb != CONTROL_NONE && i < CONTROL_CLIENTS; i++) {
		struct control_client *c = &l->control.clients[i];

		if (c->fd >= 0 && c->verb == verb)
			c->taken = true;
	}
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

static void dump_begin(struct loop *l, enum dump_mode mode, const char *reason, enum control_verb verb)
{
	struct report failed = {.type = REPORT_FAILED};
	struct cr_error err;

	clients_take(l, verb);
	l->mode = mode;
	l->drained = l->holding = false;
	if (worker_start_dump(&l->worker, l->job, mode, reason, &err) == 0)
		return;
	snprintf(failed.text, sizeof(failed.text), "%s", err.text);
	dump_failed(l, &failed);
}

/* One worker at a time; the most urgent wish first. */
static void worker_schedule(struct loop *l)
{
	bool create = clients_want(l, CONTROL_CREATE), vacate = clients_want(l, CONTROL_VACATE);

	if (l->over)
		return;
	if (l->worker.pid) {
		/* what it still writes is older than what the last checkpoint will hold */
		if (l->term == TERM_WANTED && l->mode == DUMP_RUNNING && l->drained) {
			kill(l->worker.pid, SIGKILL);
			worker_gone(l);
		} else
			return;
	}
	if (l->term == TERM_WANTED) {
		l->term = TERM_ASKED;
		dump_begin(l, DUMP_TERM, "term", CONTROL_NONE);
	} else if (vacate) {
		dump_begin(l, DUMP_VACATE, "vacate", CONTROL_VACATE);
	} else if (create) {
		dump_begin(l, DUMP_RUNNING, "user", CONTROL_CREATE);
	} else if (l->due) {
		l->due = false;
		dump_begin(l, DUMP_RUNNING, "interval", CONTROL_NONE);
	}
}

/* ---- the loop ---- */

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
	struct pollfd fds[4 + CONTROL_CLIENTS + 1] = {
		{.fd = l->signals, .events = POLLIN},
		{.fd = l->job->wire, .events = POLLIN},
		{.fd = l->timer, .events = POLLIN},
		{.fd = l->worker.pid ? l->worker.fd : -1, .events = POLLIN},
	};
	int n = control_poll(&l->control, fds + 4);
	uint64_t ticks;

	/* bounded: a child that ended in between two looks is seen at the next */
	if (poll(fds, (nfds_t)(4 + n), 1000) < 0 && errno != EINTR)
		job_log(l->job, 0, "poll: %s", strerror(errno));
	signals_read(l);
	/* before the reaping: a report explains the death that follows it */
	if (l->worker.pid)
		worker_serve(l);
	children_reap(l);
	if (fds[1].revents)
		wire_read(l);
	if (read(l->timer, &ticks, sizeof(ticks)) == (ssize_t)sizeof(ticks))
		l->due = true;
	control_serve(&l->control, fds + 4, n);
	worker_schedule(l);
}

/* Wait until a child has ended, but not for ever: storage that hangs keeps who uses it. Returns whether it has. */
static bool child_wait(pid_t pid)
{
	static const struct timespec pause = {.tv_nsec = 20 * 1000000L};

	for (int i = 0; i < TIDY_PATIENCE_S * 50; i++) {
		pid_t gone = waitpid(pid, NULL, WNOHANG);

		if (gone == pid || (gone < 0 && errno != EINTR))
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

/* A checkpoint that is being written has no reader any more. */
static void worker_stop(struct loop *l)
{
	if (!l->worker.pid)
		return;
	kill(l->worker.pid, SIGKILL);
	if (!child_wait(l->worker.pid))
		job_log(l->job, 1,
			"the process that was making a checkpoint hangs: storage did not answer in time");
}

/* What the job leaves in the store, as the site wants it. */
static void store_leave(const struct loop *l)
{
	struct cr_error err;

	if (job_fence(l->job, &err) < 0)
		job_log(l->job, 1, "%s", err.text);
	else if ((l->unwanted ? cr_store_clear(&l->job->store, &err) : cr_store_sweep(&l->job->store, &err)) < 0)
		job_log(l->job, 0, "removing what is not needed any more: %s", err.text);
	else if (l->unwanted)
		job_log(l->job, 1, "its checkpoints are removed");
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
	if (pid > 0 && child_wait(pid))
		return;
	if (pid > 0)
		kill(pid, SIGKILL);
	job_log(l->job, 1, "checkpoints are left behind: %s",
		pid < 0 ? "no process to remove them" : "storage did not answer in time");
}

static int loop_until_over(struct loop *l)
{
	while (!l->over)
		loop_once(l);
	worker_stop(l);
	store_tidy(l);
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
		rc = worker_read(l, r);
		if (rc != 0)
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
