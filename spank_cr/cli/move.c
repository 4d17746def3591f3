/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* move.c - vacate --to NODE: a job that goes on on a node of the caller's choice */

#include "move.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "drain.h"
#include "proc.h"
#include "request.h"

enum { UPDATE_MS = 20000, PAUSE_MS = 500, NAME_MAX_LENGTH = 63 };

#define FORMAT "%R|%T|%c|%f"

int move_check_name(const char *node, struct cr_error *err)
{
	size_t length = strlen(node);

	for (const char *p = node; *p; p++)
		if (!isalnum((unsigned char)*p) && (!strchr("-_.", *p) || p == node))
			length = 0;
	if (!length || length > NAME_MAX_LENGTH)
		return cr_error_set(err, EINVAL, "--to=%.80s: the name of one node", node);
	return 0;
}

/* ---- will it do? ---- */

/* Is name among the elements of list? */
static bool is_among(const char *list, const char *name, size_t length)
{
	for (const char *p = list; *p; p += strcspn(p, ","), p += *p == ',')
		if (strcspn(p, ",") == length && !strncmp(p, name, length))
			return true;
	return false;
}

/* NULL, or the first that is missing. What is more than names joined by & is for Slurm to judge. */
static const char *feature_missing(const char *wanted, const char *there, size_t *length)
{
	if (strpbrk(wanted, "|[](){}*!"))
		return NULL;
	for (const char *p = wanted; *p; p += *length, p += *p == '&' || *p == ',') {
		*length = strcspn(p, "&,");
		if (!is_among(there, p, *length))
			return p;
	}
	return NULL;
}

struct place {
	char *partition, *state, *cpus, *features;
};

static int parse_place(char *line, struct place *place)
{
	char **const fields[] = {&place->partition, &place->state, &place->cpus, &place->features};

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		if (!(*fields[i] = strsep(&line, "|")))
			return -1;
	return 0;
}

static int judge_place(const struct place *place, const char *node, const struct job *job, struct cr_error *err)
{
	const char *missing;
	size_t length;

	if (!drain_takes_jobs(place->state))
		return cr_error_set(err, EHOSTDOWN, "node %s takes no jobs: it is %s", node, place->state);
	if (job && strtoul(place->cpus, NULL, 10) < job->cpus)
		return cr_error_set(err, ENOTSUP, "node %s has %s processors, and the job needs %u", node,
				    place->cpus, job->cpus);
	missing = job ? feature_missing(job->features, place->features, &length) : NULL;
	if (missing)
		return cr_error_set(err, ENOTSUP, "node %s has no feature %.*s", node, (int)length, missing);
	return 0;
}

/* A line for each partition that the node is in. */
int move_judge(char *lines, const char *node, const struct job *job, struct cr_error *err)
{
	bool is_there = false;
	char *next = NULL;

	for (char *line = strtok_r(lines, "\n", &next); line; line = strtok_r(NULL, "\n", &next)) {
		struct place place;

		if (parse_place(line, &place) < 0)
			return cr_error_set(err, EPROTO, "sinfo's answer is not understood");
		is_there = true;
		if (!job || is_among(job->partitions, place.partition, strlen(place.partition)))
			return judge_place(&place, node, job, err);
	}
	if (!is_there)
		return cr_error_set(err, ENOENT, "Slurm knows no node %s, or has it in no partition", node);
	return cr_error_set(err, ENOTSUP, "node %s is not in partition %.200s", node, job ? job->partitions : "");
}

static int judge(const char *node, const struct job *job, int64_t deadline, struct cr_error *err)
{
	const char *const argv[] = {CR_SLURM_BINDIR "/sinfo", "--all", "--noheader", "--Node", "--nodes", node,
				    "--format=" FORMAT,	      NULL};
	cleanup_output struct proc_output output = {0};

	if (proc_run(argv, deadline, &output, err) < 0)
		return -1;
	if (output.status)
		return cr_error_set(err, EIO, "sinfo: %s", proc_complaint(&output));
	return move_judge(output.text[0], node, job, err);
}

int move_check_node(const char *node, int64_t deadline, struct cr_error *err)
{
	return judge(node, NULL, deadline, err) < 0 ? cr_error_prefix(err, "--to") : 0;
}

/* A list with ranges is spelled out by Slurm. */
static int is_excluded(const char *list, const char *node, int64_t deadline, bool *excluded, struct cr_error *err)
{
	const char *const argv[] = {CR_SLURM_BINDIR "/scontrol", "show", "hostnames", list, NULL};
	cleanup_output struct proc_output output = {0};
	char *next = NULL;

	*excluded = false;
	if (!*list)
		return 0;
	if (proc_run(argv, deadline, &output, err) < 0)
		return -1;
	for (char *p = strtok_r(output.text[0], "\n", &next); p; p = strtok_r(NULL, "\n", &next))
		*excluded = *excluded || !strcmp(p, node);
	return 0;
}

static int check_job(const struct cli *cli, const struct job *job, struct cr_error *err)
{
	bool excluded;

	if (!strcmp(job->batch_host, cli->to))
		return cr_error_set(err, EALREADY, "it is on %s already", cli->to);
	if (judge(cli->to, job, cli->deadline, err) < 0 ||
	    is_excluded(job->excluded, cli->to, cli->deadline, &excluded, err) < 0)
		return -1;
	if (excluded)
		return cr_error_set(err, ENOTSUP, "it excludes node %s (--exclude=%.200s)", cli->to,
				    job->excluded);
	return 0;
}

/* ---- there ---- */

/* slurmctld takes it as soon as the job is requeued, and starts it some time later: its credential must expire. */
static int bind(const struct job *job, const char *node, struct cr_error *err)
{
	int64_t deadline = clock_ms() + UPDATE_MS;
	char setting[NAME_MAX_LENGTH + 16];

	snprintf(setting, sizeof(setting), "ReqNodeList=%s", node);
	while (job_update(job, setting, deadline, err) < 0) {
		if (clock_ms() + PAUSE_MS > deadline)
			return -1;
		poll(NULL, 0, PAUSE_MS);
	}
	return 0;
}

int move_job(const struct cli *cli, const struct job *job, json_t **reply, struct cr_error *err)
{
	char ask[NAME_MAX_LENGTH + sizeof(job->nodes) + 16];

	if (check_job(cli, job, err) < 0)
		return cr_error_prefix(err, "job %s stays where it is", cli->target.name);
	snprintf(ask, sizeof(ask), "vacate %s%s%s", cli->to, *job->nodes ? " " : "", job->nodes);
	if (request_requeue(cli, job, ask, false, reply, err) < 0)
		return -1;
	if (json_is_true(json_object_get(*reply, "again")))
		return cr_error_set(
			err, ESTALE,
			"job %s: checkpoint committed, and requeued by another command or by Slurm: it may "
			"start on any node",
			cli->target.name);
	if (bind(job, cli->to, err) < 0)
		return cr_error_prefix(err, "job %s: checkpoint committed, requeued, but it may start on any node",
				       cli->target.name);
	if (json_object_set_new(*reply, "to", json_string(cli->to)) < 0)
		return cr_error_sys(err, ENOMEM, "answer");
	return 0;
}
