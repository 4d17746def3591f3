/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "tree_read.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IN_BLOCK (256u << 10)

struct tree_read {
	struct archive *archive;
	int in;
	uint64_t size, at; /* of the entry's content: what it is to be, where the last piece ended */
	char path[PATH_MAX], link[PATH_MAX];
};

static int read_failed(const struct tree_read *r, struct cr_error *err)
{
	const char *text = archive_error_string(r->archive);

	return cr_error_set(err, EBADMSG, "the archive cannot be read: %s", text ? text : "damaged");
}

int tree_read_open(struct tree_read **read, int in, struct cr_error *err)
{
	struct tree_read *r = calloc(1, sizeof(*r));

	*read = r;
	if (!r)
		return cr_error_sys(err, ENOMEM, "archive");
	r->in = in;
	r->archive = archive_read_new();
	if (!r->archive)
		return cr_error_sys(err, ENOMEM, "archive");
	/* and no other format, no compression: less that can be led astray */
	if (archive_read_support_format_tar(r->archive) != ARCHIVE_OK ||
	    archive_read_open_fd(r->archive, in, IN_BLOCK) != ARCHIVE_OK)
		return read_failed(r, err);
	return 0;
}

/* No empty, "." or ".." component, not absolute; or all of it ".". */
static bool path_ok(const char *path)
{
	if (strcmp(path, ".") == 0)
		return true;
	for (const char *p = path;; p++) {
		size_t n = strcspn(p, "/");

		if (n == 0 || n > NAME_MAX || (n <= 2 && strncmp(p, "..", n) == 0))
			return false;
		p += n;
		if (!*p)
			return true;
	}
}

/* Its directory came before it, and is one. */
static bool parent_ok(const struct cr_tree *seen, const char *path)
{
	const char *slash = strrchr(path, '/');
	const struct cr_tree_entry *parent;
	char dir[PATH_MAX];

	/* a second one is a name that is there twice */
	if (strcmp(path, ".") == 0)
		return true;
	memcpy(dir, path, slash ? (size_t)(slash - path) : 0);
	dir[slash ? slash - path : 0] = '\0';
	parent = cr_tree_find(seen, slash ? dir : ".");
	return parent && S_ISDIR(parent->mode);
}

static int text_copy(char *to, const char *text, struct cr_error *err)
{
	if (!text || !*text || strlen(text) >= PATH_MAX)
		return cr_error_set(err, EBADMSG, "the archive has a name that is none");
	memcpy(to, text, strlen(text) + 1);
	return 0;
}

/* libarchive puts a slash behind a directory's name. */
static void slash_cut(char *path)
{
	size_t n = strlen(path);

	if (n > 1 && path[n - 1] == '/')
		path[n - 1] = '\0';
}

static int links_fill(struct tree_read *r, struct archive_entry *a, const struct cr_tree *seen,
		      struct cr_tree_entry *e, struct cr_error *err)
{
	const char *hard = archive_entry_hardlink(a);
	const struct cr_tree_entry *first;

	if (hard) {
		if (text_copy(r->link, hard, err) < 0)
			return -1;
		first = cr_tree_find(seen, r->link);
		if (!first || !S_ISREG(first->mode) || first->hard)
			return cr_error_set(err, EBADMSG, "%s in the archive is another name of what is not there",
					    r->path);
		e->mode = first->mode;
		e->hard = true;
		e->link = r->link;
	} else if (S_ISLNK(e->mode)) {
		if (text_copy(r->link, archive_entry_symlink(a), err) < 0)
			return -1;
		e->link = r->link;
	}
	return 0;
}

/* What we have added: the inode (0, which no file has, when it is not told) and the name. */
static int own_read(struct tree_read *r, struct archive_entry *a, struct cr_tree_entry *e, struct cr_error *err)
{
	const char *name, *path = archive_entry_pathname(a);
	const void *value;
	char digits[24] = "", whole[PATH_MAX];
	size_t size;

	archive_entry_xattr_reset(a);
	while (archive_entry_xattr_next(a, &name, &value, &size) == ARCHIVE_OK) {
		if (strcmp(name, TREE_READ_INO) == 0 && size < sizeof(digits)) {
			memcpy(digits, value, size);
			digits[size] = '\0';
		}
		if (strcmp(name, TREE_READ_NAME) != 0)
			continue;
		if (size >= sizeof(whole) || memchr(value, '\0', size))
			return cr_error_set(err, EBADMSG, "the archive has a name that is none");
		memcpy(whole, value, size);
		whole[size] = '\0';
		path = whole;
	}
	e->ino = strtoull(digits, NULL, 10);
	return text_copy(r->path, path, err);
}

/* What comes behind the archive's end belongs to the stream. */
static int rest_read(struct tree_read *r, struct cr_error *err)
{
	char rest[4096];
	ssize_t n;

	do
		n = read(r->in, rest, sizeof(rest));
	while (n > 0 || (n < 0 && errno == EINTR));
	return n < 0 ? cr_error_sys(err, errno, "the archive") : 0;
}

int tree_read_entry(struct tree_read *r, const struct cr_tree *seen, struct cr_tree_entry *e, struct cr_error *err)
{
	struct archive_entry *a;
	int rc = archive_read_next_header(r->archive, &a);

	if (rc == ARCHIVE_EOF)
		return rest_read(r, err);
	if (rc != ARCHIVE_OK)
		return read_failed(r, err);
	*e = (struct cr_tree_entry){.path = r->path,
				    .mode = archive_entry_mode(a),
				    .nlink = archive_entry_nlink(a),
				    .mtime_ns = cr_tree_time(archive_entry_mtime(a), archive_entry_mtime_nsec(a))};
	if (own_read(r, a, e, err) < 0)
		return -1;
	slash_cut(r->path);
	if (!path_ok(r->path) || !parent_ok(seen, r->path))
		return cr_error_set(err, EBADMSG, "the archive has the name %s, which leads out of the directory",
				    r->path);
	if (links_fill(r, a, seen, e, err) < 0)
		return -1;
	if (!(S_ISREG(e->mode) || S_ISDIR(e->mode) || S_ISLNK(e->mode) || S_ISFIFO(e->mode)) ||
	    (strcmp(r->path, ".") == 0 && !S_ISDIR(e->mode)))
		return cr_error_set(err, EBADMSG, "%s in the archive is of a kind that is never saved", r->path);
	if (S_ISREG(e->mode) && !e->hard && archive_entry_size(a) < 0)
		return cr_error_set(err, EBADMSG, "%s in the archive has no size", r->path);
	e->size = S_ISREG(e->mode) && !e->hard ? (uint64_t)archive_entry_size(a) : 0;
	r->size = e->size;
	r->at = 0;
	return 1;
}

int tree_read_data(struct tree_read *r, const void **data, size_t *size, uint64_t *offset, struct cr_error *err)
{
	la_int64_t at = 0;
	int rc;

	if (r->size == 0)
		return 0;
	do
		rc = archive_read_data_block(r->archive, data, size, &at);
	while (rc == ARCHIVE_OK && *size == 0);
	if (rc == ARCHIVE_EOF)
		return 0;
	if (rc != ARCHIVE_OK)
		return read_failed(r, err);
	if (at < 0 || (uint64_t)at < r->at || (uint64_t)at > r->size || *size > r->size - (uint64_t)at)
		return cr_error_set(err, EBADMSG, "%s in the archive has content where none can be", r->path);
	*offset = (uint64_t)at;
	r->at = *offset + *size;
	return 1;
}

void tree_read_close(struct tree_read *r)
{
	if (!r)
		return;
	if (r->archive)
		(void)archive_read_free(r->archive);
	free(r);
}
