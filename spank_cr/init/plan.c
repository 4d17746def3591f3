/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "plan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "criu.h"
#include "notary.h"
#include "proc.h"

static int refuse(const struct cr_error *err)
{
	printf("refused %s\n", err->text);
	return 0;
}

/* A job that starts for the first time has no checkpoints. What lies under its id is another job's, from before
 * Slurm counted its ids anew: out of the way, not lost. */
static int strangers_set_aside(const struct job *job, struct cr_error *err)
{
	char from[PATH_MAX + 32], to[PATH_MAX + 64];
	struct stat st;

	if (job->restart > 0)
		return 0;
	snprintf(from, sizeof(from), "%s/%u", job->dir, job->id);
	if (lstat(from, &st) < 0)
		return errno == ENOENT ? 0 : cr_error_sys(err, errno, "%s", from);
	snprintf(to, sizeof(to), "%s/%u.old-%lld", job->dir, job->id, (long long)time(NULL));
	if (rename(from, to) < 0)
		return cr_error_sys(err, errno, "%s belongs to an earlier job with this id; moving it to %s", from,
				    to);
	printf("note job %u: checkpoints of an earlier job with this id moved to %s\n", job->id, to);
	return 0;
}

/* The newest run that came to its end; what it left is not to be restored. */
static int completed_line(const struct cr_journal_event *event, void *arg)
{
	uint32_t *completed = arg;

	if (strcmp(event->event, "completed") == 0 && event->run > *completed)
		*completed = event->run;
	return 0;
}

/* The first of the processor features in needed that this node lacks, into buf; returns whether there is one. */
static bool cpu_lacks(const char *needed, char *buf, size_t size)
{
	cleanup_free char *model = NULL, *flags = NULL;
	struct cr_error err;

	if (cr_node_cpu(&model, &flags, &err) < 0)
		return false;
	for (const char *at = needed; *at; at += strcspn(at, " "), at += strspn(at, " ")) {
		int n = (int)strcspn(at, " ");
		bool has = false;

		for (const char *f = flags; *f && !has; f += strcspn(f, " "), f += strspn(f, " "))
			has = strcspn(f, " ") == (size_t)n && memcmp(f, at, (size_t)n) == 0;
		if (!has) {
			snprintf(buf, size, "%.*s", n, at);
			return true;
		}
	}
	return false;
}

static bool candidate_print(const struct job *job, uint32_t generation, uint32_t completed)
{
	char feature[64];
	struct cr_manifest m = {0};
	char dir[PATH_MAX];
	struct cr_error err;
	bool good = false;

	cr_store_path(&job->store, generation, dir);
	if (cr_manifest_read(&m, dir, &err) < 0 || notary_check(job, generation, dir, &err) < 0)
		printf("warn job %u: generation %u is passed over: %s\n", job->id, generation, err.text);
	else if (m.job != job->id || m.uid != getuid() || strcmp(m.part, job->part) != 0 ||
		 m.generation != generation)
		printf("warn job %u: generation %u is passed over: its manifest is of job %u, part %s, generation "
		       "%u\n",
		       job->id, generation, m.job, m.part, m.generation);
	else if (m.run <= completed)
		printf("note job %u: generation %u is of a run that was complete\n", job->id, generation);
	else if (cpu_lacks(m.cpu_flags, feature, sizeof(feature)))
		printf("warn job %u: generation %u is passed over: it was taken on %s, whose processor has %s, "
		       "and %s has "
		       "not: keep the job on like nodes with --constraint\n",
		       job->id, generation, m.node, feature, job->node);
	else {
		printf("candidate %u %" PRId64 " %" PRId64 "\n", generation, m.monotonic_ns, m.boottime_ns);
		good = true;
	}
	cr_manifest_clear(&m);
	return good;
}

/* Returns how many there are. */
static int candidates_print(const struct job *job)
{
	cleanup_free uint32_t *generations = NULL;
	uint32_t completed = 0;
	struct cr_error err;
	size_t n = 0;
	int good = 0;

	if (cr_store_list(&job->store, &generations, &n, &err) < 0 ||
	    cr_journal_each(&job->store, completed_line, &completed, &err) < 0)
		printf("note job %u: %s\n", job->id, err.text);
	for (size_t i = 0; i < n; i++)
		good += candidate_print(job, generations[i], completed);
	if (n > 0 && good == 0 && !completed)
		printf("warn job %u: none of its checkpoints can be used, it starts from the beginning; they stay "
		       "in "
		       "%s\n",
		       job->id, job->store.dir);
	return good;
}

int plan_main(struct job *job)
{
	char version[CRIU_VERSION_TEXT];
	struct cr_error err;

	if (criu_version(job->criu, version, &err) < 0 || strangers_set_aside(job, &err) < 0)
		return refuse(&err);
	if (job_open(job, true, &err) < 0) {
		struct cr_error again;

		/* no new checkpoints then, but one that can be read is still worth more than none */
		if (job_open(job, false, &again) < 0 || candidates_print(job) == 0)
			return refuse(&err);
		printf("note job %u: %s\n", job->id, err.text);
	} else {
		if (cr_store_sweep(&job->store, &err) < 0)
			printf("note job %u: %s\n", job->id, err.text);
		candidates_print(job);
	}
	printf("ready\n");
	return 0;
}
