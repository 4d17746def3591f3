/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* job.c - what Slurm says of a job, asked through its own commands */

#include "job.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proc.h"

/* The value behind KEY= within one job's text. A value that a user may choose freely (the job's name, a
 * comment) must not pass for one of ours, so only the keys that begin a line are looked at, and those that
 * follow in the line of another. Slurm prints such values as they are, line breaks too: what is there twice is
 * taken for none, for root believes what is read here. */
static int take_value(const char *text, const char *line, const char *key, char *buf, size_t size)
{
	char start[64];
	const char *p, *end;
	size_t length;

	snprintf(start, sizeof(start), "\n   %s=", line);
	p = strstr(text, start);
	if (!p || strstr(p + 1, start))
		return -1;
	end = p + 1 + strcspn(p + 1, "\n");
	p += 4;
	length = strlen(key);
	while (strncmp(p, key, length) || p[length] != '=') {
		p += strcspn(p, " \n");
		if (p >= end || *p != ' ')
			return -1;
		p++;
	}
	p += length + 1;
	length = strcspn(p, " \n");
	if (length >= size)
		return -1;
	memcpy(buf, p, length);
	buf[length] = '\0';
	return 0;
}

/* "alice(1001)" */
static int take_owner(const char *text, struct job *job)
{
	char owner[128], *open;
	int end = 0;

	if (take_value(text, "UserId", "UserId", owner, sizeof(owner)) < 0)
		return -1;
	open = strrchr(owner, '(');
	if (!open || sscanf(open, "(%u)%n", &job->uid, &end) != 1 || !end || open[end])
		return -1;
	*open = '\0';
	return snprintf(job->user, sizeof(job->user), "%s", owner) < (int)sizeof(job->user) ? 0 : -1;
}

static int take_flag(const char *text, const char *key, bool *flag)
{
	char value[8];

	if (take_value(text, "Requeue", key, value, sizeof(value)) < 0)
		return -1;
	*flag = strcmp(value, "0") != 0; /* BatchFlag counts the starts */
	return 0;
}

/* "JobId=4 ArrayJobId=3 ArrayTaskId=1 JobName=…". The id of an array's last task is the array's as well, so
 * a task must be named as one: `scontrol requeue 3` requeues all of them. */
static int take_name(const char *text, struct job *job)
{
	uint32_t array, task;
	int end = 0;

	if (sscanf(text, "JobId=%u %n", &job->id, &end) != 1 || !end || !job->id)
		return -1;
	snprintf(job->name, sizeof(job->name), "%u", job->id);
	if (sscanf(text + end, "ArrayJobId=%u ArrayTaskId=%u JobName=", &array, &task) == 2)
		snprintf(job->name, sizeof(job->name), "%u_%u", array, task);
	return 0;
}

/* "" for what it has not asked for. */
static int take_wish(const char *text, const char *line, const char *key, char *buf, size_t size)
{
	if (take_value(text, line, key, buf, size) < 0)
		return -1;
	if (!strcmp(buf, "(null)"))
		buf[0] = '\0';
	return 0;
}

static int take_number(const char *text, const char *line, const char *key, uint32_t *number)
{
	char value[16];

	if (take_value(text, line, key, value, sizeof(value)) < 0)
		return -1;
	return sscanf(value, "%" SCNu32, number) == 1 ? 0 : -1;
}

/* What counts when it is to go to another node. */
static int take_wishes(const char *text, struct job *job)
{
	if (take_wish(text, "Partition", "Partition", job->partitions, sizeof(job->partitions)) < 0 ||
	    take_wish(text, "ReqNodeList", "ReqNodeList", job->nodes, sizeof(job->nodes)) < 0 ||
	    take_wish(text, "ReqNodeList", "ExcNodeList", job->excluded, sizeof(job->excluded)) < 0 ||
	    take_wish(text, "Features", "Features", job->features, sizeof(job->features)) < 0)
		return -1;
	return take_number(text, "NumNodes", "NumCPUs", &job->cpus);
}

/* One job as `scontrol show job` prints it. A pending job has no batch host. */
int job_read(const char *text, struct job *job, struct cr_error *err)
{
	*job = (struct job){0};
	if (take_name(text, job) < 0 || take_owner(text, job) < 0 ||
	    take_flag(text, "Requeue", &job->is_requeue) < 0 || take_flag(text, "BatchFlag", &job->is_batch) < 0 ||
	    take_value(text, "JobState", "JobState", job->state, sizeof(job->state)) < 0 ||
	    take_number(text, "Requeue", "Restarts", &job->restarts) < 0 || take_wishes(text, job) < 0)
		return cr_error_set(err, EPROTO,
				    "scontrol's answer is not understood (a line break in the job's name?)");
	if (take_value(text, "BatchHost", "BatchHost", job->batch_host, sizeof(job->batch_host)) < 0)
		job->batch_host[0] = '\0';
	return 0;
}

/* Of a heterogeneous job all components are shown; the batch script is the first one's. */
static bool component_choose(char *text)
{
	char *next = strstr(text, "\n\nJobId=");
	uint32_t id, leader, offset;

	if (sscanf(text, "JobId=%u HetJobId=%u HetJobOffset=%u JobName=", &id, &leader, &offset) != 3 ||
	    offset != 0)
		return false;
	if (next)
		*next = '\0';
	return true;
}

int job_query(const struct target *target, int64_t deadline, struct job *job, struct cr_error *err)
{
	const char *const argv[] = {CR_SLURM_BINDIR "/scontrol", "show", "job", target->name, NULL};
	cleanup_output struct proc_output output = {0};
	bool is_het;

	if (proc_run(argv, deadline, &output, err) < 0)
		return -1;
	if (output.status)
		return cr_error_set(err, ENOENT, "job %s: scontrol: %s", target->name, proc_complaint(&output));
	is_het = component_choose(output.text[0]);
	if (strstr(output.text[0], "\n\nJobId="))
		return cr_error_set(err, EINVAL, "job %s has several tasks: name one of them, as in %u_1",
				    target->name, target->job);
	if (job_read(output.text[0], job, err) < 0)
		return cr_error_prefix(err, "job %s", target->name);
	job->is_het = is_het;
	return 0;
}

int job_resolve(const struct target *target, int64_t deadline, uint32_t *id, struct cr_error *err)
{
	struct job job;

	*id = target->job;
	if (!target->is_task)
		return 0;
	if (job_query(target, deadline, &job, err) < 0)
		return -1;
	*id = job.id;
	return 0;
}

int job_query_running(const struct target *target, int64_t deadline, struct job *job, struct cr_error *err)
{
	if (job_query(target, deadline, job, err) < 0)
		return -1;
	if (job->uid != getuid() && getuid() != 0)
		return cr_error_set(err, EPERM,
				    "job %s belongs to %s, not to you: only root may act for other users",
				    target->name, job->user);
	if (strcmp(job->state, "RUNNING"))
		return cr_error_set(err, ESRCH, "job %s is %s, not RUNNING", target->name, job->state);
	if (!job->is_batch || !job->batch_host[0])
		return cr_error_set(err, ENOTSUP,
				    "job %s has no batch script: only sbatch jobs can be checkpointed",
				    target->name);
	return 0;
}

/* Those in another state, known or not, may still run, or again. */
static bool state_ended(const char *state)
{
	static const char *const ended[] = {"BOOT_FAIL", "CANCELLED",	  "COMPLETED", "DEADLINE", "FAILED",
					    "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "REVOKED",  "TIMEOUT"};

	for (size_t i = 0; i < sizeof(ended) / sizeof(*ended); i++)
		if (!strcmp(state, ended[i]))
			return true;
	return false;
}

int job_alive_parse(char *text, uint32_t **ids, size_t *n, struct cr_error *err)
{
	size_t room = 0;
	char *next = NULL;

	*ids = NULL;
	*n = 0;
	for (char *line = strtok_r(text, "\n", &next); line; line = strtok_r(NULL, "\n", &next)) {
		uint32_t id = 0;
		char state[64];
		int end = 0;

		if (sscanf(line, "%" SCNu32 " %63s %n", &id, state, &end) != 2 || line[end]) {
			free(*ids);
			*ids = NULL;
			return cr_error_set(err, EPROTO, "squeue's answer is not understood");
		}
		if (state_ended(state))
			continue;
		if (*n == room) {
			uint32_t *more = reallocarray(*ids, room = room ? 2 * room : 64, sizeof(**ids));

			if (!more) {
				free(*ids);
				*ids = NULL;
				return cr_error_sys(err, ENOMEM, "jobs");
			}
			*ids = more;
		}
		(*ids)[(*n)++] = id;
	}
	return 0;
}

int job_alive(uid_t uid, int64_t deadline, uint32_t **ids, size_t *n, struct cr_error *err)
{
	char user[32];
	const char *const argv[] = {
		CR_SLURM_BINDIR "/squeue", "--noheader", "--all", "--array", "--states=all", user,
		"--format=%A %T",	   NULL};
	cleanup_output struct proc_output output = {0};

	snprintf(user, sizeof(user), "--user=%u", (unsigned int)uid);
	if (proc_run(argv, deadline, &output, err) < 0)
		return -1;
	/* it says so on stderr, and ends with 0, when it could reach but a part of what it should */
	if (output.status || output.size[1])
		return cr_error_set(err, EIO, "Slurm does not say which jobs there are: %s",
				    proc_complaint(&output));
	return job_alive_parse(output.text[0], ids, n, err);
}

static int run_scontrol(const char *const argv[], int64_t deadline, struct cr_error *err)
{
	cleanup_output struct proc_output output = {0};

	if (proc_run(argv, deadline, &output, err) < 0)
		return -1;
	if (output.status)
		return cr_error_set(err, EIO, "scontrol %s: %s", argv[1], proc_complaint(&output));
	return 0;
}

int job_update(const struct job *job, const char *setting, int64_t deadline, struct cr_error *err)
{
	char name[TARGET_NAME + 8];
	const char *const argv[] = {CR_SLURM_BINDIR "/scontrol", "update", name, setting, NULL};

	snprintf(name, sizeof(name), "JobId=%s", job->name);
	return run_scontrol(argv, deadline, err);
}

static int query_again(const struct job *job, int64_t deadline, struct job *now, struct cr_error *err)
{
	struct target target;

	return target_parse(job->name, &target, err) < 0 ? -1 : job_query(&target, deadline, now, err);
}

bool job_was_requeued(const struct job *job, int64_t deadline)
{
	struct cr_error ignored;
	struct job now;

	return query_again(job, deadline, &now, &ignored) == 0 && now.restarts > job->restarts;
}

/* Root's hold of another user's job is an admin's, which that user cannot release; requeuehold alone makes it the
 * user's. Of a job that somebody else has requeued it is what holds it at all. */
static int hold(const struct job *job, int64_t deadline, struct cr_error *err)
{
	const char *const argv[] = {CR_SLURM_BINDIR "/scontrol", "hold", job->name, NULL};

	return run_scontrol(argv, deadline, err);
}

int job_requeue(const struct job *job, bool held, int64_t deadline, bool *again, struct cr_error *err)
{
	const char *const argv[] = {CR_SLURM_BINDIR "/scontrol", held ? "requeuehold" : "requeue", job->name,
				    NULL};
	struct job now;

	/* a second requeue would take a start away from a job that has only just begun it */
	if (query_again(job, deadline, &now, err) < 0)
		return -1;
	*again = now.restarts > job->restarts;
	if (!*again && strcmp(now.state, "RUNNING"))
		return cr_error_set(err, ESRCH, "it is %s now", now.state);
	/* slurmctld refuses it for a job that was requeued in between */
	if (!*again && run_scontrol(argv, deadline, err) < 0) {
		*again = job_was_requeued(job, deadline);
		if (!*again)
			return -1;
	}
	return held && (*again || job->uid != getuid()) ? hold(job, deadline, err) : 0;
}
