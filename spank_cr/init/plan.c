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

struct ending {
	bool completed;
};

static int journal_line(const struct cr_journal_event *event, void *arg)
{
	struct ending *ending = arg;

	ending->completed = strcmp(event->event, "completed") == 0;
	return 0;
}

static bool candidate_print(const struct job *job, uint32_t generation)
{
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
	struct ending ending = {false};
	struct cr_error err;
	size_t n = 0;
	int good = 0;

	if (cr_store_list(&job->store, &generations, &n, &err) < 0 ||
	    cr_journal_each(&job->store, journal_line, &ending, &err) < 0)
		printf("note job %u: %s\n", job->id, err.text);
	if (ending.completed) {
		printf("note job %u was complete: it starts from the beginning\n", job->id);
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		good += candidate_print(job, generations[i]);
	if (n > 0 && good == 0)
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
