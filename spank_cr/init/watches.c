/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "watches.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "cleanup.h"
#include "proc.h"
#include "shim.h"
#include "watched.h"

#define PATIENCE_NS INT64_C(2000000000)

static int find(const struct job *job, struct cr_watched *watched, struct cr_error *err)
{
	cleanup_close int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_free pid_t *pids = NULL;
	size_t n;

	if (proc < 0 || cr_proc_tree(job->root, &pids, &n, err) < 0)
		return -1;
	return cr_watched_find(watched, proc, pids, n, cr_time_clock_ns(CLOCK_MONOTONIC) + PATIENCE_NS, err);
}

static void path_of(const struct job *job, char path[PATH_MAX + 32])
{
	snprintf(path, PATH_MAX + 32, "%s/" SHIM_WATCHES, job->home);
}

void watches_write(const struct job *job)
{
	struct cr_watched watched = {0};
	cleanup_fclose FILE *f = NULL;
	char path[PATH_MAX + 32];
	struct cr_error err;
	int fd;

	watches_remove(job);
	if (find(job, &watched, &err) < 0)
		return;
	path_of(job, path);
	fd = watched.n ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
	f = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!f && fd >= 0)
		close(fd);
	if (f && cr_watched_write(&watched, f) < 0)
		unlink(path);
	cr_watched_clear(&watched);
}

void watches_remove(const struct job *job)
{
	char path[PATH_MAX + 32];

	path_of(job, path);
	unlink(path);
}
