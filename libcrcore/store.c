/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "fs.h"
#include "store_entry.h"

/* What cr_store_open leaves below PATH_MAX for the names inside of a part. */
#define STORE_ROOM 256

static int path_format(char *buf, struct cr_error *err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int path_format(char *buf, struct cr_error *err, const char *fmt, ...)
{
	va_list ap;
	int length;

	va_start(ap, fmt);
	length = vsnprintf(buf, PATH_MAX, fmt, ap);
	va_end(ap);
	if (length < 0 || length >= PATH_MAX)
		return cr_error_sys(err, ENAMETOOLONG, "%.64s...", buf);
	return 0;
}

void cr_store_path(const struct cr_store *s, uint32_t generation, char *buf)
{
	cr_store_entry_path(s, ENTRY_COMMITTED, generation, buf);
}

void cr_store_tmp_path(const struct cr_store *s, uint32_t generation, char *buf)
{
	cr_store_entry_path(s, ENTRY_TMP, generation, buf);
}

void cr_store_pack_path(const struct cr_store *s, uint32_t generation, char *buf)
{
	cr_store_entry_path(s, ENTRY_PACK, generation, buf);
}

/* ---- opening ---- */

static int check_no_link(const char *path, struct cr_error *err)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return cr_error_sys(err, errno, "%s", path);
	if (!S_ISDIR(st.st_mode))
		return cr_error_set(err, ENOTDIR, "%s is not a directory", path);
	return 0;
}

/* Find out now about a quota, a full disk or a read-only mount, not when the job is frozen. */
static int try_write(const char *dir, struct cr_error *err)
{
	char path[PATH_MAX];
	int fd, rc;

	/* always the same name: what a crash leaves is gone with the next try */
	if (path_format(path, err, "%s/.try", dir) < 0)
		return -1;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (fd < 0)
		return cr_error_sys(err, errno, "cannot write in %s", dir);
	rc = cr_fs_write_all(fd, "\n", 1, err);
	if (rc == 0)
		rc = cr_fs_sync(fd, path, err);
	if (close(fd) < 0 && rc == 0)
		rc = cr_error_sys(err, errno, "cannot close %s", path);
	if (cr_fs_unlink(path, rc == 0 ? err : NULL) < 0)
		rc = -1;
	return rc < 0 ? cr_error_prefix(err, "%s cannot be written", dir) : 0;
}

int cr_store_open(struct cr_store *s, const char *dir, uint32_t job, const char *part, uid_t uid, bool create,
		  struct cr_error *err)
{
	char job_dir[PATH_MAX];

	if (dir[0] != '/')
		return cr_error_set(err, EINVAL, "the checkpoint directory \"%s\" is not an absolute path", dir);
	if (!cr_manifest_part_ok(part))
		return cr_error_set(err, EINVAL, "\"%s\" is no name of a part", part ? part : "");
	if (path_format(job_dir, err, "%s/%" PRIu32, dir, job) < 0 ||
	    path_format(s->dir, err, "%s/%s", job_dir, part) < 0)
		return -1;
	if (strlen(s->dir) > PATH_MAX - STORE_ROOM)
		return cr_error_sys(err, ENAMETOOLONG, "the checkpoint directory %.64s...", dir);
	if (!create) {
		if (check_no_link(job_dir, err) < 0)
			return -1;
		return check_no_link(s->dir, err);
	}
	/* level by level: nothing is made inside of a directory that somebody else has put there */
	if (cr_fs_mkdirs(job_dir, 0700, err) < 0 || cr_fs_check_owned(job_dir, uid, err) < 0)
		return -1;
	if (cr_fs_mkdirs(s->dir, 0700, err) < 0 || cr_fs_check_owned(s->dir, uid, err) < 0)
		return -1;
	/* who made them may have been killed before that; a commit syncs the part's directory, not its name */
	if (cr_fs_sync_parent(job_dir, err) < 0 || cr_fs_sync_parent(s->dir, err) < 0)
		return -1;
	return try_write(s->dir, err);
}

/* ---- what there is ---- */

static int list_add(enum cr_store_entry kind, uint32_t generation, void *arg, struct cr_error *err)
{
	return kind == ENTRY_COMMITTED ? cr_store_numbers_add(arg, generation, err) : 0;
}

static int newest_first(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x < y) - (x > y);
}

int cr_store_list(const struct cr_store *s, uint32_t **generations, size_t *n, struct cr_error *err)
{
	struct cr_store_numbers numbers = {0};

	if (cr_store_scan(s, list_add, &numbers, err) < 0) {
		free(numbers.items);
		return -1;
	}
	if (numbers.n > 0)
		qsort(numbers.items, numbers.n, sizeof(*numbers.items), newest_first);
	*generations = numbers.items;
	*n = numbers.n;
	return 0;
}

static int next_seen(enum cr_store_entry kind, uint32_t generation, void *arg, struct cr_error *err)
{
	uint32_t *highest = arg;

	(void)kind;
	(void)err;
	if (generation > *highest)
		*highest = generation;
	return 0;
}

static int next_journalled(const struct cr_journal_event *event, void *arg)
{
	return next_seen(ENTRY_OTHER, event->generation, arg, NULL);
}

int cr_store_next(const struct cr_store *s, uint32_t *generation, struct cr_error *err)
{
	uint32_t highest = 0;

	/* the journal too: a number must not come back with another content after a removal */
	if (cr_store_scan(s, next_seen, &highest, err) < 0 ||
	    cr_store_scan_packs(s, next_seen, &highest, err) < 0 ||
	    cr_journal_each(s, next_journalled, &highest, err) < 0)
		return -1;
	if (highest == UINT32_MAX)
		return cr_error_set(err, EOVERFLOW, "%s: no generation number is left", s->dir);
	*generation = highest + 1;
	return 0;
}

/* ---- making one ---- */

int cr_store_begin(const struct cr_store *s, uint32_t generation, char *buf, struct cr_error *err)
{
	cr_store_tmp_path(s, generation, buf);
	if (mkdir(buf, 0700) < 0)
		return cr_error_sys(err, errno, "cannot make directory %s", buf);
	return 0;
}

/* No fsync here: the whole directory is synced before it is renamed. */
static int write_file(const char *dir, const char *name, const char *text, struct cr_error *err)
{
	char path[PATH_MAX];
	int fd, rc;

	if (path_format(path, err, "%s/%s", dir, name) < 0)
		return -1;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return cr_error_sys(err, errno, "cannot create %s", path);
	rc = cr_fs_write_all(fd, text, strlen(text), err);
	if (rc < 0)
		(void)cr_error_prefix(err, "%s", path);
	if (close(fd) < 0 && rc == 0)
		rc = cr_error_sys(err, errno, "cannot close %s", path);
	return rc;
}

/* A generation's paths on its way into place. */
struct commit {
	const struct cr_store *s;
	char tmp[PATH_MAX], path[PATH_MAX];
	char packs[PATH_MAX], pack[PATH_MAX]; /* packs/ and the new one's place in it */
	char new_pack[PATH_MAX];	      /* where it was written */
	bool has_pack;
};

static int commit_open(struct commit *c, const struct cr_store *s, uint32_t generation, struct cr_error *err)
{
	struct stat st;

	c->s = s;
	cr_store_tmp_path(s, generation, c->tmp);
	cr_store_path(s, generation, c->path);
	cr_store_pack_path(s, generation, c->pack);
	if (path_format(c->packs, err, "%s/packs", s->dir) < 0 ||
	    path_format(c->new_pack, err, "%s/pack", c->tmp) < 0)
		return -1;
	c->has_pack = lstat(c->new_pack, &st) == 0;
	if (!c->has_pack && errno != ENOENT)
		return cr_error_sys(err, errno, "%s", c->new_pack);
	if (c->has_pack && !S_ISREG(st.st_mode))
		return cr_error_set(err, EINVAL, "%s is not a regular file", c->new_pack);
	/* rename replaces an empty directory, and any file, without a word */
	if (lstat(c->path, &st) == 0)
		return cr_error_sys(err, EEXIST, "%s", c->path);
	if (c->has_pack && lstat(c->pack, &st) == 0)
		return cr_error_sys(err, EEXIST, "%s", c->pack);
	return 0;
}

/* After an error, which is told already; what cannot be moved back is for cr_store_abort. */
static int pack_withdraw(const struct commit *c)
{
	if (c->has_pack)
		(void)cr_fs_rename(c->pack, c->new_pack, NULL);
	return -1;
}

/* A generation's name must never be there before the pack that it refers to. */
static int pack_publish(const struct commit *c, struct cr_error *err)
{
	if (!c->has_pack)
		return 0;
	if (cr_fs_mkdirs(c->packs, 0700, err) < 0 || cr_fs_rename(c->new_pack, c->pack, err) < 0)
		return -1;
	if (cr_fs_sync_dir(c->packs, err) < 0 || cr_fs_sync_dir(c->tmp, err) < 0)
		return pack_withdraw(c);
	return 0;
}

int cr_store_commit(const struct cr_store *s, const struct cr_manifest *m, const char *text, const char *seal,
		    struct cr_error *err)
{
	struct commit c;

	if (commit_open(&c, s, m->generation, err) < 0 || write_file(c.tmp, "manifest.json", text, err) < 0)
		return -1;
	if (seal && write_file(c.tmp, "manifest.seal", seal, err) < 0)
		return -1;
	if (cr_fs_sync_tree(c.tmp, err) < 0 || pack_publish(&c, err) < 0)
		return -1;
	if (cr_fs_rename(c.tmp, c.path, err) < 0)
		return pack_withdraw(&c);
	if (cr_fs_sync_dir(s->dir, err) < 0) {
		/* whether the rename lasts is unknown: nobody may build on a generation we call failed */
		(void)cr_fs_rename(c.path, c.tmp, NULL);
		return pack_withdraw(&c);
	}
	return 0;
}
