/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* selection.c - which jobs a verb is about */

#include "selection.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "job.h"
#include "proc.h"

void selection_clear(struct selection *s)
{
	free(s->all);
	free(s->jobs);
	free(s->others);
	free(s->missing);
	*s = (struct selection){0};
}

bool selection_is_conditional(const struct selection_wish *wish)
{
	return wish->nodes || wish->users || wish->partitions;
}

int selection_check_list(const char *option, const char *list, struct cr_error *err)
{
	static const char fine[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.,[]-@+$";
	size_t length = strlen(list);

	if (!length || length > 4000 || list[0] == '-' || strspn(list, fine) != length)
		return cr_error_set(err, EINVAL, "%s=%.40s: names, separated by commas", option, list);
	return 0;
}

/* ---- what Slurm says ---- */

/* A line in SELECTION_FORMAT. What waits of an array may be one line with a range for its tasks. */
static int parse_line(char *line, struct selection_job *job)
{
	char *field[6], *next = line, name[TARGET_NAME], task[16];
	struct cr_error ignored;

	*job = (struct selection_job){0};
	for (size_t i = 0; i < sizeof(field) / sizeof(*field); i++)
		if (!(field[i] = strsep(&next, "|")))
			return -1;
	snprintf(task, sizeof(task), "%s", field[2]);
	if (next || sscanf(field[0], "%" SCNu32, &job->id) != 1 ||
	    sscanf(field[1], "%" SCNu32, &job->array) != 1 || sscanf(field[3], "%u", &job->uid) != 1 || !job->id ||
	    !*field[5])
		return -1;
	job->is_task =
		*task && task[strspn(task, "0123456789")] == '\0' && sscanf(task, "%" SCNu32, &job->task) == 1;
	if (snprintf(job->user, sizeof(job->user), "%s", field[4]) >= (int)sizeof(job->user) ||
	    snprintf(job->state, sizeof(job->state), "%s", field[5]) >= (int)sizeof(job->state))
		return -1;
	if (job->is_task)
		snprintf(name, sizeof(name), "%u_%u", job->array, job->task);
	else
		snprintf(name, sizeof(name), "%u", job->id);
	return target_parse(name, &job->target, &ignored);
}

int selection_parse(char *text, struct selection *s, struct cr_error *err)
{
	char *next = NULL;
	size_t lines = 0;

	for (const char *p = text; (p = strchr(p, '\n')); p++)
		lines++;
	s->n_all = 0;
	s->all = calloc(lines + 1, sizeof(*s->all));
	if (!s->all)
		return cr_error_sys(err, ENOMEM, "jobs");
	for (char *line = strtok_r(text, "\n", &next); line; line = strtok_r(NULL, "\n", &next))
		if (parse_line(line, &s->all[s->n_all++]) < 0)
			return cr_error_set(err, EPROTO, "squeue's answer is not understood");
	return 0;
}

/* ---- the choice ---- */

static void add(struct selection *s, struct selection_job *job, bool is_named)
{
	job->is_named = job->is_named || is_named;
	for (size_t i = 0; i < s->n; i++)
		if (s->jobs[i] == job)
			return;
	s->jobs[s->n++] = job;
}

static void add_missing(struct selection *s, const struct target *target, const char *why)
{
	s->missing[s->n_missing++] = (struct selection_missing){.target = *target, .why = why};
}

static bool is_active(const struct selection_job *job)
{
	return !strcmp(job->state, "RUNNING") || !strcmp(job->state, "SUSPENDED") ||
	       !strcmp(job->state, "CONFIGURING") || !strcmp(job->state, "STOPPED");
}

/* The number of an array is that of one of its tasks as well; it means all of them. */
static void choose_array(struct selection *s, const struct target *target)
{
	size_t before = s->n;

	for (size_t i = 0; i < s->n_all; i++)
		if (s->all[i].array == target->job && is_active(&s->all[i]))
			add(s, &s->all[i], false);
	s->is_one = false;
	if (s->n == before)
		add_missing(s, target, "none of its tasks is running");
}

static void choose_named(struct selection *s, const struct target *target, bool is_conditional)
{
	struct selection_job *one = NULL;
	bool is_array = false;

	for (size_t i = 0; i < s->n_all; i++) {
		struct selection_job *job = &s->all[i];

		is_array = is_array || (!target->is_task && job->array == target->job &&
					(job->is_task || job->id != job->array));
		if (target->is_task ? job->is_task && job->array == target->job && job->task == target->task
				    : job->id == target->job)
			one = job;
	}
	if (is_array)
		choose_array(s, target);
	else if (one)
		add(s, one, true);
	else
		add_missing(s, target,
			    is_conditional ? "it is not among those selected" : "Slurm knows no such job");
}

/* Root may act for everyone; who is meant by a condition alone is not told one by one that it is another's. */
static void drop_others(struct selection *s, uid_t uid)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n; i++) {
		if (uid == 0 || s->jobs[i]->uid == uid || s->jobs[i]->is_named)
			s->jobs[kept++] = s->jobs[i];
		else
			s->others[s->n_others++] = s->jobs[i];
	}
	s->n = kept;
}

int selection_choose(const struct selection_wish *wish, uid_t uid, struct selection *s, struct cr_error *err)
{
	bool is_conditional = selection_is_conditional(wish);

	s->n = s->n_others = s->n_missing = 0;
	s->is_one = wish->n_targets == 1 && !is_conditional;
	s->jobs = calloc(s->n_all + 1, sizeof(struct selection_job *));
	s->others = calloc(s->n_all + 1, sizeof(struct selection_job *));
	s->missing = calloc(wish->n_targets + 1, sizeof(*s->missing));
	if (!s->jobs || !s->others || !s->missing)
		return cr_error_sys(err, ENOMEM, "jobs");
	for (size_t i = 0; i < wish->n_targets; i++)
		choose_named(s, &wish->targets[i], is_conditional);
	for (size_t i = 0; !wish->n_targets && i < s->n_all; i++)
		if (is_active(&s->all[i]))
			add(s, &s->all[i], false);
	drop_others(s, uid);
	return 0;
}

/* ---- asking ---- */

/* "Node n9 not found" is what scontrol says on stdout. */
static int check_exists(const char *what, const char *option, const char *names, int64_t deadline,
			struct cr_error *err)
{
	const char *const argv[] = {CR_SLURM_BINDIR "/scontrol", "show", what, names, NULL};
	cleanup_output struct proc_output output = {0};
	char *end, *line;

	if (proc_run(argv, deadline, &output, err) < 0)
		return -1;
	if (!output.status)
		return 0;
	end = strstr(output.text[0], " not found");
	if (!end)
		return cr_error_set(err, EIO, "%s=%.200s: scontrol: %s", option, names, proc_complaint(&output));
	*end = '\0';
	line = strrchr(output.text[0], ' ');
	return cr_error_set(err, ENOENT, "%s: Slurm knows no %s %.100s", option, what, line ? line + 1 : names);
}

static int check_partitions(const char *names, int64_t deadline, struct cr_error *err)
{
	cleanup_free char *list = strdup(names);
	char *next = NULL;

	if (!list)
		return cr_error_sys(err, ENOMEM, "partitions");
	for (char *name = strtok_r(list, ",", &next); name; name = strtok_r(NULL, ",", &next))
		if (check_exists("partition", "--partition", name, deadline, err) < 0)
			return -1;
	return 0;
}

static int join_targets(const struct selection_wish *wish, char **option, struct cr_error *err)
{
	size_t size = sizeof("--jobs=") + wish->n_targets * (TARGET_NAME + 1), used;

	*option = malloc(size);
	if (!*option)
		return cr_error_sys(err, ENOMEM, "jobs");
	used = (size_t)snprintf(*option, size, "--jobs=");
	for (size_t i = 0; i < wish->n_targets; i++)
		used += (size_t)snprintf(*option + used, size - used, "%s%s", i ? "," : "", wish->targets[i].name);
	return 0;
}

static int join(const char *name, const char *value, char **option, struct cr_error *err)
{
	if (asprintf(option, "%s=%s", name, value) >= 0)
		return 0;
	*option = NULL;
	return cr_error_sys(err, ENOMEM, "command line");
}

struct query {
	char *jobs, *nodes, *users, *partitions;
};

static void query_clear(struct query *q)
{
	free(q->jobs);
	free(q->nodes);
	free(q->users);
	free(q->partitions);
}

static int query_run(const struct selection_wish *wish, int64_t deadline, struct proc_output *output,
		     struct cr_error *err)
{
	__attribute__((cleanup(query_clear))) struct query q = {0};
	const char *argv[16] = {CR_SLURM_BINDIR "/squeue",   "--noheader", "--all", "--array", "--states=all",
				"--format=" SELECTION_FORMAT};
	int n = 6;

	/* of what is named the state is told, and who is looked for by a condition runs */
	if (!wish->n_targets)
		argv[4] = "--states=RUNNING,SUSPENDED,CONFIGURING,STOPPED";
	if ((wish->n_targets && join_targets(wish, &q.jobs, err) < 0) ||
	    (wish->nodes && join("--nodelist", wish->nodes, &q.nodes, err) < 0) ||
	    (wish->users && join("--user", wish->users, &q.users, err) < 0) ||
	    (wish->partitions && join("--partition", wish->partitions, &q.partitions, err) < 0))
		return -1;
	for (size_t i = 0; i < 4; i++) {
		const char *const options[] = {q.jobs, q.nodes, q.users, q.partitions};

		if (options[i])
			argv[n++] = options[i];
	}
	return proc_run(argv, deadline, output, err);
}

int selection_find(const struct selection_wish *wish, int64_t deadline, struct selection *s, struct cr_error *err)
{
	cleanup_output struct proc_output output = {0};

	if ((wish->nodes && check_exists("node", "--node", wish->nodes, deadline, err) < 0) ||
	    (wish->partitions && check_partitions(wish->partitions, deadline, err) < 0) ||
	    query_run(wish, deadline, &output, err) < 0)
		return -1;
	/* of one job that is not there squeue says that it is invalid, of one among several nothing */
	if (output.size[1] && strstr(output.text[1], "Invalid job id")) {
		output.text[0][0] = '\0';
	} else if (output.status || output.size[1]) {
		/* with 0, too, it may have said that it knows no such user */
		return cr_error_set(err, EIO, "Slurm does not say which jobs there are: %s",
				    proc_complaint(&output));
	}
	if (selection_parse(output.text[0], s, err) < 0)
		return -1;
	return selection_choose(wish, getuid(), s, err);
}
