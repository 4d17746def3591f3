/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "directories.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"
#include "place.h"
#include "private.h"
#include "proc.h"

#define LIST_MAX  (1u << 20)
#define MODE_ROOM 8

struct record {
	struct directories *d;
	struct cr_error *err;
};

static int directory_add(struct directories *d, const char *path, size_t length, mode_t mode, struct cr_error *err)
{
	struct directory *more;

	/* files of one directory mostly come one after the other */
	if (d->n > 0 && strncmp(d->list[d->n - 1].path, path, length) == 0 &&
	    d->list[d->n - 1].path[length] == '\0')
		return 0;
	if ((d->n & (d->n - 1)) == 0) {
		more = reallocarray(d->list, d->n ? 2 * d->n : 1, sizeof(*more));
		if (!more)
			return cr_error_sys(err, ENOMEM, "the job's directories");
		d->list = more;
	}
	d->list[d->n].path = strndup(path, length);
	if (!d->list[d->n].path)
		return cr_error_sys(err, ENOMEM, "the job's directories");
	d->list[d->n].mode = mode;
	d->list[d->n].made = false;
	d->n++;
	return 0;
}

static int process_each(const char *path, void *arg)
{
	struct record *record = arg;

	if (private_has(path))
		return 0;
	return directory_add(record->d, path, strlen(path), 0, record->err);
}

static int directory_compare(const void *a, const void *b)
{
	return strcmp(((const struct directory *)a)->path, ((const struct directory *)b)->path);
}

static void directories_unique(struct directories *d)
{
	size_t kept = 0;

	if (d->n > 0)
		qsort(d->list, d->n, sizeof(*d->list), directory_compare);
	for (size_t i = 0; i < d->n; i++) {
		if (kept > 0 && strcmp(d->list[kept - 1].path, d->list[i].path) == 0)
			free(d->list[i].path);
		else
			d->list[kept++] = d->list[i];
	}
	d->n = kept;
}

/* What is above those in the list. */
static int ancestors_add(struct directories *d, struct cr_error *err)
{
	size_t n = d->n;

	for (size_t i = 0; i < n; i++) {
		char *path = d->list[i].path;

		for (size_t length = strlen(path); length > 1; length--) {
			if (path[length - 1] == '/' && directory_add(d, path, length - 1, 0, err) < 0)
				return -1;
			path = d->list[i].path;
		}
	}
	return 0;
}

/* Their modes; what is no directory (the job's own name for a deleted one) is not taken. */
static void modes_read(struct directories *d)
{
	size_t kept = 0;
	struct stat st;

	for (size_t i = 0; i < d->n; i++) {
		if (lstat(d->list[i].path, &st) < 0 || !S_ISDIR(st.st_mode)) {
			free(d->list[i].path);
			continue;
		}
		d->list[kept] = d->list[i];
		d->list[kept++].mode = st.st_mode & 07777;
	}
	d->n = kept;
}

int directories_record(struct directories *d, const struct cr_manifest *m, const pid_t *pids, size_t n,
		       struct cr_error *err)
{
	struct record record = {.d = d, .err = err};

	*d = (struct directories){0};
	for (size_t i = 0; i < m->n_outputs; i++) {
		const char *path = m->outputs[i].path, *slash = strrchr(path, '/');

		if (slash > path && directory_add(d, path, (size_t)(slash - path), 0, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < n; i++) {
		if (cr_proc_directories(pids[i], process_each, &record, err) < 0)
			return -1;
	}
	directories_unique(d);
	if (ancestors_add(d, err) < 0)
		return -1;
	directories_unique(d);
	modes_read(d);
	return 0;
}

int directories_write(const struct directories *d, int fd, struct cr_error *err)
{
	cleanup_free char *text = NULL;
	size_t room = 1, used = 0;

	for (size_t i = 0; i < d->n; i++)
		room += strlen(d->list[i].path) + MODE_ROOM;
	text = malloc(room);
	if (!text)
		return cr_error_sys(err, ENOMEM, "the job's directories");
	for (size_t i = 0; i < d->n; i++)
		used += (size_t)snprintf(text + used, room - used, "%04o %s", (unsigned)d->list[i].mode,
					 d->list[i].path) +
			1;
	return cr_fs_write_all(fd, text, used, err);
}

static int directory_parse(struct directories *d, const char *text, struct cr_error *err)
{
	if (strspn(text, "01234567") != 4 || text[4] != ' ' || text[5] != '/' || strlen(text + 5) >= PATH_MAX)
		return cr_error_set(err, EBADMSG, "the list of the job's directories is damaged");
	return directory_add(d, text + 5, strlen(text + 5), (mode_t)strtoul(text, NULL, 8), err);
}

int directories_read(struct directories *d, int fd, struct cr_error *err)
{
	cleanup_fclose FILE *f = NULL;
	cleanup_free char *text = NULL;
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	size_t room = 0;
	ssize_t n;

	*d = (struct directories){0};
	f = own >= 0 ? fdopen(own, "r") : NULL;
	if (!f) {
		if (own >= 0)
			close(own);
		return cr_error_sys(err, errno, "the job's directories");
	}
	while ((n = getdelim(&text, &room, '\0', f)) > 0) {
		if (text[n - 1] != '\0' || d->n >= LIST_MAX)
			return cr_error_set(err, EBADMSG, "the list of the job's directories is damaged");
		if (directory_parse(d, text, err) < 0)
			return -1;
	}
	directories_unique(d);
	return 0;
}

int directories_check(const struct directories *d, const struct cr_manifest *m, struct cr_error *err)
{
	for (size_t i = 0; i < d->n; i++) {
		if (!(m && place_goes_back(m, d->list[i].path)) && place_directory(d->list[i].path, err) < 0)
			return -1;
	}
	return 0;
}

int directories_make(struct directories *d, struct cr_error *err)
{
	for (size_t i = 0; i < d->n; i++) {
		struct directory *one = &d->list[i];
		int rc = place_directory(one->path, err);

		if (rc < 0 || (rc == 0 && place_mkdir(one->path, one->mode | 0700, err) < 0))
			return -1;
		one->made = rc == 0;
	}
	return 0;
}

int directories_finish(const struct directories *d, struct cr_error *err)
{
	/* from the inner ones outwards */
	for (size_t i = d->n; i-- > 0;) {
		if (d->list[i].made && chmod(d->list[i].path, d->list[i].mode) < 0)
			return cr_error_sys(err, errno, "the mode of %s", d->list[i].path);
	}
	return 0;
}

bool directories_have(const struct directories *d, const char *path)
{
	const struct directory key = {.path = (char *)(size_t)path};

	return d->n > 0 && bsearch(&key, d->list, d->n, sizeof(*d->list), directory_compare);
}

void directories_clear(struct directories *d)
{
	for (size_t i = 0; i < d->n; i++)
		free(d->list[i].path);
	free(d->list);
	*d = (struct directories){0};
}
