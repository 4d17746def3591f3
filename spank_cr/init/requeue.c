/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "requeue.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "caps.h"
#include "line.h"
#include "slurm.h"
#include "spawn.h"

#define SCONTROL    CR_SLURM_BINDIR "/scontrol"
#define SINFO	    CR_SLURM_BINDIR "/sinfo"
#define ANSWER_MS   15000
#define REFUSAL_MS  120000  /* how long a refusal is not taken for the last word */
#define TELL_MS	    60000   /* of silence, before the user hears of it */
#define SILENCE_MS  3600000 /* how long no answer is waited for */
#define REQUESTS    3	    /* to requeue, without an answer */
#define EXCLUDE_MS  20000   /* less than Slurm's KillWait, 30 s by default */
#define PAUSE_MS    500
#define ANSWER_SIZE 65536

static int ask(const char *const *argv, char *text, struct cr_error *err)
{
	return spawn_capture(argv, spawn_environment(), -1, -1, ANSWER_MS, text, ANSWER_SIZE, err);
}

/* ---- may it? ---- */

static bool is_none(const char *value)
{
	return !*value || strcmp(value, "(null)") == 0;
}

int requeue_may(const char *text, uint32_t id, struct requeue_facts *facts, struct cr_error *err)
{
	static char line[ANSWER_SIZE];
	char value[256];

	memset(facts, 0, sizeof(*facts));
	if (!slurm_line(text, id, line, sizeof(line)))
		return cr_error_set(err, EPROTO, "scontrol shows no job %u", id);
	facts->restarts = (uint32_t)strtoul(slurm_value(line, "Restarts", value, sizeof(value)), NULL, 10);
	slurm_value(line, "JobState", value, sizeof(value));
	if (strcmp(value, "RUNNING") != 0 && strcmp(value, "CONFIGURING") != 0)
		return cr_error_set(err, ENOTSUP, "it is %s", value);
	if (strcmp(slurm_value(line, "Requeue", value, sizeof(value)), "1") != 0)
		return cr_error_set(err, ENOTSUP, "it may not be (--no-requeue)");
	if (!is_none(slurm_value(line, "HetJobId", value, sizeof(value))))
		return cr_error_set(err, ENOTSUP, "it is one component of a heterogeneous job");
	slurm_value(line, "Comment", facts->comment, sizeof(facts->comment));
	slurm_name(line, id, facts->name, sizeof(facts->name));
	return 0;
}

int requeue_read(const char *text, uint32_t id, struct requeue_facts *facts, struct cr_error *err)
{
	static char line[ANSWER_SIZE];

	if (requeue_may(text, id, facts, err) < 0 || !slurm_line(text, id, line, sizeof(line)))
		return -1;
	if (is_none(slurm_value(line, "ReqNodeList", facts->wanted, sizeof(facts->wanted))))
		facts->wanted[0] = '\0';
	slurm_value(line, "ExcNodeList", facts->excluded, sizeof(facts->excluded));
	if (strlen(facts->excluded) == sizeof(facts->excluded) - 1)
		return cr_error_set(err, ENOTSUP, "it excludes more nodes than can be handled");
	if (is_none(facts->excluded))
		facts->excluded[0] = '\0';
	return elsewhere_read(&facts->wish, line, err);
}

int requeue_wanted(const struct requeue_facts *facts, const struct moved *moved, struct cr_error *err)
{
	if (!*facts->wanted || (*moved->to && strcmp(facts->wanted, moved->to) == 0))
		return 0;
	return cr_error_set(err, ENOTSUP, "it wants this node (--nodelist=%.100s)", facts->wanted);
}

struct past {
	const char *node;
	bool here;
	int row;
};

static int past_line(const struct cr_journal_event *event, void *arg)
{
	struct past *past = arg;

	if (strcmp(event->event, "fresh") == 0 || strcmp(event->event, "restored") == 0)
		past->row = 0;
	if (strcmp(event->event, "requeue") == 0) {
		past->row++;
		past->here = past->here || strcmp(event->node, past->node) == 0;
	}
	return 0;
}

int requeue_past(const struct job *job, struct cr_error *err)
{
	struct past past = {.node = job->node};

	if (cr_journal_each(&job->store, past_line, &past, err) < 0)
		return -1;
	if (past.here)
		return cr_error_set(err, ENOTSUP, "it was requeued for this node before, and came back");
	if (past.row >= REQUEUE_MOST)
		return cr_error_set(err, ENOTSUP, "it was requeued %d times in a row", past.row);
	return 0;
}

/* ---- asking ---- */

bool requeue_unanswered(const struct cr_error *err)
{
	/* what Slurm's commands say when slurmctld did not */
	static const char *const words[] = {"Unable to contact slurm controller", "timed out", "standby mode",
					    "Zero Bytes were transmitted", "Connection refused"};

	if (err->errnum == ETIMEDOUT)
		return true;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strstr(err->text, words[i]))
			return true;
	return false;
}

/* A refusal is asked for again for a while, as slurmctld may be starting; silence much longer, for work that was
 * done is worth more than the wait, and nothing runs meanwhile that would miss it. T ends it when Slurm ends the
 * job. */
static int ask_patiently(const struct job *job, const char *const *argv, char *text, struct cr_error *err)
{
	int64_t from = cr_time_clock_ns(CLOCK_MONOTONIC);
	bool told = false;

	while (ask(argv, text, err) < 0) {
		int64_t ms = (cr_time_clock_ns(CLOCK_MONOTONIC) - from) / 1000000;
		bool silent = requeue_unanswered(err);

		if (ms > (silent ? SILENCE_MS : REFUSAL_MS))
			return -1;
		if (silent && !told && ms > TELL_MS) {
			cr_line_say(stdout,
				    "note job %u: slurmctld does not answer, and this node cannot go on with the "
				    "job: it waits, for up to %d minutes",
				    job->id, SILENCE_MS / 60000);
			told = true;
		}
		poll(NULL, 0, PAUSE_MS);
	}
	return 0;
}

static int elsewhere_check(const struct job *job, const struct requeue_facts *facts, const char *list,
			   struct cr_error *err)
{
	static char nodes[ANSWER_SIZE], gone[ANSWER_SIZE];
	/* all of them: together with -p, -a is refused, and without it hidden partitions are not shown */
	const char *const all[] = {SINFO, "-a", "-h", "-N", "-o", ELSEWHERE_FORMAT, NULL};
	const char *const names[] = {SCONTROL, "show", "hostnames", list, NULL};

	if (ask_patiently(job, all, nodes, err) < 0 || ask_patiently(job, names, gone, err) < 0)
		return -1;
	if (!elsewhere_is(&facts->wish, nodes, gone))
		return cr_error_set(err, ENOTSUP,
				    "no other node is left in partition %s that is up and has what it asks for",
				    facts->wish.partitions);
	return 0;
}

/* ---- it may ---- */

static int event_append(const struct job *job, const char *event, const char *text, struct cr_error *err)
{
	return job_journal_append(job, event, job->generation, "unfit", text, -1, err);
}

int requeue_ask(const struct job *job, requeue_reader reader, struct requeue_facts *facts, struct cr_error *err)
{
	static char answer[ANSWER_SIZE];
	char id[16];
	const char *const argv[] = {SCONTROL, "--oneliner", "show", "job", id, NULL};

	snprintf(id, sizeof(id), "%u", job->id);
	if (ask_patiently(job, argv, answer, err) < 0)
		return -1;
	return reader(answer, job->id, facts, err);
}

/* From the moment on in which the job is pending. */
int requeue_update(const struct requeue_facts *facts, const char *what, const char *more, struct cr_error *err)
{
	int64_t end = cr_time_clock_ns(CLOCK_MONOTONIC) + EXCLUDE_MS * INT64_C(1000000);
	static char answer[ANSWER_SIZE];
	char id[80];
	const char *const argv[] = {SCONTROL, "update", id, what, more, NULL};

	snprintf(id, sizeof(id), "JobId=%s", facts->name);
	while (ask(argv, answer, err) < 0) {
		if (cr_time_clock_ns(CLOCK_MONOTONIC) > end)
			return -1;
		poll(NULL, 0, PAUSE_MS);
	}
	return 0;
}

/* Directly before each request, and after the last, a look: the job may have been cancelled meanwhile, and Slurm
 * would requeue it even so; or slurmctld has done it without an answer in time; or somebody else has. "asking"
 * tells T that SIGTERM may be ours from here on. */
int requeue_pending(const struct job *job, const char *verb, requeue_reader reader,
		    const struct requeue_facts *facts, struct cr_error *err)
{
	static char answer[ANSWER_SIZE];
	const char *const argv[] = {SCONTROL, verb, facts->name, NULL};
	int left = REQUESTS;

	for (;;) {
		struct requeue_facts now = {0};
		struct cr_error state;
		int rc = requeue_ask(job, reader, &now, &state);

		if (now.restarts > job->restart)
			return 0;
		if (rc == 0 && left == 0)
			return -1; /* err is of the last request */
		if (rc < 0) {
			*err = state;
			return -1;
		}
		if (left == REQUESTS)
			cr_line_say(stdout, "asking");
		if (ask(argv, answer, err) == 0)
			return 0;
		left = requeue_unanswered(err) ? left - 1 : 0;
	}
}

static int job_requeue(const struct job *job, struct cr_error *err)
{
	char list[sizeof(((struct requeue_facts *)0)->excluded) + 300], exclude[sizeof(list) + 16],
		wanted[sizeof(((struct moved *)0)->was) + 16];
	struct requeue_facts facts = {0};
	struct moved moved;
	struct cr_error late;

	if (requeue_past(job, err) < 0 || requeue_ask(job, requeue_read, &facts, err) < 0 ||
	    moved_read(job, &moved, err) < 0 || requeue_wanted(&facts, &moved, err) < 0)
		return -1;
	snprintf(list, sizeof(list), "%s%s%.256s", facts.excluded, *facts.excluded ? "," : "", job->node);
	/* written down first: what has been done is not done a second time, whatever comes in between */
	if (elsewhere_check(job, &facts, list, err) < 0 || event_append(job, "requeue", NULL, err) < 0)
		return -1;
	if (requeue_pending(job, "requeue", requeue_read, &facts, err) < 0) {
		(void)event_append(job, "requeue-failed", err->text, &late);
		return -1;
	}
	/* Slurm ends this start now, in any case */
	snprintf(exclude, sizeof(exclude), "ExcNodeList=%s", list);
	snprintf(wanted, sizeof(wanted), "ReqNodeList=%s", moved.was);
	if (requeue_update(&facts, exclude, *moved.to ? wanted : NULL, &late) == 0) {
		if (*moved.to)
			moved_released(job);
	} else {
		cr_line_say(stdout, "note job %u: slurmctld does not exclude %s: %s", job->id, job->node,
			    late.text);
		(void)event_append(job, "requeue-failed", late.text, err);
	}
	return 0;
}

/* The run that the generation is of, for the journal. */
static int run_read(struct job *job, struct cr_error *err)
{
	struct cr_manifest m = {0};
	char dir[PATH_MAX];
	int rc;

	/* of another job: there is none of this one's yet */
	if (job->from_now) {
		job->generation = 0;
		job->run = 1;
		return 0;
	}
	cr_store_path(&job->store, job->generation, dir);
	rc = cr_manifest_read(&m, dir, err);
	job->run = m.run;
	cr_manifest_clear(&m);
	return rc;
}

int requeue_main(struct job *job)
{
	struct cr_error err;

	if (cr_caps_shield(&err) < 0 || job_open(job, false, &err) < 0 || run_read(job, &err) < 0 ||
	    job_requeue(job, &err) < 0)
		cr_line_say(stdout, "refused %s", err.text);
	else
		cr_line_say(stdout, "requeued");
	return 0;
}
