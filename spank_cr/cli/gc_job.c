/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* gc_job.c - what one ended job has left, and which of it goes */

#include "gc.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "duration.h"
#include "fs.h"
#include "record.h"
#include "restart.h"
#include "store.h"

/* A part while it is looked at. */
struct part {
	struct gc *gc;
	uint32_t job;
	struct cr_store store;
};

/* ---- how much, how old ---- */

static int64_t file_bytes(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISREG(st.st_mode) ? (int64_t)st.st_size : 0;
}

/* The content of all regular files below path; a link is not followed. What cannot be read counts nothing. */
static int64_t tree_bytes(const char *path)
{
	char *const roots[] = {(char *)(uintptr_t)path, NULL};
	FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	int64_t sum = 0;
	FTSENT *entry;

	while (walk && (entry = fts_read(walk)))
		if (entry->fts_info == FTS_F)
			sum += entry->fts_statp->st_size;
	if (walk)
		(void)fts_close(walk); /* nothing was changed */
	return sum;
}

static void newest(int64_t *time, const char *dir, const char *name)
{
	char path[2 * PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s%s%s", dir, *name ? "/" : "", name);
	if (lstat(path, &st) == 0 && st.st_mtime > *time)
		*time = st.st_mtime;
}

/* When the job last had something to say. Not when a directory was last changed: that may have been gc. */
static int64_t part_time(const char *dir)
{
	cleanup_closedir DIR *stream = opendir(dir);
	struct dirent *entry;
	int64_t time = 0;

	newest(&time, dir, "journal.jsonl");
	newest(&time, dir, "crinit.log");
	while (stream && (entry = readdir(stream))) {
		char name[NAME_MAX + 32];

		snprintf(name, sizeof(name), "%s/manifest.json", entry->d_name);
		if (entry->d_name[0] != '.')
			newest(&time, dir, name);
	}
	if (!time)
		newest(&time, dir, "");
	return time;
}

/* ---- how it ended ---- */

enum fate { FATE_UNKNOWN, FATE_COMPLETED, FATE_FAILED, FATE_KEPT };

struct ending {
	enum fate fate;
	uint32_t started;
};

static int fate_line(const struct cr_journal_event *event, void *arg)
{
	struct ending *ending = arg;
	enum fate *fate = &ending->fate;

	if (cr_restart_late(event, &ending->started))
		return 0;
	if (!strcmp(event->event, "completed"))
		*fate = event->reason && !strcmp(event->reason, "keep") ? FATE_KEPT : FATE_COMPLETED;
	else if (!strcmp(event->event, "ended"))
		*fate = FATE_FAILED;
	else if (!strcmp(event->event, "fresh") || !strcmp(event->event, "restored"))
		*fate = FATE_UNKNOWN; /* it was started again */
	return 0;
}

/* ---- removing ---- */

static int tell(struct gc *gc, uint32_t job, const char *path, const char *why, int64_t bytes,
		struct cr_error *err)
{
	json_t *item = json_pack("{s:I, s:o, s:s, s:I}", "job", (json_int_t)job, "path", record_text(path), "why",
				 why, "bytes", (json_int_t)bytes);

	if (json_array_append_new(gc->removed, item) < 0)
		return cr_error_sys(err, ENOMEM, "answer");
	return 0;
}

static int remove_path(struct gc *gc, uint32_t job, const char *path, const char *why, struct cr_error *err)
{
	int64_t bytes = tree_bytes(path);

	if (!gc->dry_run && cr_fs_remove_tree(path, err) < 0)
		return -1;
	return tell(gc, job, path, why, bytes, err);
}

static int leftover(const char *path, void *arg, struct cr_error *err)
{
	const struct part *part = arg;

	return remove_path(part->gc, part->job, path, "left by a crash", err);
}

/* All but the journal and crinit.log. */
static int part_clear(const struct part *part, const char *why, struct cr_error *err)
{
	char journal[PATH_MAX + 32], log[PATH_MAX + 32];
	int64_t bytes;

	snprintf(journal, sizeof(journal), "%s/journal.jsonl", part->store.dir);
	snprintf(log, sizeof(log), "%s/crinit.log", part->store.dir);
	bytes = tree_bytes(part->store.dir) - file_bytes(journal) - file_bytes(log);
	if (bytes <= 0)
		return 0;
	if (!part->gc->dry_run && cr_store_clear(&part->store, err) < 0)
		return -1;
	return tell(part->gc, part->job, part->store.dir, why, bytes, err);
}

static int part_remove(const struct part *part, struct cr_error *err)
{
	int64_t bytes = tree_bytes(part->store.dir);
	char why[64], age[32];

	snprintf(why, sizeof(why), "older than %s",
		 cr_duration_format(part->gc->config->max_age, age, sizeof(age)));
	if (!part->gc->dry_run &&
	    (cr_store_clear(&part->store, err) < 0 || cr_fs_remove_tree(part->store.dir, err) < 0))
		return -1;
	return tell(part->gc, part->job, part->store.dir, why, bytes, err);
}

static int part_collect(struct part *part, struct cr_error *err)
{
	const struct cr_config *config = part->gc->config;
	struct ending ending = {.fate = FATE_UNKNOWN};

	if (part->gc->now - part_time(part->store.dir) > config->max_age)
		return part_remove(part, err);
	if (cr_journal_each(&part->store, fate_line, &ending, err) < 0)
		return -1;
	if (ending.fate == FATE_COMPLETED && config->on_complete)
		return part_clear(part, "of a completed job", err);
	if (ending.fate == FATE_FAILED && config->on_failure)
		return part_clear(part, "of a failed job", err);
	return cr_store_leftovers(&part->store, leftover, part, err);
}

/* ---- a job ---- */

/* A directory that has something in it stays. */
static int remove_empty(struct gc *gc, const char *path, struct cr_error *err)
{
	if (gc->dry_run || rmdir(path) == 0 || errno == ENOTEMPTY || errno == EEXIST || errno == ENOENT)
		return 0;
	return cr_error_sys(err, errno, "cannot remove %s", path);
}

static int job_parts(struct gc *gc, const char *place, uint32_t job, struct cr_error *err)
{
	cleanup_closedir DIR *stream = NULL;
	char path[PATH_MAX + 16];
	struct dirent *entry;

	snprintf(path, sizeof(path), "%s/%u", place, job);
	if (cr_fs_check_owned(path, gc->uid, err) < 0)
		return -1;
	stream = opendir(path);
	if (!stream)
		return cr_error_sys(err, errno, "cannot list %s", path);
	while ((errno = 0, entry = readdir(stream))) {
		struct part part = {.gc = gc, .job = job};
		struct stat st;

		if (!cr_manifest_part_ok(entry->d_name) ||
		    fstatat(dirfd(stream), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
			continue;
		if (cr_store_open(&part.store, place, job, entry->d_name, gc->uid, false, err) < 0 ||
		    part_collect(&part, err) < 0 || remove_empty(gc, part.store.dir, err) < 0)
			return -1;
	}
	if (errno)
		return cr_error_sys(err, errno, "cannot list %s", path);
	return remove_empty(gc, path, err);
}

/* A link from the site's directory to one that is not there any more. */
static int remove_dangling(struct gc *gc, const char *link, struct cr_error *err)
{
	struct stat st;

	if (gc->dry_run || lstat(link, &st) < 0 || !S_ISLNK(st.st_mode) || stat(link, &st) == 0 || errno != ENOENT)
		return 0;
	return cr_fs_unlink(link, err);
}

int gc_job(struct gc *gc, const char *dir, uint32_t job, struct cr_error *err)
{
	char place[PATH_MAX], link[PATH_MAX + 16];

	snprintf(link, sizeof(link), "%s/%u", dir, job);
	if (record_place(dir, job, place, err) < 0) {
		if (err->errnum != ENOENT)
			return -1;
	} else if (job_parts(gc, place, job, err) < 0)
		return cr_error_prefix(err, "job %u", job);
	return remove_dangling(gc, link, err);
}

int gc_old(struct gc *gc, const char *dir, const char *name, uint32_t job, struct cr_error *err)
{
	char path[2 * PATH_MAX], age[32], why[64];
	const char *moved = strrchr(name, '-');
	int64_t time = moved ? strtoll(moved + 1, NULL, 10) : 0;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	newest(&time, path, "");
	if (gc->now - time <= gc->config->max_age)
		return 0;
	snprintf(why, sizeof(why), "older than %s", cr_duration_format(gc->config->max_age, age, sizeof(age)));
	return remove_path(gc, job, path, why, err);
}
