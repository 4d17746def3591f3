/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "inside.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Whoever reads it finds the old text or the new one. */
static void link_put(const struct job *job, const char *name, const char *text)
{
	char path[PATH_MAX], fresh[PATH_MAX + 8];

	snprintf(path, sizeof(path), "%s/%s", job->home, name);
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	if ((unlink(fresh) < 0 && errno != ENOENT) || symlink(text, fresh) < 0 || rename(fresh, path) < 0)
		job_log(job, 0, "%s: %s", path, strerror(errno));
}

void inside_started(const struct job *job)
{
	char text[64];

	snprintf(text, sizeof(text), "%" PRIu32 " %" PRIu32 " %" PRIu32, job->id, job->restart, job->generation);
	link_put(job, INSIDE_STARTED, text);
}

void inside_answer(const struct job *job, unsigned turn, const struct report *r)
{
	char text[sizeof(r->text) + 64];

	if (turn == 0)
		return;
	if (r->type == REPORT_COMMITTED)
		snprintf(text, sizeof(text), "%u ok %" PRIu32 " %lld", turn, r->generation, (long long)r->value);
	else
		snprintf(text, sizeof(text), "%u error %s", turn, r->text);
	link_put(job, INSIDE_ASKED, text);
}
