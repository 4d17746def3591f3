/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "origin.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "fs.h"

/* Digits that make a number of 32 bits other than 0. NULL when they do not. */
static const char *number_take(const char *p, uint32_t *value)
{
	uint64_t sum = 0;

	for (; *p >= '0' && *p <= '9' && sum <= UINT32_MAX; p++)
		sum = sum * 10 + (uint64_t)(*p - '0');
	*value = (uint32_t)sum;
	return sum >= 1 && sum <= UINT32_MAX ? p : NULL;
}

int cr_origin_parse(const char *text, struct cr_origin *origin, struct cr_error *err)
{
	struct cr_origin o = {0};
	const char *p = number_take(text, &o.job);

	if (p && *p == '.')
		p = number_take(p + 1, &o.generation);
	if (p && *p == '_')
		return cr_error_set(err, EINVAL,
				    "an element of an array is named by its own job id, as \"scheckpoint list\" "
				    "shows it");
	if (!p || *p)
		return cr_error_set(err, EINVAL, "not a job: write JOBID or JOBID.GENERATION");
	*origin = o;
	return 0;
}

int cr_origin_place(const char *dir, uint32_t job, uid_t uid, char place[PATH_MAX], struct cr_error *err)
{
	char path[PATH_MAX + 16], id[16], *name;

	snprintf(id, sizeof(id), "%" PRIu32, job);
	snprintf(path, sizeof(path), "%s/%s", dir, id);
	if (!realpath(path, place))
		return errno == ENOENT ? cr_error_set(err, ENOENT, "job %s has no checkpoints below %s", id, dir)
				       : cr_error_sys(err, errno, "the checkpoints of job %s: %s", id, path);
	if (cr_fs_check_owned(place, uid, err) < 0)
		return cr_error_prefix(err, "only one's own checkpoints can be restored");
	name = strrchr(place, '/');
	if (strcmp(name + 1, id) != 0)
		return cr_error_set(err, EINVAL, "%s leads to %s, which is not a directory of job %s", path, place,
				    id);
	*(name == place ? name + 1 : name) = '\0';
	return 0;
}

/* "000007", as the store names a committed generation. */
static bool is_generation(const char *name)
{
	size_t n = strspn(name, "0123456789");

	return n >= 6 && !name[n];
}

int cr_origin_find(const struct cr_origin *origin, const char *dir, const char *part, uid_t uid,
		   struct cr_error *err)
{
	char place[PATH_MAX], path[PATH_MAX + 128];
	cleanup_closedir DIR *stream = NULL;
	struct dirent *entry;
	struct stat st;

	if (cr_origin_place(dir, origin->job, uid, place, err) < 0)
		return -1;
	if (origin->generation) {
		snprintf(path, sizeof(path), "%s/%" PRIu32 "/%s/%06" PRIu32 "/manifest.json", place, origin->job,
			 part, origin->generation);
		if (stat(path, &st) == 0)
			return 0;
		return errno != ENOENT ? cr_error_sys(err, errno, "%s", path)
				       : cr_error_set(err, ENOENT,
						      "job %" PRIu32 " has no generation %" PRIu32
						      "; \"scheckpoint list %" PRIu32 "\" shows those it has",
						      origin->job, origin->generation, origin->job);
	}
	snprintf(path, sizeof(path), "%s/%" PRIu32 "/%s", place, origin->job, part);
	stream = opendir(path);
	if (!stream && errno != ENOENT)
		return cr_error_sys(err, errno, "%s", path);
	while (stream && (entry = readdir(stream)))
		if (is_generation(entry->d_name))
			return 0;
	return cr_error_set(err, ENOENT,
			    "job %" PRIu32 " has no checkpoint, or they were removed at its end "
			    "(--checkpoint-on-complete=keep keeps them)",
			    origin->job);
}
