/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* facts_read.c - what scontrol prints, in numbers */

#include "facts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "duration.h"
#include "slurm.h"

#define LINE_SIZE 65536
#define CLOCKS_S  3			     /* by which two clocks may differ */
#define YEAR_S	  (INT64_C(365) * 24 * 3600) /* what slurmctld's backfill makes of no limit */

void facts_init(struct facts *f)
{
	*f = (struct facts){.limit_s = -1, .left_s = -1, .grace_s = -1, .kill_wait_s = -1, .over_s = -1};
}

/* Returns -1 for what is no number. */
static int64_t number(const char *text)
{
	char *end = NULL;
	long long n;

	if (*text < '0' || *text > '9')
		return -1;
	errno = 0;
	n = strtoll(text, &end, 10);
	return errno || (*end && *end != ' ') ? -1 : n;
}

/* Unknown, None and N/A are 0. */
static int64_t moment(const char *text)
{
	int64_t n = number(text);

	return n > 0 ? n : 0;
}

static bool is_none(const char *value)
{
	return !*value || strcmp(value, "(null)") == 0 || strcmp(value, "N/A") == 0;
}

static void word_set(char to[64], const char *line, const char *key)
{
	char value[64];

	slurm_value(line, key, value, sizeof(value));
	snprintf(to, sizeof(value), "%s", is_none(value) ? "" : value);
}

void facts_read_environment(struct facts *f, const char *text)
{
	char value[64];
	int64_t n;

	n = number(slurm_value(text, "SLURM_JOB_START_TIME", value, sizeof(value)));
	if (n > 0)
		f->start = n;
	n = number(slurm_value(text, "SLURM_JOB_END_TIME", value, sizeof(value)));
	if (n > f->start && n - f->start < YEAR_S)
		f->end = n;
	word_set(f->partition, text, "SLURM_JOB_PARTITION");
}

/* A start's first second shows as 00:00:00. */
static int64_t left(const char *line, int64_t limit_s)
{
	char value[64];
	int64_t ran = 0;

	if (limit_s < 0 || limit_s == FACTS_UNLIMITED)
		return limit_s;
	slurm_value(line, "RunTime", value, sizeof(value));
	if (strcmp(value, "00:00:00") != 0 && cr_duration_parse(value, &ran, NULL) < 0)
		return -1;
	return ran < limit_s ? limit_s - ran : 0;
}

void facts_settle(struct facts *f, int64_t now_s)
{
	int64_t off;

	/* of a preempted job end is another moment; one that is suspended does not come nearer to its own */
	if (!f->start || !f->end || f->preempted || f->suspended || f->left_s <= 0 || f->left_s == FACTS_UNLIMITED)
		return;
	/* something else than the limit ends it */
	if (f->end - f->start < f->limit_s)
		return;
	off = now_s + f->left_s - f->end;
	if (off >= -CLOCKS_S && off <= CLOCKS_S)
		return;
	f->start += off;
	f->end += off;
}

int facts_read_job(struct facts *f, const char *text, uint32_t id, struct cr_error *err)
{
	static char line[LINE_SIZE];
	char value[64];
	int64_t limit;

	if (!slurm_line(text, id, line, sizeof(line)))
		return cr_error_set(err, EPROTO, "scontrol shows no job %u", id);
	f->start = moment(slurm_value(line, "StartTime", value, sizeof(value)));
	f->end = moment(slurm_value(line, "EndTime", value, sizeof(value)));
	f->preempted = moment(slurm_value(line, "PreemptTime", value, sizeof(value)));
	slurm_value(line, "TimeLimit", value, sizeof(value));
	f->limit_s = cr_duration_parse(value, &limit, NULL) == 0 ? limit : -1;
	if (strcmp(value, "UNLIMITED") == 0 || f->limit_s >= YEAR_S) {
		f->limit_s = FACTS_UNLIMITED;
		f->end = f->preempted ? f->end : 0;
	}
	f->left_s = left(line, f->limit_s);
	f->requeue = strcmp(slurm_value(line, "Requeue", value, sizeof(value)), "1") == 0;
	f->suspended = strcmp(slurm_value(line, "JobState", value, sizeof(value)), "SUSPENDED") == 0;
	f->het = !is_none(slurm_value(line, "HetJobId", value, sizeof(value)));
	slurm_name(line, id, f->name, sizeof(f->name));
	word_set(f->partition, line, "Partition");
	word_set(f->qos, line, "QOS");
	word_set(f->reservation, line, "Reservation");
	return 0;
}

/* In minutes; the partition's NONE stands for what the site has. */
static void over_read(struct facts *f, const char *value)
{
	int64_t minutes = number(value);

	if (strcmp(value, "UNLIMITED") == 0)
		f->over_s = FACTS_UNLIMITED;
	else if (minutes >= 0)
		f->over_s = minutes * 60;
}

int facts_read_partition(struct facts *f, const char *text, struct cr_error *err)
{
	char value[64];
	int64_t grace;

	slurm_value(text, "PartitionName", value, sizeof(value));
	if (!*value || strcmp(value, f->partition) != 0)
		return cr_error_set(err, EPROTO, "scontrol shows no partition %s", f->partition);
	grace = number(slurm_value(text, "GraceTime", value, sizeof(value)));
	if (grace >= 0)
		f->grace_s = grace;
	over_read(f, slurm_value(text, "OverTimeLimit", value, sizeof(value)));
	word_set(value, text, "PreemptMode");
	if (*value)
		memcpy(f->preempt_mode, value, sizeof(value));
	return 0;
}

/* The value of "Key   = value" at the beginning of a line, to its end; "" when absent. */
static const char *config_value(const char *text, const char *key, char *buf, size_t size)
{
	size_t n = strlen(key);

	buf[0] = '\0';
	for (const char *at = text; *at; at += strcspn(at, "\n"), at += *at == '\n') {
		size_t blanks = strncmp(at, key, n) == 0 ? strspn(at + n, " ") : 0;

		if (blanks == 0 || at[n + blanks] != '=')
			continue;
		at += n + blanks + 1;
		at += strspn(at, " ");
		snprintf(buf, size, "%.*s", (int)strcspn(at, "\n"), at);
		return buf;
	}
	return buf;
}

int facts_read_config(struct facts *f, const char *text, struct cr_error *err)
{
	char value[64];
	int64_t wait = number(config_value(text, "KillWait", value, sizeof(value)));

	if (wait < 0)
		return cr_error_set(err, EPROTO, "scontrol shows no KillWait");
	f->kill_wait_s = wait;
	over_read(f, config_value(text, "OverTimeLimit", value, sizeof(value)));
	config_value(text, "PreemptType", f->preempt_type, sizeof(f->preempt_type));
	config_value(text, "PreemptMode", f->preempt_mode, sizeof(f->preempt_mode));
	return 0;
}
