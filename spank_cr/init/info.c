/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "info.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"
#include "manifest.h"

/* In single quotes nothing means anything to a shell but their end. */
static void line_put(FILE *out, const char *name, size_t length, const char *value, size_t size)
{
	fprintf(out, "%.*s='", (int)length, name);
	for (size_t i = 0; i < size; i++) {
		if (value[i] == '\'')
			fputs("'\\''", out);
		else
			fputc(value[i], out);
	}
	fputs("'\n", out);
}

static void text_put(FILE *out, const char *name, const char *value)
{
	if (value && *value)
		line_put(out, name, strlen(name), value, strlen(value));
}

/* What the plugin gave: NAME=value, one a line. */
static void slurm_put(FILE *out, const char *text)
{
	while (*text) {
		size_t size = strcspn(text, "\n"), name = strcspn(text, "=\n");

		if (name > 0 && name < size)
			line_put(out, text, name, text + name + 1, size - name - 1);
		text += size;
		text += *text == '\n';
	}
}

char *info_text(const struct job *job, const struct info *info)
{
	char when[64], number[16], host[HOST_NAME_MAX + 1] = "", *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	cr_time_format(cr_time_now_ns(), when, sizeof(when));
	text_put(out, "SPANK_CR_EVENT", info->event);
	text_put(out, "SPANK_CR_TIME", when);
	snprintf(number, sizeof(number), "%u", info->generation);
	text_put(out, "SPANK_CR_GENERATION", number);
	text_put(out, "SPANK_CR_REASON", info->reason);
	text_put(out, "SPANK_CR_CHECKPOINT_TIME", info->checkpoint_time);
	if (gethostname(host, sizeof(host) - 1) == 0)
		text_put(out, "HOSTNAME", host);
	text_put(out, "SLURMD_NODENAME", job->node);
	snprintf(number, sizeof(number), "%u", job->id);
	text_put(out, "SLURM_JOB_ID", number);
	snprintf(number, sizeof(number), "%u", job->restart);
	text_put(out, "SLURM_RESTART_COUNT", number);
	slurm_put(out, job->slurm_env);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

void info_write(const struct job *job, const struct info *info)
{
	cleanup_free char *text = info_text(job, info);
	char path[PATH_MAX + 8];
	struct cr_error err;

	snprintf(path, sizeof(path), "%s/info", job->home);
	if (!text)
		job_log(job, 0, "%s: no memory", path);
	else if (cr_fs_write_atomic(path, text, strlen(text), 0600, &err) < 0)
		job_log(job, 0, "what changed is not told to the program: %s", err.text);
}
