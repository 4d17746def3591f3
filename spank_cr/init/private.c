/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "private.h"

#include <stdio.h>

#include "ns.h"
#include "spawn.h"

#define TAR		"/bin/tar"
#define TAR_PATIENCE_MS (3600 * 1000)

bool private_has(const char *path)
{
	return cr_ns_private(path);
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
				    CR_NS_PRIVATE, NULL};

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
