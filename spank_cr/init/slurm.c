/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "slurm.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "spawn.h"

/* The value of "Key=value" in scontrol's text, into buf; empty when absent. */
static const char *value_of(const char *text, const char *key, char *buf, size_t size)
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

/* The last of slurmstepd's notices counts. */
static const char *reason_of(const char *notice)
{
	static const struct {
		const char *words, *reason;
	} notices[] = {
		{"DUE TO PREEMPTION", "preempt"},
		{"DUE TO JOB REQUEUE", "requeue"},
		{"DUE TO TIME LIMIT", "timelimit"},
	};
	const char *last = NULL, *reason = NULL;

	for (size_t i = 0; i < sizeof(notices) / sizeof(notices[0]); i++) {
		for (const char *at = notice; (at = strstr(at, notices[i].words)); at++) {
			if (!last || at > last) {
				last = at;
				reason = notices[i].reason;
			}
		}
	}
	return reason;
}

struct slurm_state slurm_interpret(const char *text, uint32_t restart, const char *notice)
{
	struct slurm_state s = {.fate = SLURM_UNKNOWN, .reason = "term"};
	char state[64], restarts[32], preempt[64];
	const char *told = reason_of(notice);
	bool again;

	value_of(text, "JobState", state, sizeof(state));
	value_of(text, "Restarts", restarts, sizeof(restarts));
	value_of(text, "PreemptTime", preempt, sizeof(preempt));
	/* slurmctld counts the restart when it requeues, before it has the job killed */
	again = *restarts && strtoul(restarts, NULL, 10) > restart;
	if (!*state)
		return s;
	if (again || strcmp(state, "PENDING") == 0 || strncmp(state, "REQUEUE", 7) == 0 ||
	    strcmp(state, "PREEMPTED") == 0) {
		s.fate = SLURM_ENDING;
		s.reason = told ? told : "requeue";
	} else if (strcmp(state, "TIMEOUT") == 0 || (told && strcmp(told, "timelimit") == 0)) {
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

/* The last lines of the job's stderr: there slurmstepd writes "CANCELLED AT ... DUE TO ..." before it sends
 * SIGTERM. What stood there when this run of the job began is of an earlier one. */
static void notice_read(const struct job *job, char *buf, size_t size)
{
	cleanup_close int fd = open("/proc/self/fd/2", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	ssize_t n = -1;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		off_t from = st.st_size > (off_t)size - 1 ? st.st_size - ((off_t)size - 1) : 0;

		n = pread(fd, buf, size - 1, from > job->notice_from ? from : job->notice_from);
	}
	buf[n > 0 ? n : 0] = '\0';
	for (ssize_t i = 0; i < n; i++) {
		if (buf[i] == '\0')
			buf[i] = ' ';
	}
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
	if (spawn_capture(argv, spawn_environment(), job->cgroup, timeout_ms, text, sizeof(text), &err) < 0) {
		job_log(job, 1, "slurmctld does not say what becomes of the job: %s", err.text);
		s.reason = reason_of(notice) ? reason_of(notice) : "term";
		return s;
	}
	return slurm_interpret(text, job->restart, notice);
}
