/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "private.h"

#include <stdio.h>
#include <string.h>

#include "spawn.h"

#define TAR		"/bin/tar"
#define TAR_PATIENCE_MS (3600 * 1000)

/* One place names the directories, for both ways. */
#define DIRECTORIES "tmp", "var/tmp", "dev/shm"

bool private_has(const char *path)
{
	static const char *const dirs[] = {DIRECTORIES};

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		size_t n = strlen(dirs[i]);

		if (path[0] == '/' && strncmp(path + 1, dirs[i], n) == 0 &&
		    (path[n + 1] == '/' || path[n + 1] == '\0'))
			return true;
	}
	return false;
}

static int tar_run(const struct job *job, const char *const *argv, int fd, struct cr_error *err)
{
	char output[4096];

	return spawn_capture(argv, spawn_environment(), job->cgroup, fd, TAR_PATIENCE_MS, output, sizeof(output),
			     err);
}

int private_save(const struct job *job, int fd, struct cr_error *err)
{
	char archive[32];
	const char *const argv[] = {TAR, "--create", "--directory=/", "--file", archive, "--format=posix",
				    /* nobody asks for these times, and they change without the file */
				    "--pax-option=delete=atime,delete=ctime", "--sparse", "--numeric-owner",
				    "--xattrs", "--one-file-system", "--sort=name", "--warning=no-file-ignored",
				    DIRECTORIES, NULL};

	snprintf(archive, sizeof(archive), "/proc/self/fd/%d", fd);
	if (tar_run(job, argv, fd, err) < 0)
		return cr_error_prefix(err, "saving the job's /tmp, /var/tmp and /dev/shm");
	return 0;
}

int private_restore(const struct job *job, int fd, struct cr_error *err)
{
	char archive[32];
	const char *const argv[] = {TAR,     "--extract",	   "--directory=/",   "--file",
				    archive, "--same-permissions", "--numeric-owner", "--xattrs",
				    NULL};

	snprintf(archive, sizeof(archive), "/proc/self/fd/%d", fd);
	if (tar_run(job, argv, fd, err) < 0)
		return cr_error_prefix(err, "restoring the job's /tmp, /var/tmp and /dev/shm");
	return 0;
}
