/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "moved.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ask.h"
#include "slurm.h"

#define ANSWER_SIZE 65536
#define ALNUM	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define PATIENCE_MS 5000 /* Slurm waits KillWait, 30 s by default, for the job to end */

static int name_copy(char *buf, size_t size, const char *text, const char *fine)
{
	size_t n = strlen(text);

	if (n >= size || strspn(text, fine) != n || text[0] == '-')
		return -1;
	memcpy(buf, text, n + 1);
	return 0;
}

int moved_set(struct moved *moved, const char *to, const char *was)
{
	memset(moved, 0, sizeof(*moved));
	if (to && *to && name_copy(moved->to, sizeof(moved->to), to, ALNUM "-_.") == 0 &&
	    (!was || name_copy(moved->was, sizeof(moved->was), was, ALNUM "-_.,[]") == 0))
		return 0;
	memset(moved, 0, sizeof(*moved));
	return -1;
}

static int moved_line(const struct cr_journal_event *event, void *arg)
{
	struct moved *moved = arg;

	/* the journal is the user's own: what it says goes into a command line */
	if (strcmp(event->event, "moved") == 0)
		(void)moved_set(moved, event->text, event->reason);
	else if (strcmp(event->event, "unbound") == 0)
		memset(moved, 0, sizeof(*moved));
	return 0;
}

int moved_read(const struct job *job, struct moved *moved, struct cr_error *err)
{
	memset(moved, 0, sizeof(*moved));
	return cr_journal_each(&job->store, moved_line, moved, err);
}

void moved_note(const struct job *job, uint32_t generation)
{
	struct moved before = {0};
	struct cr_error err;
	const char *was = job->moving.was;

	if (!job->moving.to[0])
		return;
	/* moved twice: what it had asked for itself is what counts */
	if (moved_read(job, &before, &err) == 0 && before.to[0])
		was = before.was;
	job_journal(job, "moved", generation, *was ? was : NULL, job->moving.to, -1);
}

void moved_released(const struct job *job)
{
	job_journal(job, "unbound", 0, NULL, NULL, -1);
}

/* What slurmctld is asked for: the job's name, as an element of an array has one of its own, and its earlier list.
 */
static int list_put_back(const struct job *job, const struct moved *moved, struct cr_error *err)
{
	static char text[ANSWER_SIZE], line[ANSWER_SIZE];
	char id[16], name[64], which[80], list[sizeof(moved->was) + 16];
	const char *const show[] = {CR_SLURM_BINDIR "/scontrol", "--oneliner", "show", "job", id, NULL};
	const char *const update[] = {CR_SLURM_BINDIR "/scontrol", "update", which, list, NULL};

	snprintf(id, sizeof(id), "%u", job->id);
	if (ask_capture(job, show, PATIENCE_MS, text, sizeof(text), err) < 0)
		return -1;
	if (!slurm_line(text, job->id, line, sizeof(line)))
		return cr_error_set(err, EPROTO, "scontrol shows no job %u", job->id);
	slurm_name(line, job->id, name, sizeof(name));
	snprintf(which, sizeof(which), "JobId=%s", name);
	snprintf(list, sizeof(list), "ReqNodeList=%s", moved->was);
	return ask_capture(job, update, PATIENCE_MS, text, sizeof(text), err);
}

void moved_release(const struct job *job)
{
	struct moved moved;
	struct cr_error err;

	if (job->moving.to[0])
		return;
	if (moved_read(job, &moved, &err) < 0)
		job_log(job, 0, "journal: %s", err.text);
	else if (moved.to[0] && list_put_back(job, &moved, &err) < 0)
		job_log(job, 1, "it stays bound to %s: %s", moved.to, err.text);
	else if (moved.to[0])
		moved_released(job);
}
