/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "output_remark.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "output_set.h"

static bool named(const struct cr_manifest *m, const char *path)
{
	for (size_t i = 0; i < m->n_outputs; i++) {
		if (!m->outputs[i].saved && strcmp(m->outputs[i].path, path) == 0)
			return true;
	}
	return false;
}

/* Was there anything to remark in a generation? */
static bool remarked(const struct cr_manifest *m)
{
	for (size_t i = 0; i < m->n_outputs; i++) {
		if (!m->outputs[i].saved && m->outputs[i].links == 1)
			return true;
	}
	return false;
}

static void remark_one(const struct job *job, const struct cr_manifest_output *o, int level)
{
	if (o->size > job->file_limit)
		job_log(job, level,
			"%s has %llu bytes, more than file_limit=%llu: a restore puts back its size, and not what "
			"was "
			"rewritten in it",
			o->path, (unsigned long long)o->size, (unsigned long long)job->file_limit);
	else
		job_log(job, level,
			"%s cannot be read: a restore puts back its size, and not what was rewritten in it",
			o->path);
}

void output_remark(const struct job *job, const struct cr_manifest *m, uint32_t past)
{
	struct output_set set = {0};
	struct cr_manifest before = {0};
	char dir[PATH_MAX];
	int level;

	if (job->files != CR_FILES_COPY || output_set_update(&set, m, NULL) < 0)
		return;
	cr_store_path(&job->store, past, dir);
	if (past == 0 || cr_manifest_read(&before, dir, NULL) < 0)
		before = (struct cr_manifest){0};
	/* the first of them the user sees in the job's stderr */
	level = remarked(&before) ? 1 : 0;
	for (size_t i = 0; i < m->n_outputs; i++) {
		const struct cr_manifest_output *o = &m->outputs[i];

		if (o->saved || output_set_find(&set, m, o->dev, o->ino, NULL) != i || named(&before, o->path))
			continue;
		remark_one(job, o, level);
		level = 1;
	}
	output_set_clear(&set);
	cr_manifest_clear(&before);
}
