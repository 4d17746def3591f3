/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "verdict.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"

#define NAMED_MAX 480 /* of an error text: the rest is criu's */

int verdict_look(const struct job *job, struct cr_preflight *found, struct cr_error *err)
{
	const struct cr_preflight_job look = {
		.proc = "/proc",
		.root = job->root,
		.ghost_limit = job->ghost_limit,
		.private_net = job->private_net != 0,
	};

	if (cr_preflight_look(&look, found, err) < 0)
		return cr_error_prefix(err, "looking for what cannot be checkpointed");
	return 0;
}

void verdict_text(const struct job *job, const struct cr_preflight *found, char *buf, size_t size)
{
	size_t used;

	*buf = '\0';
	if (!found->blockers || !found->n)
		return;
	cr_preflight_text(&found->findings[0], true, buf, size);
	used = strlen(buf);
	if (found->blockers > 1)
		snprintf(buf + used, size - used, "; and %u more: scheckpoint able %u", found->blockers - 1,
			 job->id);
}

/* Where criu's log would be, so that whoever looks there finds out. */
static void log_write(const struct job *job, const struct cr_preflight *found)
{
	char path[PATH_MAX + 32], text[512];
	cleanup_fclose FILE *f = NULL;
	int fd;

	snprintf(path, sizeof(path), "%s/dump.log", job->home);
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	f = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!f) {
		if (fd >= 0)
			close(fd);
		return;
	}
	fprintf(f, "criu was not started:\n");
	for (uint32_t i = 0; i < found->n; i++) {
		cr_preflight_text(&found->findings[i], true, text, sizeof(text));
		fprintf(f, "%s %s\n", cr_preflight_blocks(found->findings[i].kind) ? "Error" : "Warning", text);
	}
}

int verdict_before(const struct job *job, struct cr_error *err)
{
	struct cr_preflight found;
	char text[NAMED_MAX];
	bool certain = false;

	/* whatever is wrong with the look, criu may do better */
	if (verdict_look(job, &found, err) < 0) {
		job_log(job, 1, "%s", err->text);
		return 0;
	}
	for (uint32_t i = 0; i < found.n; i++)
		certain = certain || cr_preflight_certain(found.findings[i].kind);
	if (!certain)
		return 0;
	log_write(job, &found);
	verdict_text(job, &found, text, sizeof(text));
	return cr_error_set(err, ENOTSUP, "%s", text);
}

void verdict_after(const struct job *job, struct cr_error *err)
{
	struct cr_preflight found;
	struct cr_error why;
	char text[NAMED_MAX];

	if (verdict_look(job, &found, &why) < 0) {
		job_log(job, 1, "%s", why.text);
		return;
	}
	verdict_text(job, &found, text, sizeof(text));
	why = *err;
	if (*text)
		cr_error_set(err, err->errnum, "%s (%.200s)", text, why.text);
	else
		cr_error_set(err, err->errnum, "%.600s (its log: %s/failed/dump.log)", why.text, job->store.dir);
}
