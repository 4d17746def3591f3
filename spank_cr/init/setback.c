/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "setback.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "caps.h"
#include "line.h"
#include "requeue.h"

#define JOURNAL_MS 10000
#define PAUSE_MS   20
#define COMMENT	   "spank_cr:"

static int run_line(const struct cr_journal_event *event, void *arg)
{
	uint32_t *run = arg;

	*run = event->run;
	return 0;
}

/* False: it is not known to be written. */
static bool journal_write(struct job *job, const char *event)
{
	struct cr_error err;
	pid_t pid = fork();

	if (pid == 0) {
		/* T reads until the pipe is closed, and this may outlive us in storage that hangs */
		close(STDOUT_FILENO);
		if (job_open(job, false, &err) < 0 ||
		    cr_journal_each(&job->store, run_line, &job->run, &err) < 0 ||
		    job_journal_append(job, event, job->generation, NULL, job->why, -1, &err) < 0)
			_exit(1);
		_exit(0);
	}
	for (int ms = 0; pid > 0 && ms < JOURNAL_MS; ms += PAUSE_MS) {
		int status;

		if (waitpid(pid, &status, WNOHANG) == pid)
			return status == 0;
		poll(NULL, 0, PAUSE_MS);
	}
	if (pid > 0)
		kill(pid, SIGKILL);
	return false;
}

/* What the user finds in squeue. A comment of his own stays. */
static void comment_set(const struct job *job, const struct requeue_facts *facts)
{
	char what[640], when[64];
	struct cr_error err;

	if (*facts->comment && strncmp(facts->comment, COMMENT, strlen(COMMENT)) != 0)
		return;
	/* it stays when the job goes on again: so it has a date */
	cr_time_format(cr_time_now_ns(), when, sizeof(when));
	snprintf(what, sizeof(what), "Comment=" COMMENT " held at %s: %.500s", when, job->why);
	if (requeue_update(facts, what, NULL, &err) < 0)
		cr_line_say(stdout, "note job %u: no comment: %s", job->id, err.text);
}

static int job_hold(struct job *job, struct cr_error *err)
{
	struct requeue_facts facts = {0};

	if (requeue_ask(job, requeue_may, &facts, err) < 0)
		return -1;
	/* first, so that whoever releases it begins anew; storage that is away now is no reason not to hold it */
	if (!journal_write(job, "held"))
		cr_line_say(stdout, "note job %u: its journal cannot be written", job->id);
	if (requeue_pending(job, "requeuehold", requeue_may, &facts, err) < 0)
		return -1;
	comment_set(job, &facts);
	return 0;
}

/* One wait for each death and no other: without the line there is none. */
static int job_delay(struct job *job, struct cr_error *err)
{
	struct requeue_facts facts = {0};
	struct cr_error late;
	char start[64];

	if (requeue_ask(job, requeue_may, &facts, err) < 0)
		return -1;
	if (!journal_write(job, "delayed"))
		return cr_error_set(err, EIO, "the journal cannot be written");
	if (requeue_pending(job, "requeue", requeue_may, &facts, err) < 0)
		return -1;
	snprintf(start, sizeof(start), "StartTime=now+%" PRId64, job->wait);
	if (requeue_update(&facts, start, NULL, &late) < 0)
		cr_line_say(stdout, "note job %u: slurmctld sets no StartTime: %s", job->id, late.text);
	return 0;
}

int setback_main(struct job *job)
{
	struct cr_error err;
	int rc;

	if (cr_caps_shield(&err) < 0) {
		rc = -1;
	} else if (strcmp(job->setback, "hold") == 0) {
		rc = job_hold(job, &err);
	} else if (strcmp(job->setback, "delay") == 0) {
		rc = job_delay(job, &err);
	} else {
		(void)journal_write(job, "gave-up");
		rc = cr_error_set(&err, ECANCELED, "it is to fail");
	}
	if (rc < 0)
		cr_line_say(stdout, "refused %s", err.text);
	else
		cr_line_say(stdout, "requeued");
	return 0;
}
