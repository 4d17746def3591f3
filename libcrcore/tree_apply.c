/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* tree_apply.c - a tree becomes what its archive says: first what is in the way goes, then what is missing comes
 * and what differs is written, then what is too much goes, at the end directories get their modes and times */

#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "content.h"
#include "tree_read.h"

#define TEMP CR_TREE_TEMPORARY

struct applying {
	struct cr_tree_plan *plan;
	struct tree_read *read;
};

static const char *path_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The directory that path is in, able to be changed: see dirs_open. */
static int parent_open(struct applying *a, const char *path, struct cr_error *err)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX] = ".";
	int fd;

	if (slash)
		snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path);
	fd = cr_tree_openat(&a->plan->now, dir, O_RDONLY | O_DIRECTORY);
	return fd < 0 ? cr_error_sys(err, errno, "%s", dir) : fd;
}

/* Is what was listed still there, or nothing? What took its place since then is neither removed nor replaced. */
static int place_check(const struct applying *a, int parent, const char *path, struct cr_error *err)
{
	const struct cr_tree_entry *now = cr_tree_find(&a->plan->now, path);
	struct stat st;

	if (fstatat(parent, path_name(path), &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : cr_error_sys(err, errno, "%s", path);
	if (!now || now->ino != st.st_ino || now->uid != st.st_uid ||
	    (now->mode & S_IFMT) != (st.st_mode & S_IFMT))
		return cr_error_set(err, ESTALE, "%s was replaced by somebody meanwhile", path);
	return 0;
}

/* The temporary name may be left from an attempt that was killed; nobody else's file is removed for it. */
static int temp_clear(const struct applying *a, int parent, const char *path, struct cr_error *err)
{
	struct stat st;

	if (fstatat(parent, TEMP, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : cr_error_sys(err, errno, "%s beside %s", TEMP, path);
	if (st.st_uid != a->plan->now.uid || S_ISDIR(st.st_mode))
		return cr_error_set(err, EEXIST, "%s is in the way beside %s", TEMP, path);
	if (unlinkat(parent, TEMP, 0) < 0)
		return cr_error_sys(err, errno, "removing %s beside %s", TEMP, path);
	return 0;
}

/* ---- what is too much ---- */

static int entry_remove(struct applying *a, const struct cr_tree_entry *e, bool wanted, struct cr_error *err)
{
	cleanup_close int parent = parent_open(a, e->path, err);

	if (parent < 0 || place_check(a, parent, e->path, err) < 0)
		return -1;
	if (unlinkat(parent, path_name(e->path), S_ISDIR(e->mode) ? AT_REMOVEDIR : 0) == 0 || errno == ENOENT)
		return 0;
	/* something in it is left alone, and so is it */
	if (!wanted && (errno == ENOTEMPTY || errno == EEXIST || errno == EBUSY))
		return 0;
	return cr_error_sys(err, errno, "removing %s", e->path);
}

/* Is it, or what it lies in, where something of another kind is to be? */
static bool is_in_the_way(const struct applying *a, const struct cr_tree_entry *e)
{
	const struct cr_tree_entry *then = cr_tree_find(&a->plan->then, e->path);
	char path[PATH_MAX], *slash;

	if (then)
		return (then->mode & S_IFMT) != (e->mode & S_IFMT);
	snprintf(path, sizeof(path), "%s", e->path);
	while ((slash = strrchr(path, '/'))) {
		*slash = '\0';
		then = cr_tree_find(&a->plan->then, path);
		if (then)
			return !S_ISDIR(then->mode);
	}
	return false;
}

/* What is in the way, what is merely too much, or both. */
static int extras_remove(struct applying *a, bool way, bool rest, struct cr_error *err)
{
	const struct cr_tree *now = &a->plan->now;

	/* from the end: what is in a directory comes behind it */
	for (size_t i = now->n; i-- > 1;) {
		const struct cr_tree_entry *e = &now->entries[i], *then = cr_tree_find(&a->plan->then, e->path);

		if (e->left || !(is_in_the_way(a, e) ? way : rest && !then))
			continue;
		if (entry_remove(a, e, then, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- what is missing ---- */

static int meta_set(int fd, const struct cr_tree_entry *e, struct cr_error *err)
{
	const struct timespec times[2] = {
		{.tv_nsec = UTIME_OMIT},
		cr_tree_timespec(e->mtime_ns),
	};
	struct stat st;

	if (fstat(fd, &st) < 0 || ((st.st_mode & 07777) != (e->mode & 07777) && fchmod(fd, e->mode & 07777) < 0) ||
	    futimens(fd, times) < 0)
		return cr_error_sys(err, errno, "mode and time of %s", e->path);
	return 0;
}

/* What the file has already is not written. */
static int content_fill(struct applying *a, const struct cr_tree_entry *e, int fd, struct cr_error *err)
{
	struct cr_content content;
	uint64_t offset = 0;
	const void *data;
	size_t size;
	int rc = cr_content_open(&content, fd, err), more = 0;

	while (rc == 0 && (more = tree_read_data(a->read, &data, &size, &offset, err)) > 0)
		rc = cr_content_put(&content, offset, data, size, err);
	if (rc == 0 && more == 0)
		rc = cr_content_end(&content, e->size, err);
	cr_content_close(&content);
	if (rc < 0)
		return cr_error_prefix(err, "writing %s", e->path);
	return more < 0 ? -1 : 0;
}

/* Take the place of what is there, or of nothing. */
static int temp_rename(const struct applying *a, int parent, const struct cr_tree_entry *e, struct cr_error *err)
{
	if (place_check(a, parent, e->path, err) == 0) {
		if (renameat(parent, TEMP, parent, path_name(e->path)) == 0)
			return 0;
		cr_error_sys(err, errno, "putting %s in its place", e->path);
	}
	(void)unlinkat(parent, TEMP, 0);
	return -1;
}

static int file_create(struct applying *a, const struct cr_tree_entry *e, struct cr_error *err)
{
	cleanup_close int parent = parent_open(a, e->path, err), fd = -1;

	if (parent < 0 || temp_clear(a, parent, e->path, err) < 0)
		return -1;
	fd = openat(parent, TEMP, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return cr_error_sys(err, errno, "making %s", e->path);
	if (content_fill(a, e, fd, err) < 0 || meta_set(fd, e, err) < 0) {
		(void)unlinkat(parent, TEMP, 0);
		return -1;
	}
	return temp_rename(a, parent, e, err);
}

/* The file that is there, able to be written. */
static int file_open(struct applying *a, const struct cr_tree_entry *e, struct cr_error *err)
{
	cleanup_close int handle = -1;
	int fd = cr_tree_openat(&a->plan->now, e->path, O_RDWR);

	if (fd < 0 && errno == EACCES) {
		handle = cr_tree_openat(&a->plan->now, e->path, O_PATH);
		if (handle >= 0)
			(void)cr_tree_mode_add(handle, S_IRUSR | S_IWUSR);
		fd = cr_tree_openat(&a->plan->now, e->path, O_RDWR);
	}
	return fd < 0 ? cr_error_sys(err, errno, "%s", e->path) : fd;
}

static int file_rewrite(struct applying *a, const struct cr_tree_entry *e, struct cr_error *err)
{
	cleanup_close int fd = file_open(a, e, err);
	struct stat st;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_ino != e->ino)
		return cr_error_set(err, ESTALE, "%s was replaced meanwhile", e->path);
	if (e->state == CR_TREE_GREW && ftruncate(fd, (off_t)e->size) < 0)
		return cr_error_sys(err, errno, "writing %s", e->path);
	if (e->state == CR_TREE_CONTENT && content_fill(a, e, fd, err) < 0)
		return -1;
	return meta_set(fd, e, err);
}

static int file_apply(struct applying *a, const struct cr_tree_entry *e, struct cr_error *err)
{
	const struct cr_tree_entry *now = cr_tree_find(&a->plan->now, e->path);
	cleanup_close int handle = -1;
	cleanup_close int fd = -1;

	if (e->state == CR_TREE_MISSING || (e->state == CR_TREE_CONTENT && now->ino != e->ino))
		return file_create(a, e, err);
	if (e->state != CR_TREE_META)
		return file_rewrite(a, e, err);
	handle = cr_tree_openat(&a->plan->now, e->path, O_PATH);
	if (handle >= 0)
		(void)cr_tree_mode_add(handle, S_IRUSR);
	fd = cr_tree_openat(&a->plan->now, e->path, O_RDONLY);
	return fd < 0 ? cr_error_sys(err, errno, "%s", e->path) : meta_set(fd, e, err);
}

static int link_apply(struct applying *a, const struct cr_tree_entry *e, struct cr_error *err)
{
	cleanup_close int parent = parent_open(a, e->path, err), from = -1;

	if (parent < 0 || temp_clear(a, parent, e->path, err) < 0)
		return -1;
	if (e->hard) {
		from = parent_open(a, e->link, err);
		if (from < 0)
			return -1;
		if (linkat(from, path_name(e->link), parent, TEMP, 0) < 0)
			return cr_error_sys(err, errno, "making %s, another name of %s", e->path, e->link);
	} else if (symlinkat(e->link, parent, TEMP) < 0) {
		return cr_error_sys(err, errno, "making the link %s", e->path);
	}
	return temp_rename(a, parent, e, err);
}

static int link_time(struct applying *a, const struct cr_tree_entry *e, struct cr_error *err)
{
	cleanup_close int parent = parent_open(a, e->path, err);
	const struct timespec times[2] = {
		{.tv_nsec = UTIME_OMIT},
		cr_tree_timespec(e->mtime_ns),
	};

	if (parent < 0)
		return -1;
	if (utimensat(parent, path_name(e->path), times, AT_SYMLINK_NOFOLLOW) < 0 && errno != EOPNOTSUPP)
		return cr_error_sys(err, errno, "time of %s", e->path);
	return 0;
}

static int fifo_apply(struct applying *a, const struct cr_tree_entry *e, struct cr_error *err)
{
	cleanup_close int parent = parent_open(a, e->path, err);

	if (parent < 0)
		return -1;
	if (e->state == CR_TREE_MISSING && mkfifoat(parent, path_name(e->path), 0600) < 0)
		return cr_error_sys(err, errno, "making %s", e->path);
	if (fchmodat(parent, path_name(e->path), e->mode & 07777, 0) < 0)
		return cr_error_sys(err, errno, "mode of %s", e->path);
	return link_time(a, e, err);
}

static int dir_apply(struct applying *a, const struct cr_tree_entry *e, struct cr_error *err)
{
	cleanup_close int parent = -1;

	if (e->state != CR_TREE_MISSING)
		return 0;
	parent = parent_open(a, e->path, err);
	if (parent < 0)
		return -1;
	if (mkdirat(parent, path_name(e->path), 0700) < 0)
		return cr_error_sys(err, errno, "making the directory %s", e->path);
	return 0;
}

static int entry_apply(struct applying *a, const struct cr_tree_entry *e, struct cr_error *err)
{
	if (S_ISDIR(e->mode))
		return dir_apply(a, e, err);
	if (e->state == CR_TREE_SAME)
		return 0;
	if (S_ISFIFO(e->mode))
		return fifo_apply(a, e, err);
	if (S_ISREG(e->mode) && !e->hard)
		return file_apply(a, e, err);
	if (e->state == CR_TREE_MISSING && link_apply(a, e, err) < 0)
		return -1;
	return S_ISLNK(e->mode) ? link_time(a, e, err) : 0;
}

static int entries_apply(struct applying *a, int in, struct cr_error *err)
{
	const struct cr_tree *then = &a->plan->then;
	struct cr_tree_entry e;
	size_t i = 0;
	int rc;

	if (tree_read_open(&a->read, in, err) < 0)
		return -1;
	while ((rc = tree_read_entry(a->read, then, &e, err)) > 0) {
		if (i == then->n || strcmp(e.path, then->entries[i].path) != 0)
			return cr_error_set(err, EBADMSG, "the archive is not the one that was compared");
		if (entry_apply(a, &then->entries[i++], err) < 0)
			return -1;
	}
	if (rc == 0 && i < then->n)
		rc = cr_error_set(err, EBADMSG, "the archive is not the one that was compared");
	return rc;
}

/* ---- directories ---- */

/* Able to be changed, the outer ones first. */
static int dirs_open(struct applying *a, struct cr_error *err)
{
	struct cr_tree *now = &a->plan->now;

	for (size_t i = 0; i < now->n; i++) {
		struct cr_tree_entry *e = &now->entries[i];

		if (S_ISDIR(e->mode) && !e->left && cr_tree_dir_open(now, e) < 0)
			return cr_error_sys(err, errno, "%s", e->path);
	}
	return 0;
}

/* Those that stay because something in them does are as they were. */
static int dirs_finish(struct applying *a, struct cr_error *err)
{
	const struct cr_tree *then = &a->plan->then;

	for (size_t i = 0; i < then->n; i++) {
		struct cr_tree_entry *now = cr_tree_find(&a->plan->now, then->entries[i].path);

		if (now)
			now->opened = false;
	}
	cr_tree_close_again(&a->plan->now);

	for (size_t i = then->n; i-- > 0;) {
		const struct cr_tree_entry *e = &then->entries[i];
		cleanup_close int fd = -1;

		if (!S_ISDIR(e->mode))
			continue;
		fd = cr_tree_openat(&a->plan->now, e->path, O_RDONLY | O_DIRECTORY);
		if (fd < 0)
			return cr_error_sys(err, errno, "%s", e->path);
		if (meta_set(fd, e, err) < 0)
			return -1;
	}
	return 0;
}

int cr_tree_apply(struct cr_tree_plan *plan, int in, struct cr_error *err)
{
	struct applying a = {.plan = plan};
	int rc = dirs_open(&a, err);

	if (rc == 0)
		rc = extras_remove(&a, true, plan->tight, err);
	if (rc == 0)
		rc = entries_apply(&a, in, err);
	tree_read_close(a.read);
	if (rc == 0 && !plan->tight)
		rc = extras_remove(&a, false, true, err);
	return rc < 0 ? -1 : dirs_finish(&a, err);
}
