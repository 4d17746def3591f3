/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "verdict.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "ghosts.h"
#include "memory.h"

#define BEFORE_S  2  /* then criu may find out for itself */
#define AGAIN_MS  50 /* what waits to be accepted may be gone by then */
#define AFTER_S	  5
#define SECOND_NS INT64_C(1000000000)

/* For the preflight 0 is any. */
static uint64_t memory_free(void)
{
	uint64_t bytes;

	if (cr_memory_free("", &bytes, NULL) < 0)
		return 0;
	return bytes ? bytes : 1;
}

static int landlock_version(void)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return version > 0 ? (int)version : 0;
}

int verdict_look(const struct job *job, int seconds, struct cr_preflight *found, struct cr_error *err)
{
	struct rlimit files;
	const struct cr_preflight_job look = {
		.proc = "/proc",
		.root = job->root,
		.deadline_ns = cr_time_clock_ns(CLOCK_MONOTONIC) + seconds * SECOND_NS,
		.ghost_limit = job->ghost_limit,
		.descriptors = getrlimit(RLIMIT_NOFILE, &files) == 0 ? files.rlim_cur : 0,
		.nameless = GHOSTS_NAMELESS_MAX,
		.landlock = landlock_version(),
		.private_net = job->private_net != 0,
		.private_dirs = true,
		.rollback = job->rollback,
		.memory = memory_free(),
		.unhurried = seconds > AFTER_S,
	};

	if (cr_preflight_look(&look, found, err) < 0)
		return cr_error_prefix(err, "looking for what cannot be checkpointed");
	return 0;
}

void verdict_text(const struct job *job, const struct cr_preflight *found, char buf[VERDICT_MAX])
{
	size_t used;

	*buf = '\0';
	if (!found->blockers || !found->n)
		return;
	cr_preflight_text(&found->findings[0], true, buf, VERDICT_MAX);
	used = strlen(buf);
	if (found->blockers > 1)
		snprintf(buf + used, VERDICT_MAX - used, "; and %u more: scheckpoint able %u", found->blockers - 1,
			 job->id);
}

static const char *number_skip(const char *text)
{
	while (isxdigit((unsigned char)*text))
		text++;
	return text;
}

bool verdict_news(char told[VERDICT_MAX], const char *text)
{
	const char *a = number_skip(told), *b = number_skip(text);

	while (*a && *a == *b) {
		a = number_skip(a + 1);
		b = number_skip(b + 1);
	}
	if (*told && (!*a || !*b))
		return false;
	snprintf(told, VERDICT_MAX, "%s", text);
	return true;
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
		if (cr_preflight_more(found, i))
			fprintf(f, "and %u more of this kind\n", cr_preflight_more(found, i));
	}
}

/* May it be over in a moment? */
static bool is_passing(uint32_t kind)
{
	return kind == CR_PREFLIGHT_ACCEPT || kind == CR_PREFLIGHT_CTTY || kind == CR_PREFLIGHT_UDP_CORK;
}

/* Is something there of which there is no doubt; of the kinds that may be over in a moment, or of the others? */
static bool certain(const struct cr_preflight *found, bool passing)
{
	for (uint32_t kind = 0; kind < CR_PREFLIGHT_KINDS; kind++)
		if (found->counts[kind] && cr_preflight_certain(kind) && is_passing(kind) == passing)
			return true;
	return false;
}

int verdict_before(const struct job *job, int patience_ms, struct cr_error *err)
{
	const int64_t end = cr_time_clock_ns(CLOCK_MONOTONIC) + patience_ms * INT64_C(1000000);
	struct cr_preflight found;
	char text[VERDICT_MAX];

	do {
		/* whatever is wrong with the look, criu may do better */
		if (verdict_look(job, BEFORE_S, &found, err) < 0) {
			job_log(job, 1, "%s", err->text);
			return 0;
		}
		if (!certain(&found, false) && !certain(&found, true))
			return 0;
	} while (!certain(&found, false) && cr_time_clock_ns(CLOCK_MONOTONIC) < end &&
		 poll(NULL, 0, AGAIN_MS) == 0);
	log_write(job, &found);
	verdict_text(job, &found, text);
	return cr_error_set(err, ENOTSUP, "%s", text);
}

void verdict_after(const struct job *job, struct cr_error *err)
{
	struct cr_preflight found;
	struct cr_error why;
	char text[VERDICT_MAX];

	if (verdict_look(job, AFTER_S, &found, &why) < 0) {
		job_log(job, 1, "%s", why.text);
		return;
	}
	verdict_text(job, &found, text);
	why = *err;
	if (*text)
		cr_error_set(err, err->errnum, "%s (%.200s)", text, why.text);
	else
		cr_error_set(err, err->errnum, "%.600s (its log: %s/failed/dump.log)", why.text, job->store.dir);
}
