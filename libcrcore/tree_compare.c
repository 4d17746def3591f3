/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* tree_compare.c - what there is to do until a tree is as its archive says; nothing is changed here */

#include "tree.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cleanup.h"
#include "tree_read.h"

#define BUFFER (256u << 10)

struct comparison {
	struct cr_tree_plan *plan;
	struct tree_read *read;
	char *buffer;
};

/* Does the file hold exactly these bytes at offset? Returns 1, 0, or -1. */
static int bytes_same(struct comparison *c, int fd, const void *data, size_t size, uint64_t offset,
		      struct cr_error *err)
{
	const char *p = data;

	while (size > 0) {
		ssize_t n = pread(fd, c->buffer, size < BUFFER ? size : BUFFER, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cr_error_sys(err, errno, "read");
		if (n == 0 || memcmp(p, c->buffer, (size_t)n) != 0)
			return 0;
		p += n;
		offset += (uint64_t)n;
		size -= (size_t)n;
	}
	return 1;
}

/* Is there nothing but zeros in [from, to)? */
static int zeros_same(struct comparison *c, int fd, uint64_t from, uint64_t to, struct cr_error *err)
{
	uint64_t length;

	while (cr_tree_extent(fd, to, &from, &length)) {
		while (length > 0) {
			ssize_t n = pread(fd, c->buffer, length < BUFFER ? (size_t)length : BUFFER, (off_t)from);

			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0)
				return cr_error_sys(err, errno, "read");
			if (n == 0)
				return 0;
			if (c->buffer[0] != 0 || memcmp(c->buffer, c->buffer + 1, (size_t)n - 1) != 0)
				return 0;
			from += (uint64_t)n;
			length -= (uint64_t)n;
		}
	}
	return 1;
}

/* Read the content of the archive's file to its end, and as long as fd has the same, compare. */
static int content_same(struct comparison *c, struct cr_tree_entry *e, int fd, struct cr_error *err)
{
	uint64_t at = 0, offset = 0;
	const void *data;
	size_t size;
	int rc, same = fd >= 0;

	while ((rc = tree_read_data(c->read, &data, &size, &offset, err)) > 0) {
		if (same > 0)
			same = zeros_same(c, fd, at, offset, err);
		if (same > 0)
			same = bytes_same(c, fd, data, size, offset, err);
		if (same < 0)
			return cr_error_prefix(err, "%s", e->path);
		at = offset + size;
		e->data += size;
	}
	if (rc < 0)
		return -1;
	same = same > 0 ? zeros_same(c, fd, at, e->size, err) : 0;
	return same < 0 ? cr_error_prefix(err, "%s", e->path) : same;
}

static int file_compare(struct comparison *c, struct cr_tree_entry *e, const struct cr_tree_entry *now,
			struct cr_error *err)
{
	cleanup_close int fd = -1;
	int same;

	e->state = now ? CR_TREE_CONTENT : CR_TREE_MISSING;
	/* one that cannot be read is written anew; shorter ones need no look */
	if (now && now->size >= e->size)
		fd = cr_tree_openat(&c->plan->now, e->path, O_RDONLY);
	same = content_same(c, e, fd, err);
	if (same < 0)
		return -1;
	if (same && now->size == e->size)
		e->state = CR_TREE_SAME;
	/* other names of another file may lead out of here */
	else if (same && now->ino == e->ino)
		e->state = CR_TREE_GREW;
	return 0;
}

/* The first name is compared before: it is another name of the same file if it is to stay that file. */
static void hard_compare(struct comparison *c, struct cr_tree_entry *e, const struct cr_tree_entry *now)
{
	const struct cr_tree_entry *first = cr_tree_find(&c->plan->then, e->link),
				   *there = cr_tree_find(&c->plan->now, e->link);
	bool kept = first->state == CR_TREE_SAME || first->state == CR_TREE_META || first->state == CR_TREE_GREW ||
		    (first->state == CR_TREE_CONTENT && there && there->ino == first->ino);

	e->state = now && there && kept && now->ino == there->ino ? CR_TREE_SAME : CR_TREE_MISSING;
}

static int entry_compare(struct comparison *c, struct cr_tree_entry *e, struct cr_error *err)
{
	const struct cr_tree_entry *now = cr_tree_find(&c->plan->now, e->path);

	if (now && now->stays && !e->hard && !S_ISDIR(e->mode)) {
		e->state = CR_TREE_SAME;
		return 0;
	}
	if (now && now->left)
		return cr_error_set(
			err, EPERM,
			"the place of %s is taken by something that is not the job's to replace (uid %u)", e->path,
			(unsigned)now->uid);
	if (now && (now->mode & S_IFMT) != (e->mode & S_IFMT))
		now = NULL;
	e->state = now ? CR_TREE_SAME : CR_TREE_MISSING;
	if (e->hard)
		return 0; /* hard_compare, later */
	if (S_ISREG(e->mode) && file_compare(c, e, now, err) < 0)
		return -1;
	if (S_ISLNK(e->mode) && now && strcmp(now->link, e->link) != 0)
		e->state = CR_TREE_MISSING;
	if (e->state == CR_TREE_SAME &&
	    (now->mtime_ns != e->mtime_ns || (!S_ISLNK(e->mode) && (now->mode & 07777) != (e->mode & 07777))))
		e->state = CR_TREE_META;
	return 0;
}

/* ---- when all of the archive is known ---- */

static const struct cr_tree_entry *first_name(const struct cr_tree *tree, const struct cr_tree_entry *e)
{
	return e->hard ? cr_tree_find(tree, e->link) : e;
}

/* Another inode than at the checkpoint may hold the same content, and have names that are none of this file's: of
 * another file here, or of one outside. Then a new file is made, so that these have nothing to do with it. */
static int names_compare(struct comparison *c, struct cr_error *err)
{
	struct cr_tree *then = &c->plan->then;
	cleanup_free uint32_t *names = calloc(then->n, sizeof(*names));

	if (!names)
		return cr_error_sys(err, ENOMEM, "list of files");
	for (size_t i = 0; i < then->n; i++) {
		const struct cr_tree_entry *first = first_name(then, &then->entries[i]),
					   *now = cr_tree_find(&c->plan->now, then->entries[i].path),
					   *there = cr_tree_find(&c->plan->now, first->path);

		if (now && there && S_ISREG(now->mode) && S_ISREG(there->mode) && now->ino == there->ino)
			names[first - then->entries]++;
	}
	for (size_t i = 0; i < then->n; i++) {
		struct cr_tree_entry *e = &then->entries[i];
		const struct cr_tree_entry *now = cr_tree_find(&c->plan->now, e->path);

		if (S_ISREG(e->mode) && !e->hard && (e->state == CR_TREE_SAME || e->state == CR_TREE_META) &&
		    !now->stays && now->ino != e->ino && now->nlink != names[i])
			e->state = CR_TREE_CONTENT;
	}
	for (size_t i = 0; i < then->n; i++) {
		struct cr_tree_entry *e = &then->entries[i];
		const struct cr_tree_entry *now = cr_tree_find(&c->plan->now, e->path);

		if (e->hard)
			hard_compare(c, e, now && S_ISREG(now->mode) ? now : NULL);
	}
	return 0;
}

/* What is left alone stays: a directory that it lies in cannot become anything else. A further name of what keeps
 * its place cannot be made. */
static int places_check(const struct comparison *c, struct cr_error *err)
{
	const struct cr_tree *now = &c->plan->now, *then = &c->plan->then;

	for (size_t i = 1; i < now->n; i++) {
		char path[PATH_MAX], *slash;

		if (!now->entries[i].left)
			continue;
		snprintf(path, sizeof(path), "%s", now->entries[i].path);
		while ((slash = strrchr(path, '/'))) {
			const struct cr_tree_entry *above;

			*slash = '\0';
			above = cr_tree_find(then, path);
			if (above && !S_ISDIR(above->mode))
				return cr_error_set(
					err, EPERM,
					"the place of %s is taken by a directory with %s in it, which is "
					"not the job's to remove (uid %u)",
					path, now->entries[i].path, (unsigned)now->entries[i].uid);
		}
	}
	for (size_t i = 0; i < then->n; i++) {
		const struct cr_tree_entry *e = &then->entries[i],
					   *first = e->hard ? cr_tree_find(now, e->link) : NULL;

		if (first && first->stays && e->state != CR_TREE_SAME)
			return cr_error_set(err, EPERM,
					    "%s was another name of %s, which is the job's stdout or stderr now",
					    e->path, e->link);
	}
	return 0;
}

/* Where there is nothing yet, and where another file takes the place: what is written over counts as there. */
static int space_check(struct cr_tree_plan *plan, struct cr_error *err)
{
	struct statvfs fs;
	uint64_t free, extra = 0;

	for (size_t i = 0; i < plan->then.n; i++) {
		const struct cr_tree_entry *e = &plan->then.entries[i], *now = cr_tree_find(&plan->now, e->path);

		if (e->state == CR_TREE_MISSING || (e->state == CR_TREE_CONTENT && now->ino != e->ino))
			plan->needs += e->data;
		else if (e->state == CR_TREE_CONTENT && now->size < e->data)
			plan->needs += e->data - now->size;
	}
	for (size_t i = 0; i < plan->now.n; i++) {
		const struct cr_tree_entry *e = &plan->now.entries[i];

		if (!e->left && S_ISREG(e->mode) && e->nlink == 1 && !cr_tree_find(&plan->then, e->path))
			extra += e->size;
	}
	if (plan->needs == 0 || fstatvfs(plan->now.root, &fs) < 0 || fs.f_frsize == 0 || fs.f_blocks == 0)
		return 0;
	free = (uint64_t)fs.f_bavail * fs.f_frsize;
	plan->tight = plan->needs > free;
	if (plan->needs <= free || plan->needs - free <= extra)
		return 0;
	return cr_error_set(err, ENOSPC,
			    "%" PRIu64 " MiB have to be written, and there is room for %" PRIu64 " MiB",
			    (plan->needs + (1u << 20) - 1) >> 20, (free + extra) >> 20);
}

static void plan_count(struct cr_tree_plan *plan)
{
	for (size_t i = 0; i < plan->now.n; i++) {
		if (!plan->now.entries[i].left && !cr_tree_find(&plan->then, plan->now.entries[i].path))
			plan->remove++;
	}
	for (size_t i = 0; i < plan->then.n; i++)
		plan->change += plan->then.entries[i].state != CR_TREE_SAME;
}

static int archive_compare(struct comparison *c, int in, struct cr_error *err)
{
	struct cr_tree *then = &c->plan->then;
	struct cr_tree_entry e;
	int rc;

	if (tree_read_open(&c->read, in, err) < 0)
		return -1;
	while ((rc = tree_read_entry(c->read, then, &e, err)) > 0) {
		if (cr_tree_add(then, &e, err) < 0)
			return cr_error_prefix(err, "the archive has a name twice");
		if (entry_compare(c, &then->entries[then->n - 1], err) < 0)
			return -1;
	}
	if (rc == 0 && then->n == 0)
		rc = cr_error_set(err, EBADMSG, "the archive is empty");
	if (rc == 0 && (names_compare(c, err) < 0 || places_check(c, err) < 0))
		rc = -1;
	return rc;
}

int cr_tree_compare(struct cr_tree_plan *plan, const char *dir, uid_t uid, cr_tree_leave leave, void *arg, int in,
		    struct cr_error *err)
{
	cleanup_free char *buffer = malloc(BUFFER);
	struct comparison c = {.plan = plan, .buffer = buffer};
	int rc;

	*plan = CR_TREE_PLAN_NONE;
	if (!buffer)
		return cr_error_sys(err, ENOMEM, "archive");
	if (cr_tree_open(&plan->now, dir, uid, err) < 0)
		return -1;
	rc = cr_tree_list_all(&plan->now, leave, arg, err);
	if (rc == 0)
		rc = archive_compare(&c, in, err);
	cr_tree_close_again(&plan->now);
	tree_read_close(c.read);
	if (rc == 0)
		rc = space_check(plan, err);
	if (rc == 0)
		plan_count(plan);
	return rc;
}

void cr_tree_plan_clear(struct cr_tree_plan *plan)
{
	cr_tree_close(&plan->now);
	cr_tree_close(&plan->then);
	*plan = CR_TREE_PLAN_NONE;
}
