/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "requeue.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "slurm.h"
#include "spawn.h"

#define SCONTROL    CR_SLURM_BINDIR "/scontrol"
#define SINFO	    CR_SLURM_BINDIR "/sinfo"
#define ANSWER_MS   15000
#define QUESTION_MS 120000 /* for a slurmctld that is busy or starts anew: nothing runs yet that would wait */
#define EXCLUDE_MS  20000  /* less than Slurm's KillWait, 30 s by default */
#define PAUSE_MS    500
#define ANSWER_SIZE 65536

static int ask(const char *const *argv, char *text, struct cr_error *err)
{
	return spawn_capture(argv, spawn_environment(), -1, -1, ANSWER_MS, text, ANSWER_SIZE, err);
}

/* ---- may it? ---- */

/* For an array, scontrol shows more than one job. The line, cut out of text; NULL when there is none. */
static const char *line_of(const char *text, uint32_t id, char *buf, size_t size)
{
	char start[32];
	int n = snprintf(start, sizeof(start), "JobId=%u ", id);

	for (const char *at = text; *at; at += strcspn(at, "\n"), at += *at == '\n') {
		if (strncmp(at, start, (size_t)n) != 0)
			continue;
		snprintf(buf, size, "%.*s", (int)strcspn(at, "\n"), at);
		return buf;
	}
	return NULL;
}

static bool is_none(const char *value)
{
	return !*value || strcmp(value, "(null)") == 0;
}

/* The number of an array is all of it to scontrol, even where it is one element's own. */
static void name_read(const char *line, uint32_t id, char *name, size_t size)
{
	char array[20], task[20];

	slurm_value(line, "ArrayJobId", array, sizeof(array));
	slurm_value(line, "ArrayTaskId", task, sizeof(task));
	if (*array && *task && strspn(task, "0123456789") == strlen(task))
		snprintf(name, size, "%s_%s", array, task);
	else
		snprintf(name, size, "%u", id);
}

int requeue_read(const char *text, uint32_t id, struct requeue_facts *facts, struct cr_error *err)
{
	static char line[ANSWER_SIZE];
	char value[256];

	memset(facts, 0, sizeof(*facts));
	if (!line_of(text, id, line, sizeof(line)))
		return cr_error_set(err, EPROTO, "scontrol shows no job %u", id);
	facts->restarts = (uint32_t)strtoul(slurm_value(line, "Restarts", value, sizeof(value)), NULL, 10);
	slurm_value(line, "JobState", value, sizeof(value));
	if (strcmp(value, "RUNNING") != 0 && strcmp(value, "CONFIGURING") != 0)
		return cr_error_set(err, ENOTSUP, "it is %s", value);
	if (strcmp(slurm_value(line, "Requeue", value, sizeof(value)), "1") != 0)
		return cr_error_set(err, ENOTSUP, "it may not be (--no-requeue)");
	if (!is_none(slurm_value(line, "HetJobId", value, sizeof(value))))
		return cr_error_set(err, ENOTSUP, "it is one component of a heterogeneous job");
	/* on one node: this one */
	if (!is_none(slurm_value(line, "ReqNodeList", value, sizeof(value))))
		return cr_error_set(err, ENOTSUP, "it wants this node (--nodelist=%.100s)", value);
	slurm_value(line, "ExcNodeList", facts->excluded, sizeof(facts->excluded));
	if (strlen(facts->excluded) == sizeof(facts->excluded) - 1)
		return cr_error_set(err, ENOTSUP, "it excludes more nodes than can be handled");
	if (is_none(facts->excluded))
		facts->excluded[0] = '\0';
	slurm_value(line, "Partition", facts->partition, sizeof(facts->partition));
	name_read(line, id, facts->name, sizeof(facts->name));
	return 0;
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

static bool line_among(const char *lines, const char *name, size_t length)
{
	for (const char *at = lines; *at; at += strcspn(at, "\n"), at += *at == '\n')
		if (strcspn(at, "\n") == length && memcmp(at, name, length) == 0)
			return true;
	return false;
}

bool requeue_elsewhere(const char *nodes, const char *gone)
{
	for (const char *at = nodes; *at; at += strcspn(at, "\n"), at += *at == '\n') {
		size_t n = strcspn(at, " \n");

		if (n > 0 && !line_among(gone, at, n))
			return true;
	}
	return false;
}

/* Slurm holds a job that excludes every node there is, for good. */
static int elsewhere_check(const struct requeue_facts *facts, const char *list, struct cr_error *err)
{
	static char nodes[ANSWER_SIZE], gone[ANSWER_SIZE];
	const char *const partition[] = {SINFO, "-a", "-h", "-N", "-o", "%N", "-p", facts->partition, NULL};
	const char *const names[] = {SCONTROL, "show", "hostnames", list, NULL};

	if (ask(partition, nodes, err) < 0 || ask(names, gone, err) < 0)
		return -1;
	if (!requeue_elsewhere(nodes, gone))
		return cr_error_set(err, ENOTSUP, "no other node is left in partition %s", facts->partition);
	return 0;
}

/* ---- it may ---- */

static int event_append(const struct job *job, const char *event, const char *text, struct cr_error *err)
{
	return job_journal_append(job, event, job->generation, "unfit", text, -1, err);
}

/* As often as it takes, for so long. */
static int ask_until(const char *const *argv, int patience_ms, char *text, struct cr_error *err)
{
	int64_t end = cr_time_clock_ns(CLOCK_MONOTONIC) + patience_ms * INT64_C(1000000);

	while (ask(argv, text, err) < 0) {
		if (cr_time_clock_ns(CLOCK_MONOTONIC) > end)
			return -1;
		poll(NULL, 0, PAUSE_MS);
	}
	return 0;
}

static int facts_ask(const struct job *job, struct requeue_facts *facts, struct cr_error *err)
{
	static char answer[ANSWER_SIZE];
	char id[16];
	const char *const argv[] = {SCONTROL, "--oneliner", "show", "job", id, NULL};

	snprintf(id, sizeof(id), "%u", job->id);
	if (ask_until(argv, QUESTION_MS, answer, err) < 0)
		return -1;
	return requeue_read(answer, job->id, facts, err);
}

/* From the moment on in which the job is pending. */
static int node_exclude(const struct requeue_facts *facts, const char *list, struct cr_error *err)
{
	static char answer[ANSWER_SIZE];
	char id[80], exclude[sizeof(facts->excluded) + 512];
	const char *const argv[] = {SCONTROL, "update", id, exclude, NULL};

	snprintf(id, sizeof(id), "JobId=%s", facts->name);
	snprintf(exclude, sizeof(exclude), "ExcNodeList=%s", list);
	return ask_until(argv, EXCLUDE_MS, answer, err);
}

/* slurmctld may have done it without an answer in time, or somebody else has. */
static int pending_make(const struct job *job, const struct requeue_facts *facts, struct cr_error *err)
{
	static char answer[ANSWER_SIZE];
	const char *const argv[] = {SCONTROL, "requeue", facts->name, NULL};
	struct requeue_facts now = {0};

	if (ask(argv, answer, err) == 0)
		return 0;
	(void)facts_ask(job, &now, NULL);
	return now.restarts > job->restart ? 0 : -1;
}

static int job_requeue(const struct job *job, struct cr_error *err)
{
	char list[sizeof(((struct requeue_facts *)0)->excluded) + 300];
	struct requeue_facts facts = {0};
	struct cr_error late;

	if (requeue_past(job, err) < 0 || facts_ask(job, &facts, err) < 0)
		return -1;
	snprintf(list, sizeof(list), "%s%s%.256s", facts.excluded, *facts.excluded ? "," : "", job->node);
	/* written down first: what has been done is not done a second time, whatever comes in between */
	if (elsewhere_check(&facts, list, err) < 0 || event_append(job, "requeue", NULL, err) < 0)
		return -1;
	if (pending_make(job, &facts, err) < 0) {
		(void)event_append(job, "requeue-failed", err->text, &late);
		return -1;
	}
	/* Slurm ends this start now, in any case */
	if (node_exclude(&facts, list, &late) < 0) {
		printf("note job %u: slurmctld does not exclude %s: %s\n", job->id, job->node, late.text);
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

	cr_store_path(&job->store, job->generation, dir);
	rc = cr_manifest_read(&m, dir, err);
	job->run = m.run;
	cr_manifest_clear(&m);
	return rc;
}

int requeue_main(struct job *job)
{
	struct cr_error err;

	if (job_open(job, false, &err) < 0 || run_read(job, &err) < 0 || job_requeue(job, &err) < 0)
		printf("refused %s\n", err.text);
	else
		printf("requeued\n");
	return 0;
}
