/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "ancestor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ask.h"
#include "origin.h"
#include "output_record.h"
#include "slurm.h"

#define SCONTROL  CR_SLURM_BINDIR "/scontrol"
#define ANSWER_MS 15000

int ancestor_open(const struct job *job, struct job *ancestor, struct cr_error *err)
{
	char place[PATH_MAX];

	*ancestor = *job;
	ancestor->id = job->from;
	ancestor->files = job->from_files;
	/* the new job's --checkpoint-dir, or the site's, with its links to other ones */
	if (cr_origin_place(job->dir, job->from, getuid(), place, err) < 0 &&
	    (err->errnum != ENOENT || !*job->site_dir ||
	     cr_origin_place(job->site_dir, job->from, getuid(), place, err) < 0))
		return -1;
	return cr_store_open(&ancestor->store, place, job->from, job->part, getuid(), false, err);
}

/* The value of a line NAME=value that Slurm has set for this job; 0 when there is none. */
static uint64_t slurm_number(const struct job *job, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = job->slurm_env; *at; at += strcspn(at, "\n"), at += *at == '\n')
		if (strncmp(at, name, n) == 0 && at[n] == '=')
			return strtoull(at + n + 1, NULL, 10);
	return 0;
}

/* Pages that are in the images were in memory, and will be again. */
static int memory_check(const struct job *job, const struct cr_manifest *m, struct cr_error *err)
{
	uint64_t limit = slurm_number(job, "SLURM_MEM_PER_NODE") << 20;

	if (limit == 0)
		limit = (slurm_number(job, "SLURM_MEM_PER_CPU") << 20) * slurm_number(job, "SLURM_CPUS_ON_NODE");

	if (limit == 0 || m->image_bytes <= limit)
		return 0;
	return cr_error_set(err, ENOMEM,
			    "it has %" PRIu64 " MB of memory, and this job may use %" PRIu64
			    " MB: give it more (--mem)",
			    m->image_bytes >> 20, limit >> 20);
}

static bool has_files(const struct cr_manifest *m)
{
	for (size_t i = 0; i < m->n_outputs; i++)
		if (!m->outputs[i].saved || output_copied(&m->outputs[i]))
			return true;
	return m->n_rollbacks > 0;
}

/* Slurm forgets jobs that have ended: one that it does not know has. */
static int ended_check(const struct job *job, struct cr_error *err)
{
	static const char *const ended[] = {"BOOT_FAIL", "CANCELLED",	  "COMPLETED", "DEADLINE", "FAILED",
					    "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "TIMEOUT"};
	static char text[65536];
	char id[16], state[64];
	const char *const argv[] = {SCONTROL, "--oneliner", "show", "job", id, NULL};

	snprintf(id, sizeof(id), "%" PRIu32, job->from);
	if (ask_capture(job, argv, ANSWER_MS, text, sizeof(text), err) < 0)
		return strstr(err->text, "Invalid job id") ? 0
							   : cr_error_prefix(err, "whether job %s has ended", id);
	slurm_value(text, "JobState", state, sizeof(state));
	for (size_t i = 0; i < sizeof(ended) / sizeof(ended[0]); i++)
		if (strcmp(state, ended[i]) == 0)
			return 0;
	return cr_error_set(err, EBUSY,
			    "job %s is %s, and its files are not put back under it (leave out --checkpoint-files)",
			    id, state);
}

static int files_check(const struct job *job, const struct cr_manifest *m, struct cr_error *err)
{
	if (job->from_files == CR_FILES_KEEP || !has_files(m))
		return 0;
	if (slurm_number(job, "SLURM_ARRAY_TASK_COUNT") > 1)
		return cr_error_set(err, ENOTSUP,
				    "each element of the array would put the same files back (leave out "
				    "--checkpoint-files)");
	return ended_check(job, err);
}

int ancestor_check(const struct job *job, const struct cr_manifest *m, struct cr_error *err)
{
	return memory_check(job, m, err) < 0 ? -1 : files_check(job, m, err);
}

void ancestor_touch(const struct job *ancestor)
{
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/crinit.log", ancestor->store.dir);
	if (utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW) < 0)
		job_log(ancestor, 2, "%s: %s", path, strerror(errno));
}

static int fresh_line(const struct cr_journal_event *event, void *arg)
{
	uint32_t *run = arg;

	if (strcmp(event->event, "fresh") == 0)
		(*run)++;
	return 0;
}

uint32_t ancestor_run(const struct job *job)
{
	struct cr_error err;
	uint32_t run = 1;

	if (cr_journal_each(&job->store, fresh_line, &run, &err) < 0)
		job_log(job, 0, "journal: %s", err.text);
	return run;
}

void ancestor_journal(const struct job *job, uint32_t generation, int64_t ms)
{
	char text[64];

	snprintf(text, sizeof(text), "from generation %" PRIu32 " of job %" PRIu32, generation, job->from);
	job_journal(job, "fresh", 0, NULL, text, ms);
}
