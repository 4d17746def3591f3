/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* tree_save.c - a tree into a tar archive, at once or by way of clones */

#include "tree.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"
#include "tree_read.h"

#define BUFFER	   (256u << 10)
#define ZEROS	   (64u << 20) /* of address space */
#define OUT_BLOCK  (64 * 1024)
#define CLONE_NAME 24
#define PIECE	   (16u << 20) /* that is waited for at a time */

struct saving {
	struct cr_tree *tree;
	int clones, out;
	int errnum; /* of out; what follows is not written */
	struct archive *archive;
	char *buffer;
	const char *zeros;
};

static void clone_name(const struct cr_tree *tree, const struct cr_tree_entry *e, char *name)
{
	snprintf(name, CLONE_NAME, "%zu", (size_t)(e - tree->entries));
}

static bool has_content(const struct cr_tree_entry *e)
{
	return S_ISREG(e->mode) && !e->left && !e->hard && e->size > 0;
}

static bool file_same(const struct stat *st, const struct cr_tree_entry *e)
{
	return S_ISREG(st->st_mode) && st->st_ino == e->ino && (uint64_t)st->st_size == e->size &&
	       cr_tree_time(st->st_mtim.tv_sec, st->st_mtim.tv_nsec) == e->mtime_ns;
}

/* The user's own, which it may not read: for that moment it may. */
static int closed_open(const struct cr_tree *tree, const struct cr_tree_entry *e)
{
	cleanup_close int handle = cr_tree_openat(tree, e->path, O_PATH);
	int fd, errnum;

	if (handle < 0)
		return -1;
	if (cr_tree_mode_add(handle, S_IRUSR) <= 0) {
		errno = EACCES;
		return -1;
	}
	fd = cr_tree_openat(tree, e->path, O_RDONLY);
	errnum = errno;
	(void)cr_tree_mode_set(handle, e->mode);
	errno = errnum;
	return fd;
}

/* The file that was listed, or what it has become by somebody outside of the job; or another one of the user's,
 * which was renamed to its place. */
static int file_open(struct cr_tree *tree, struct cr_tree_entry *e, struct cr_error *err)
{
	cleanup_close int fd = cr_tree_openat(tree, e->path, O_RDONLY);
	struct stat st;
	int own;

	if (fd < 0 && errno == EACCES)
		fd = closed_open(tree, e);
	if (fd < 0 || fstat(fd, &st) < 0)
		return cr_error_sys(err, errno, "%s", e->path);
	if (!S_ISREG(st.st_mode))
		return cr_error_set(err, ELOOP, "%s is no file any more", e->path);
	if (!file_same(&st, e)) {
		if (st.st_uid != tree->uid || st.st_nlink > 1 || e->nlink > 1)
			return cr_error_set(err, ESTALE,
					    "%s was changed by somebody else while the job stood still", e->path);
		e->ino = st.st_ino;
		e->size = (uint64_t)st.st_size;
		e->mtime_ns = cr_tree_time(st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
		tree->moved++;
	}
	own = fd;
	fd = -1;
	return own;
}

/* Has somebody removed it since it was listed? Then it is left out; one whose other names are there is missed. */
static bool file_gone(struct cr_tree_entry *e, const struct cr_error *err)
{
	e->left = e->nlink <= 1 && (err->errnum == ENOENT || err->errnum == ENOTDIR || err->errnum == ELOOP);
	return e->left;
}

/* ---- clones ---- */

static bool clone_unsupported(int errnum)
{
	return errnum == EXDEV || errnum == EOPNOTSUPP || errnum == EINVAL || errnum == ENOTTY || errnum == ENOSYS;
}

/* Returns 1, 0 when it cannot be done, or -1. */
static int file_clone(struct cr_tree *tree, struct cr_tree_entry *e, int clones, struct cr_error *err)
{
	char name[CLONE_NAME];
	cleanup_close int in = file_open(tree, e, err), out = -1;

	if (in < 0)
		return file_gone(e, err) ? 1 : -1;
	clone_name(tree, e, name);
	out = openat(clones, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0)
		return cr_error_sys(err, errno, "a clone of %s", e->path);
	if (ioctl(out, FICLONE, in) == 0)
		return 1;
	return clone_unsupported(errno) ? 0 : cr_error_sys(err, errno, "cloning %s", e->path);
}

int cr_tree_clone(struct cr_tree *tree, int clones, struct cr_error *err)
{
	int rc = 1;
	size_t i;

	for (i = 0; i < tree->n && rc == 1; i++) {
		if (!has_content(&tree->entries[i]))
			continue;
		rc = file_clone(tree, &tree->entries[i], clones, err);
		tree->entries[i].cloned = true;
	}
	for (size_t k = 0; rc != 1 && k < i; k++) {
		char name[CLONE_NAME];

		if (!tree->entries[k].cloned)
			continue;
		clone_name(tree, &tree->entries[k], name);
		(void)unlinkat(clones, name, 0);
		tree->entries[k].cloned = false;
	}
	return rc;
}

static bool is_before(int64_t until)
{
	struct timespec now;

	return clock_gettime(CLOCK_MONOTONIC, &now) == 0 && now.tv_sec * INT64_C(1000000000) + now.tv_nsec < until;
}

void cr_tree_write_back(const struct cr_tree *tree, int64_t until)
{
	const unsigned int start = SYNC_FILE_RANGE_WRITE,
			   wait = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;

	/* all are begun before any is waited for; where it cannot be done the freeze takes longer */
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < tree->n && is_before(until); i++) {
			const struct cr_tree_entry *e = &tree->entries[i];
			cleanup_close int fd = has_content(e) ? cr_tree_openat(tree, e->path, O_RDONLY) : -1;

			if (fd >= 0 && pass == 0)
				(void)sync_file_range(fd, 0, 0, start);
			for (uint64_t at = 0; fd >= 0 && pass == 1 && at < e->size && is_before(until);
			     at += PIECE)
				(void)sync_file_range(fd, (off_t)at, PIECE, wait);
		}
	}
}

/* ---- the archive ---- */

/* libarchive's own lets go of its buffers only when all has been written, and tries to write the end whatever
 * happened before. So it never hears of a failure; it is looked for after each step. */
static la_ssize_t out_write(struct archive *archive, void *arg, const void *data, size_t size)
{
	struct saving *s = arg;
	struct cr_error err;

	(void)archive;
	if (!s->errnum && cr_fs_write_all(s->out, data, size, &err) < 0)
		s->errnum = err.errnum ? err.errnum : EIO;
	return (la_ssize_t)size;
}

static int archive_failed(const struct saving *s, const char *path, struct cr_error *err)
{
	int errnum = archive_errno(s->archive);

	if (s->errnum)
		return cr_error_sys(err, s->errnum, "archiving %s", path);
	return cr_error_set(err, errnum > 0 ? errnum : EIO, "archiving %s: %s", path,
			    archive_error_string(s->archive) ? archive_error_string(s->archive) : "failed");
}

static int bytes_write(struct saving *s, const char *path, const void *data, uint64_t size, struct cr_error *err)
{
	const char *p = data;

	while (size > 0) {
		la_ssize_t n = archive_write_data(s->archive, p, size);

		if (n <= 0 || s->errnum)
			return archive_failed(s, path, err);
		p += n;
		size -= (uint64_t)n;
	}
	return 0;
}

/* libarchive wants to be given the holes too, and passes over them. */
static int zeros_write(struct saving *s, const char *path, uint64_t size, struct cr_error *err)
{
	while (size > 0) {
		uint64_t n = size < ZEROS ? size : ZEROS;

		if (bytes_write(s, path, s->zeros, n, err) < 0)
			return -1;
		size -= n;
	}
	return 0;
}

/* A file that has become shorter meanwhile is as long as it was. */
static int data_write(struct saving *s, const struct cr_tree_entry *e, int fd, uint64_t from, uint64_t length,
		      struct cr_error *err)
{
	while (length > 0) {
		ssize_t n = pread(fd, s->buffer, length < BUFFER ? (size_t)length : BUFFER, (off_t)from);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cr_error_sys(err, errno, "reading %s", e->path);
		if (n == 0)
			return zeros_write(s, e->path, length, err);
		if (bytes_write(s, e->path, s->buffer, (uint64_t)n, err) < 0)
			return -1;
		from += (uint64_t)n;
		length -= (uint64_t)n;
	}
	return 0;
}

static int content_write(struct saving *s, const struct cr_tree_entry *e, int fd, struct cr_error *err)
{
	uint64_t at = 0, from = 0, length;

	while (cr_tree_extent(fd, e->size, &from, &length)) {
		if (zeros_write(s, e->path, from - at, err) < 0 || data_write(s, e, fd, from, length, err) < 0)
			return -1;
		at = from += length;
	}
	return zeros_write(s, e->path, e->size - at, err);
}

static void sparse_add(struct archive_entry *a, const struct cr_tree_entry *e, int fd)
{

	uint64_t from = 0, length, sum = 0;

	while (cr_tree_extent(fd, e->size, &from, &length)) {
		/* one piece from end to end is none */
		if (length == e->size)
			return;
		archive_entry_sparse_add_entry(a, (la_int64_t)from, (la_int64_t)length);
		sum += length;
		from += length;
	}
	if (sum == 0)
		archive_entry_sparse_add_entry(a, (la_int64_t)e->size, 0);
	archive_entry_xattr_add_entry(a, TREE_READ_NAME, e->path, strlen(e->path));
}

static void header_fill(struct archive_entry *a, const struct cr_tree_entry *e)
{
	/* libarchive has no other place for it in this format */
	const struct timespec mtime = cr_tree_timespec(e->mtime_ns);
	char ino[24];
	int n = snprintf(ino, sizeof(ino), "%" PRIu64, e->ino);

	archive_entry_xattr_add_entry(a, TREE_READ_INO, ino, (size_t)n);
	archive_entry_set_pathname(a, e->path);
	archive_entry_set_mode(a, e->mode);
	archive_entry_set_mtime(a, mtime.tv_sec, mtime.tv_nsec);
	archive_entry_set_nlink(a, e->nlink);
	archive_entry_set_uid(a, e->uid);
	if (S_ISREG(e->mode) && !e->hard)
		archive_entry_set_size(a, (la_int64_t)e->size);
	if (e->hard)
		archive_entry_set_hardlink(a, e->link);
	else if (e->link)
		archive_entry_set_symlink(a, e->link);
}

static int content_open(const struct saving *s, struct cr_tree_entry *e, struct cr_error *err)
{
	char name[CLONE_NAME];
	int fd;

	if (s->clones < 0)
		return file_open(s->tree, e, err);
	clone_name(s->tree, e, name);
	fd = openat(s->clones, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? cr_error_sys(err, errno, "the clone of %s", e->path) : fd;
}

/* Written over while it was read? */
static void content_check(const struct saving *s, const struct cr_tree_entry *e, int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && !file_same(&st, e))
		s->tree->moved++;
}

static int entry_write(struct saving *s, struct cr_tree_entry *e, struct archive_entry *a, struct cr_error *err)
{
	cleanup_close int fd = -1;

	if (has_content(e)) {
		fd = content_open(s, e, err);
		if (fd < 0)
			return s->clones < 0 && file_gone(e, err) ? 0 : -1;
	}
	archive_entry_clear(a);
	header_fill(a, e);
	if (fd >= 0)
		sparse_add(a, e, fd);
	if (archive_write_header(s->archive, a) != ARCHIVE_OK || s->errnum)
		return archive_failed(s, e->path, err);
	if (fd >= 0 && content_write(s, e, fd, err) < 0)
		return -1;
	if (fd >= 0 && s->clones < 0)
		content_check(s, e, fd);
	if (archive_write_finish_entry(s->archive) != ARCHIVE_OK || s->errnum)
		return archive_failed(s, e->path, err);
	return 0;
}

static int entries_write(struct saving *s, struct cr_error *err)
{
	struct archive_entry *a = archive_entry_new();
	int rc = 0;

	if (!a)
		return cr_error_sys(err, ENOMEM, "archive");
	/* names are bytes, whatever they mean to whom */
	if (archive_write_set_format_pax(s->archive) != ARCHIVE_OK ||
	    archive_write_set_options(s->archive, "hdrcharset=BINARY") != ARCHIVE_OK ||
	    archive_write_set_bytes_per_block(s->archive, OUT_BLOCK) != ARCHIVE_OK ||
	    archive_write_set_bytes_in_last_block(s->archive, 1) != ARCHIVE_OK ||
	    archive_write_open(s->archive, s, NULL, out_write, NULL) != ARCHIVE_OK)
		rc = archive_failed(s, "a directory", err);
	for (size_t i = 0; rc == 0 && i < s->tree->n; i++) {
		if (!s->tree->entries[i].left)
			rc = entry_write(s, &s->tree->entries[i], a, err);
	}
	if (rc == 0 && (archive_write_close(s->archive) != ARCHIVE_OK || s->errnum))
		rc = archive_failed(s, "a directory", err);
	archive_entry_free(a);
	return rc;
}

int cr_tree_save(struct cr_tree *tree, int clones, int out, struct cr_error *err)
{
	struct saving s = {.tree = tree, .clones = clones, .out = out};
	cleanup_free char *buffer = malloc(BUFFER);
	void *zeros = mmap(NULL, ZEROS, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int rc = -1;

	s.archive = archive_write_new();
	if (!buffer || zeros == MAP_FAILED || !s.archive) {
		cr_error_sys(err, ENOMEM, "archive");
	} else {
		s.buffer = buffer;
		s.zeros = zeros;
		rc = entries_write(&s, err);
	}
	if (zeros != MAP_FAILED)
		(void)munmap(zeros, ZEROS);
	/* its end is written only now, to nowhere */
	if (s.archive && rc < 0) {
		s.errnum = s.errnum ? s.errnum : EIO;
		(void)archive_write_fail(s.archive);
		(void)archive_write_close(s.archive);
	}
	(void)archive_write_free(s.archive);
	return rc;
}
