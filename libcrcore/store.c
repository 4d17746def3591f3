/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "store.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "fs.h"

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
	/* cr_store_open has seen to it that this fits */
	(void)path_format(buf, NULL, "%s/%06" PRIu32, s->dir, generation);
}

void cr_store_tmp_path(const struct cr_store *s, uint32_t generation, char *buf)
{
	(void)path_format(buf, NULL, "%s/.%06" PRIu32 ".tmp", s->dir, generation);
}

static void store_del_path(const struct cr_store *s, uint32_t generation, char *buf)
{
	(void)path_format(buf, NULL, "%s/.%06" PRIu32 ".del", s->dir, generation);
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

	if (path_format(path, err, "%s/.try.XXXXXX", dir) < 0)
		return -1;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return cr_error_sys(err, errno, "cannot write in %s", dir);
	rc = cr_fs_write_all(fd, "\n", 1, err);
	if (rc == 0)
		rc = cr_fs_sync(fd, path, err);
	if (close(fd) < 0 && rc == 0)
		rc = cr_error_sys(err, errno, "cannot close %s", path);
	if (unlink(path) < 0 && rc == 0)
		rc = cr_error_sys(err, errno, "cannot remove %s", path);
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
	return try_write(s->dir, err);
}

/* ---- what there is ---- */

enum entry_kind { ENTRY_OTHER, ENTRY_COMMITTED, ENTRY_TMP, ENTRY_DEL };

/* Only names exactly as this file writes them count: "7", "+00007" or "000007~" are somebody else's. */
static enum entry_kind entry_parse(const char *name, uint32_t *generation)
{
	const char *digits = name + (name[0] == '.');
	char *end, canonical[32];
	unsigned long long number;
	const char *suffix;

	if (!isdigit((unsigned char)*digits))
		return ENTRY_OTHER;
	errno = 0;
	number = strtoull(digits, &end, 10);
	if (errno || number < 1 || number > UINT32_MAX)
		return ENTRY_OTHER;
	suffix = end;
	(void)snprintf(canonical, sizeof(canonical), "%06llu", number);
	if (strlen(canonical) != (size_t)(end - digits))
		return ENTRY_OTHER;
	*generation = (uint32_t)number;
	if (digits == name)
		return *suffix ? ENTRY_OTHER : ENTRY_COMMITTED;
	if (strcmp(suffix, ".tmp") == 0)
		return ENTRY_TMP;
	return strcmp(suffix, ".del") == 0 ? ENTRY_DEL : ENTRY_OTHER;
}

/* Call each for every generation's entry that is a directory, in no order. */
static int store_scan(const struct cr_store *s,
		      int (*each)(enum entry_kind kind, uint32_t generation, void *arg, struct cr_error *err),
		      void *arg, struct cr_error *err)
{
	cleanup_closedir DIR *stream = opendir(s->dir);
	struct dirent *entry;
	struct stat st;

	if (!stream)
		return cr_error_sys(err, errno, "cannot list %s", s->dir);
	while ((errno = 0, entry = readdir(stream))) {
		uint32_t generation = 0;
		enum entry_kind kind = entry_parse(entry->d_name, &generation);

		if (kind == ENTRY_OTHER)
			continue;
		/* it may go while we look: a prune, a commit */
		if (fstatat(dirfd(stream), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
			continue;
		if (each(kind, generation, arg, err) < 0)
			return -1;
	}
	return errno ? cr_error_sys(err, errno, "cannot list %s", s->dir) : 0;
}

struct numbers {
	uint32_t *items;
	size_t n, room;
};

static int numbers_add(struct numbers *numbers, uint32_t number, struct cr_error *err)
{
	if (numbers->n == numbers->room) {
		size_t room = numbers->room ? 2 * numbers->room : 16;
		uint32_t *items = reallocarray(numbers->items, room, sizeof(*items));

		if (!items)
			return cr_error_sys(err, ENOMEM, "list of checkpoints");
		numbers->items = items;
		numbers->room = room;
	}
	numbers->items[numbers->n++] = number;
	return 0;
}

static int list_add(enum entry_kind kind, uint32_t generation, void *arg, struct cr_error *err)
{
	return kind == ENTRY_COMMITTED ? numbers_add(arg, generation, err) : 0;
}

static int newest_first(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x < y) - (x > y);
}

int cr_store_list(const struct cr_store *s, uint32_t **generations, size_t *n, struct cr_error *err)
{
	struct numbers numbers = {0};

	if (store_scan(s, list_add, &numbers, err) < 0) {
		free(numbers.items);
		return -1;
	}
	if (numbers.n > 0)
		qsort(numbers.items, numbers.n, sizeof(*numbers.items), newest_first);
	*generations = numbers.items;
	*n = numbers.n;
	return 0;
}

static int next_seen(enum entry_kind kind, uint32_t generation, void *arg, struct cr_error *err)
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
	if (store_scan(s, next_seen, &highest, err) < 0 || cr_journal_each(s, next_journalled, &highest, err) < 0)
		return -1;
	if (highest == UINT32_MAX)
		return cr_error_set(err, EOVERFLOW, "%s: no generation number is left", s->dir);
	*generation = highest + 1;
	return 0;
}

/* ---- making one ---- */

int cr_store_begin(const struct cr_store *s, uint32_t generation, char *buf, struct cr_error *err)
{
	char images[PATH_MAX];

	cr_store_tmp_path(s, generation, buf);
	if (path_format(images, err, "%s/images", buf) < 0)
		return -1;
	if (mkdir(buf, 0700) < 0)
		return cr_error_sys(err, errno, "cannot make directory %s", buf);
	if (mkdir(images, 0700) < 0) {
		(void)cr_error_sys(err, errno, "cannot make directory %s", images);
		(void)rmdir(buf); /* the error to report is the first */
		return -1;
	}
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

int cr_store_commit(const struct cr_store *s, const struct cr_manifest *m, const char *text, const char *seal,
		    struct cr_error *err)
{
	char tmp[PATH_MAX], path[PATH_MAX];
	struct stat st;

	cr_store_tmp_path(s, m->generation, tmp);
	cr_store_path(s, m->generation, path);
	/* rename replaces an empty directory without a word */
	if (lstat(path, &st) == 0)
		return cr_error_sys(err, EEXIST, "%s", path);
	if (write_file(tmp, "manifest.json", text, err) < 0)
		return -1;
	if (seal && write_file(tmp, "manifest.seal", seal, err) < 0)
		return -1;
	if (cr_fs_sync_tree(tmp, err) < 0 || cr_fs_rename(tmp, path, err) < 0)
		return -1;
	if (cr_fs_sync_dir(s->dir, err) < 0) {
		/* whether the rename lasts is unknown: nobody may build on a generation we call failed */
		(void)cr_fs_rename(path, tmp, NULL);
		return -1;
	}
	return 0;
}

/* ---- removing ---- */

/* Move *.log of images/ to failed/, over those of the failure before. */
static int keep_logs_of(const struct cr_store *s, const char *tmp, struct cr_error *err)
{
	char images[PATH_MAX], failed[PATH_MAX], from[PATH_MAX], to[PATH_MAX];
	cleanup_closedir DIR *stream = NULL;
	struct dirent *entry;

	if (path_format(images, err, "%s/images", tmp) < 0 || path_format(failed, err, "%s/failed", s->dir) < 0)
		return -1;
	stream = opendir(images);
	if (!stream)
		return errno == ENOENT ? 0 : cr_error_sys(err, errno, "cannot list %s", images);
	if (cr_fs_mkdirs(failed, 0700, err) < 0)
		return -1;
	while ((errno = 0, entry = readdir(stream))) {
		size_t length = strlen(entry->d_name);
		struct stat st;

		if (length <= 4 || strcmp(entry->d_name + length - 4, ".log") != 0)
			continue;
		if (fstatat(dirfd(stream), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
			continue;
		if (path_format(from, err, "%s/%s", images, entry->d_name) < 0 ||
		    path_format(to, err, "%s/%s", failed, entry->d_name) < 0 || cr_fs_rename(from, to, err) < 0)
			return -1;
	}
	return errno ? cr_error_sys(err, errno, "cannot list %s", images) : 0;
}

int cr_store_abort(const struct cr_store *s, uint32_t generation, bool keep_logs, struct cr_error *err)
{
	char tmp[PATH_MAX];
	int rc = 0;

	cr_store_tmp_path(s, generation, tmp);
	if (keep_logs)
		rc = keep_logs_of(s, tmp, err);
	/* the space is wanted back even where the logs could not be kept; the first error is the one told */
	if (cr_fs_remove_tree(tmp, rc < 0 ? NULL : err) < 0)
		rc = -1;
	return rc;
}

/* Out of sight durably, then gone: a crash must not bring back half a generation under its name. */
static int remove_generation(const struct cr_store *s, uint32_t generation, struct cr_error *err)
{
	char path[PATH_MAX], del[PATH_MAX];

	cr_store_path(s, generation, path);
	store_del_path(s, generation, del);
	if (cr_fs_remove_tree(del, err) < 0) /* of an earlier try */
		return -1;
	if (cr_fs_rename(path, del, err) < 0 || cr_fs_sync_dir(s->dir, err) < 0)
		return -1;
	return cr_fs_remove_tree(del, err);
}

/* Does its manifest say this run? One that cannot be read may be of any run. */
static bool is_of_run(const struct cr_store *s, uint32_t generation, uint32_t run)
{
	struct cr_manifest m = {0};
	char path[PATH_MAX];
	bool same;

	cr_store_path(s, generation, path);
	if (cr_manifest_read(&m, path, NULL) < 0)
		return false;
	same = m.run == run;
	cr_manifest_clear(&m);
	return same;
}

int cr_store_prune(const struct cr_store *s, uint32_t run, int keep, struct cr_error *err)
{
	cleanup_free uint32_t *generations = NULL;
	size_t n = 0;

	if (keep < 1)
		return cr_error_set(err, EINVAL, "at least one checkpoint must be kept, not %d", keep);
	if (cr_store_list(s, &generations, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (!is_of_run(s, generations[i], run))
			continue;
		if (keep-- > 0)
			continue;
		if (remove_generation(s, generations[i], err) < 0)
			return -1;
	}
	return 0;
}

static int sweep_entry(enum entry_kind kind, uint32_t generation, void *arg, struct cr_error *err)
{
	const struct cr_store *s = arg;
	char path[PATH_MAX];

	if (kind == ENTRY_COMMITTED)
		return 0;
	if (kind == ENTRY_TMP)
		cr_store_tmp_path(s, generation, path);
	else
		store_del_path(s, generation, path);
	return cr_fs_remove_tree(path, err);
}

int cr_store_sweep(const struct cr_store *s, struct cr_error *err)
{
	struct cr_store copy = *s;

	return store_scan(s, sweep_entry, &copy, err);
}

int cr_store_set_aside(const struct cr_store *s, uint32_t generation, struct cr_error *err)
{
	cleanup_free uint32_t *list = NULL;
	size_t n = 0;

	if (cr_store_list(s, &list, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		char from[PATH_MAX], to[PATH_MAX + 8];

		if (list[i] <= generation)
			continue;
		cr_store_path(s, list[i], from);
		(void)snprintf(to, sizeof(to), "%s.bad", from);
		if (cr_fs_remove_tree(to, err) < 0 || cr_fs_rename(from, to, err) < 0)
			return -1;
	}
	return 0;
}
