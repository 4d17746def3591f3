/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "slurm.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "notice.h"

const char *slurm_value(const char *text, const char *key, char *buf, size_t size)
{
	size_t n = strlen(key);

	buf[0] = '\0';
	for (const char *at = text; (at = strstr(at, key)); at += n) {
		bool start = at == text || at[-1] == ' ' || at[-1] == '\n';

		if (start && at[n] == '=') {
			snprintf(buf, size, "%.*s", (int)strcspn(at + n + 1, " \n"), at + n + 1);
			break;
		}
	}
	return buf;
}

const char *slurm_line(const char *text, uint32_t id, char *buf, size_t size)
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

void slurm_name(const char *line, uint32_t id, char *name, size_t size)
{
	char array[20], task[20];

	slurm_value(line, "ArrayJobId", array, sizeof(array));
	slurm_value(line, "ArrayTaskId", task, sizeof(task));
	if (*array && *task && strspn(task, "0123456789") == strlen(task))
		snprintf(name, size, "%s_%s", array, task);
	else
		snprintf(name, size, "%u", id);
}

struct slurm_state slurm_interpret(const char *text, uint32_t restart, const char *notice)
{
	struct slurm_state s = {.fate = SLURM_UNKNOWN, .reason = "term"};
	char state[64], restarts[32], preempt[64], why[64];
	const char *told = notice_reason(notice);
	bool again;

	slurm_value(text, "JobState", state, sizeof(state));
	slurm_value(text, "Restarts", restarts, sizeof(restarts));
	slurm_value(text, "PreemptTime", preempt, sizeof(preempt));
	slurm_value(text, "Reason", why, sizeof(why));
	/* slurmctld counts the restart when it requeues, before it has the job killed */
	again = *restarts && strtoul(restarts, NULL, 10) > restart;
	if (!*state)
		return s;
	again = again || (told && strcmp(told, "timelimit") != 0);
	if (again || strcmp(state, "PENDING") == 0 || strncmp(state, "REQUEUE", 7) == 0 ||
	    strcmp(state, "PREEMPTED") == 0) {
		s.fate = SLURM_ENDING;
		s.reason = told ? told : "requeue";
	} else if (strcmp(state, "TIMEOUT") == 0 || strcmp(why, "TimeLimit") == 0 ||
		   (told && strcmp(told, "timelimit") == 0)) {
		s.fate = SLURM_ENDING;
		s.reason = "timelimit";
	} else if (strcmp(state, "RUNNING") == 0) {
		bool grace = *preempt && strcmp(preempt, "None") != 0;

		s.fate = grace ? SLURM_GRACE : SLURM_RUNNING;
		s.reason = grace ? "preempt" : "term";
	} else if (strcmp(state, "COMPLETING") == 0 || strcmp(state, "CANCELLED") == 0) {
		s.fate = SLURM_CANCELLED;
	}
	return s;
}

struct slurm_state slurm_ask(const struct job *job, int timeout_ms)
{
	static char text[65536];
	char id[16], notice[512];
	const char *const argv[] = {CR_SLURM_BINDIR "/scontrol", "show", "job", id, NULL};
	struct slurm_state s = {.fate = SLURM_UNKNOWN, .reason = "term"};
	struct cr_error err;

	snprintf(id, sizeof(id), "%u", job->id);
	notice_read(job, notice, sizeof(notice));
	if (ask_capture(job, argv, timeout_ms, text, sizeof(text), &err) < 0) {
		job_log(job, 1, "slurmctld does not say what becomes of the job: %s", err.text);
		s.reason = notice_reason(notice) ? notice_reason(notice) : "term";
		return s;
	}
	return slurm_interpret(text, job->restart, notice);
}
