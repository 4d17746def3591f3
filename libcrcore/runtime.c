/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "caps.h"
#include "cleanup.h"
#include "fs.h"

/* The site may have other things in its scratch directory. */
#define SCRATCH_PREFIX "spank_cr."

void cr_runtime_paths(struct cr_runtime *rt, const char *scratch, uint32_t job)
{
	snprintf(rt->dir, sizeof(rt->dir), "%s/%u", CR_RUN_DIR, job);
	snprintf(rt->scratch, sizeof(rt->scratch), "%.4000s/" SCRATCH_PREFIX "%u", scratch, job);
	snprintf(rt->tmp, sizeof(rt->tmp), "%.4000s/" SCRATCH_PREFIX "%u/tmp", scratch, job);
	snprintf(rt->var_tmp, sizeof(rt->var_tmp), "%.4000s/" SCRATCH_PREFIX "%u/var_tmp", scratch, job);
}

/* A directory of the user's, or of root's, below one that only root can write. */
static int dir_make(const char *path, uid_t uid, gid_t gid, mode_t mode, struct cr_error *err)
{
	cleanup_close int fd = -1;
	struct stat st;

	/* what is to be root's is not the user's for a moment, whose id T has */
	if (uid == 0 && cr_caps_mkdir(path, mode, err) < 0)
		return -1;
	if (uid != 0 && mkdir(path, 0700) < 0 && errno != EEXIST)
		return cr_error_sys(err, errno, "making %s", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return cr_error_sys(err, errno, "opening %s", path);
	if (st.st_uid == uid && st.st_gid == gid && (st.st_mode & 07777) == mode)
		return 0;
	if (st.st_uid != 0 && st.st_uid != uid && st.st_uid != geteuid())
		return cr_error_set(err, EPERM, "%s belongs to uid %u: remove it", path, (unsigned)st.st_uid);
	if (fchown(fd, uid, gid) < 0 || fchmod(fd, mode) < 0)
		return cr_error_sys(err, errno, "giving %s to uid %u", path, (unsigned)uid);
	return 0;
}

/* The directory above: made for everybody if it is missing; an existing one stays as the admin has it, but no user
 * may be able to rename what is in it. */
static int parent_make(const char *path, struct cr_error *err)
{
	char above[PATH_MAX], *slash;
	struct stat st;
	bool made = lstat(path, &st) < 0 && errno == ENOENT;

	snprintf(above, sizeof(above), "%s", path);
	slash = strrchr(above, '/');
	if (slash)
		*slash = '\0';
	if (made && slash && slash > above && cr_fs_mkdirs(above, 0755, err) < 0)
		return -1;
	if (made && (cr_caps_mkdir(path, 0755, err) < 0 || lstat(path, &st) < 0))
		return -1;
	if (!made && (!S_ISDIR(st.st_mode) || st.st_uid != 0 || ((st.st_mode & 022) && !(st.st_mode & S_ISVTX))))
		return cr_error_set(err, EPERM, "%s must be a directory of root's that others cannot write", path);
	return 0;
}

int cr_runtime_create(const struct cr_runtime *rt, uid_t uid, gid_t gid, struct cr_error *err)
{
	char top[PATH_MAX];

	snprintf(top, sizeof(top), "%s", rt->scratch);
	*strrchr(top, '/') = '\0';
	if (parent_make(CR_RUN_DIR, err) < 0 || parent_make(CR_RUN_HOME, err) < 0 ||
	    parent_make(CR_RUN_SOCKETS, err) < 0 || parent_make(top, err) < 0)
		return -1;
	/* its place on the node is not the user's to fill; who cannot read it cannot lock it either */
	if (dir_make(rt->dir, 0, 0, 0711, err) < 0 || dir_make(rt->scratch, uid, gid, 0700, err) < 0 ||
	    dir_make(rt->tmp, uid, gid, 01777, err) < 0 || dir_make(rt->var_tmp, uid, gid, 01777, err) < 0)
		return -1;
	return 0;
}

int cr_runtime_reset(const struct cr_runtime *rt, uid_t uid, gid_t gid, struct cr_error *err)
{
	if (cr_fs_remove_tree(rt->tmp, err) < 0 || cr_fs_remove_tree(rt->var_tmp, err) < 0)
		return -1;
	return cr_runtime_create(rt, uid, gid, err);
}

int cr_runtime_lock(const struct cr_runtime *rt, struct cr_error *err)
{
	int fd = open(rt->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return cr_error_sys(err, errno, "opening %s", rt->dir);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int errnum = errno;

		close(fd);
		return cr_error_sys(err, errnum, "locking %s", rt->dir);
	}
	return fd;
}

int cr_runtime_remove(const struct cr_runtime *rt, struct cr_error *err)
{
	int rc = cr_fs_remove_tree(rt->dir, err);

	return cr_fs_remove_tree(rt->scratch, err) < 0 ? -1 : rc;
}

/* Remove the jobs found in one of the two places. */
static int place_sweep(const char *place, const char *prefix, const char *scratch, struct cr_error *err)
{
	cleanup_closedir DIR *d = opendir(place);
	struct dirent *e;
	int rc = 0;

	if (!d)
		return errno == ENOENT ? 0 : cr_error_sys(err, errno, "%s", place);
	while ((e = readdir(d))) {
		struct cr_runtime rt;
		struct cr_error ignored;
		const char *number = e->d_name + strlen(prefix);
		char *end = NULL;
		cleanup_close int fd = -1;
		unsigned long job;

		if (strncmp(e->d_name, prefix, strlen(prefix)) != 0)
			continue;
		job = strtoul(number, &end, 10);
		if (end == number || *end != '\0' || job == 0 || job > UINT32_MAX)
			continue;
		cr_runtime_paths(&rt, scratch, (uint32_t)job);
		fd = cr_runtime_lock(&rt, &ignored);
		if (fd < 0 && ignored.errnum != ENOENT)
			continue; /* it runs, or nobody can tell */
		if (cr_runtime_remove(&rt, err) < 0)
			rc = -1;
	}
	return rc;
}

int cr_runtime_sweep(const char *scratch, struct cr_error *err)
{
	int rc = place_sweep(CR_RUN_DIR, "", scratch, err);

	return place_sweep(scratch, SCRATCH_PREFIX, scratch, err) < 0 ? -1 : rc;
}
