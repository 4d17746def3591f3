/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "facts.h"
#include "loop_state.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "ask.h"
#include "caps.h"
#include "fs.h"

#define SECOND_NS    INT64_C(1000000000)
#define SCONTROL     CR_SLURM_BINDIR "/scontrol"
#define ANSWER_MS    8000
#define ANSWER_SIZE  65536
#define PATIENCE_S   40 /* when the child does not come back by itself */
#define FIRST_S	     3	/* after the start */
#define SPREAD_MS    7000
#define AGAIN_S	     20 /* after a failure, twice as long after the next, up to */
#define AGAIN_MOST_S 600

/* ---- the child ---- */

/* What never changes while the job runs is asked for once. */
static int terms_ask(const struct job *job, struct facts *f, char *text, struct cr_error *err)
{
	const char *const partition[] = {SCONTROL, "--oneliner", "show", "partition", f->partition, NULL};
	const char *const config[] = {SCONTROL, "show", "config", NULL};

	if (f->kill_wait_s < 0 && (ask_capture(job, config, ANSWER_MS, text, ANSWER_SIZE, err) < 0 ||
				   facts_read_config(f, text, err) < 0))
		return -1;
	/* the site's terms come first: the partition may have others */
	if (f->grace_s < 0 && *f->partition &&
	    (ask_capture(job, partition, ANSWER_MS, text, ANSWER_SIZE, err) < 0 ||
	     facts_read_partition(f, text, err) < 0))
		return -1;
	return 0;
}

/* A refusal shows in the answer that follows. */
static void limit_set(const struct job *job, const struct facts *f, int64_t minutes)
{
	static char text[ANSWER_SIZE];
	char id[80], limit[48];
	const char *const argv[] = {SCONTROL, "update", id, limit, NULL};
	struct cr_error err;

	snprintf(id, sizeof(id), "JobId=%s", f->name);
	snprintf(limit, sizeof(limit), "TimeLimit=%lld", (long long)minutes);
	if (ask_capture(job, argv, ANSWER_MS, text, sizeof(text), &err) < 0)
		job_log(job, 1, "setting the job's time limit to %lld minutes: %s", (long long)minutes, err.text);
	else
		job_log(job, 1, "the job's time limit is set to %lld minutes", (long long)minutes);
}

static int job_ask(const struct job *job, struct facts *f, struct cr_error *err)
{
	static char text[ANSWER_SIZE];
	char id[16];
	const char *const argv[] = {SCONTROL, "--oneliner", "show", "job", id, NULL};
	struct cr_error terms;

	snprintf(id, sizeof(id), "%u", job->id);
	if (ask_capture(job, argv, ANSWER_MS, text, sizeof(text), err) < 0 ||
	    facts_read_job(f, text, job->id, err) < 0)
		return -1;
	f->asked = cr_time_now_ns() / SECOND_NS;
	facts_settle(f, f->asked);
	/* the time limit is what matters most: without the terms it is an answer all the same */
	if (terms_ask(job, f, text, &terms) < 0)
		job_log(job, 1, "slurmctld does not tell its configuration: %s", terms.text);
	return 0;
}

static void child_ask(const struct job *job, const struct facts *known, int64_t limit_min, int fd)
{
	struct facts f = *known;
	struct cr_error err;

	(void)prctl(PR_SET_NAME, "crfacts"); /* for ps and top */
	if (cr_caps_drop(&err) < 0) {
		job_log(job, 0, "asking slurmctld: %s", err.text);
		_exit(1);
	}
	if (limit_min && *f.name)
		limit_set(job, &f, limit_min);
	if (job_ask(job, &f, &err) < 0) {
		job_log(job, 1, "slurmctld does not tell the job's time limit: %s", err.text);
		_exit(1);
	}
	_exit(cr_fs_write_all(fd, &f, sizeof(f), &err) < 0);
}

static int child_start(struct facts_state *s, const struct job *job, struct cr_error *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return cr_error_sys(err, errno, "pipe");
	s->pid = fork();
	if (s->pid == 0)
		child_ask(job, &s->known, s->limit_min, fds[1]);
	close(fds[1]);
	if (s->pid < 0 || fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0) {
		cr_error_sys(err, errno, "asking slurmctld");
		s->pid = 0;
		close(fds[0]);
		return -1;
	}
	s->fd = fds[0];
	s->used = 0;
	s->deadline_ns = cr_time_clock_ns(CLOCK_MONOTONIC) + PATIENCE_S * SECOND_NS;
	return 0;
}

/* Returns 1 when all is there, 0 when more is to come, -1 when it ended without. */
static int child_read(struct facts_state *s)
{
	while (s->used < sizeof(s->answer)) {
		ssize_t n = read(s->fd, (char *)&s->answer + s->used, sizeof(s->answer) - s->used);

		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			if (cr_time_clock_ns(CLOCK_MONOTONIC) < s->deadline_ns)
				return 0;
			kill(s->pid, SIGKILL);
			return -1;
		}
		if (n <= 0)
			return -1;
		s->used += (size_t)n;
	}
	return 1;
}

/* ---- the loop's side ---- */

/* Jobs that started together do not ask together. */
static int64_t spread_ns(const struct job *job)
{
	uint32_t mixed = (job->id * UINT32_C(2654435761)) ^ (job->restart * UINT32_C(40503));

	return (int64_t)((mixed >> 8) % SPREAD_MS) * 1000000;
}

void facts_arm(struct loop *l)
{
	struct facts_state *s = &l->facts;

	facts_init(&s->known);
	facts_read_environment(&s->known, l->job->slurm_env);
	s->due_ns = cr_time_clock_ns(CLOCK_MONOTONIC) + FIRST_S * SECOND_NS + spread_ns(l->job);
}

bool facts_fresh(const struct loop *l, int64_t age_s)
{
	const struct facts_state *s = &l->facts;

	return s->answered_ns && cr_time_clock_ns(CLOCK_MONOTONIC) - s->answered_ns < age_s * SECOND_NS;
}

bool facts_asking(const struct loop *l)
{
	return l->facts.pid || (l->facts.due_ns && l->facts.due_ns <= cr_time_clock_ns(CLOCK_MONOTONIC));
}

void facts_want(struct loop *l, int64_t age_s)
{
	struct facts_state *s = &l->facts;
	int64_t now = cr_time_clock_ns(CLOCK_MONOTONIC);

	/* after a failure there is a time for the next question already */
	if (s->pid || facts_fresh(l, age_s) || (s->failures && s->due_ns))
		return;
	s->due_ns = now;
}

void facts_limit(struct loop *l, int64_t minutes)
{
	l->facts.limit_min = minutes;
	facts_want(l, 0);
}

void facts_yield(struct loop *l)
{
	struct facts_state *s = &l->facts;

	if (!s->pid)
		return;
	/* its scontrol ends by itself, as an orphan; an answer that comes by way of job->ask has a number */
	kill(s->pid, SIGKILL);
	close(s->fd);
	s->pid = 0;
	s->due_ns = cr_time_clock_ns(CLOCK_MONOTONIC);
}

int facts_fd(const struct loop *l)
{
	return l->facts.pid ? l->facts.fd : -1;
}

static void again_set(struct facts_state *s)
{
	int64_t wait_s = AGAIN_S << (s->failures < 5 ? s->failures : 5);

	s->failures++;
	s->due_ns =
		cr_time_clock_ns(CLOCK_MONOTONIC) + (wait_s < AGAIN_MOST_S ? wait_s : AGAIN_MOST_S) * SECOND_NS;
}

static void child_gone(struct facts_state *s, bool complete)
{
	close(s->fd);
	s->pid = 0;
	if (!complete) {
		again_set(s);
		return;
	}
	s->known = s->answer;
	s->limit_min = 0;
	s->answered_ns = cr_time_clock_ns(CLOCK_MONOTONIC);
	s->failures = 0;
}

bool facts_serve(struct loop *l)
{
	struct facts_state *s = &l->facts;
	struct cr_error err;
	int rc = s->pid ? child_read(s) : 0;

	if (rc)
		child_gone(s, rc > 0);
	if (rc > 0)
		job_log(l->job, 2, "slurmctld: %s ends at %lld, limit %lld s, KillWait %lld s, GraceTime %lld s",
			s->known.name, (long long)s->known.end, (long long)s->known.limit_s,
			(long long)s->known.kill_wait_s, (long long)s->known.grace_s);
	if (l->over || s->pid || l->worker.pid || !s->due_ns || cr_time_clock_ns(CLOCK_MONOTONIC) < s->due_ns)
		return rc > 0;
	s->due_ns = 0;
	if (child_start(s, l->job, &err) < 0) {
		job_log(l->job, 1, "%s", err.text);
		again_set(s);
	}
	return rc > 0;
}
