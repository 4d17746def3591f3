/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "output_restore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundle.h"
#include "cleanup.h"
#include "content.h"
#include "output_set.h"
#include "place.h"

#define TEMPORARY 48

static void temporary_name(const struct output_restore *r, size_t i, char name[TEMPORARY])
{
	snprintf(name, TEMPORARY, ".spank_cr.%u.%zu", r->job->id, i);
}

/* Mode and time of an open file of the user's own. */
static int state_put(int fd, const struct cr_manifest_output *o, struct cr_error *err)
{
	const struct timespec times[2] = {
		{.tv_nsec = UTIME_OMIT},
		{.tv_sec = o->mtime_ns / 1000000000, .tv_nsec = o->mtime_ns % 1000000000}};
	struct stat st;

	if (fstat(fd, &st) < 0)
		return cr_error_sys(err, errno, "%s", o->path);
	if ((st.st_mode & 07777) != o->mode && fchmod(fd, o->mode) < 0)
		return cr_error_sys(err, errno, "the mode of %s", o->path);
	if (o->links > 0 && output_changed(o, &st) && futimens(fd, times) < 0)
		return cr_error_sys(err, errno, "the time of %s", o->path);
	return 0;
}

/* The copy of output i into fd; what is there already is not written. */
static int content_fill(struct bundle_reader *reader, size_t i, uint64_t size, int fd, struct cr_error *err)
{
	struct cr_content c;
	const void *data;
	size_t n;
	int rc, more;

	rc = cr_content_open(&c, fd, err);
	while (rc == 0 && (more = bundle_next(reader, (uint32_t)i, err)) != 0) {
		uint64_t offset = reader->offset;

		while (more > 0 && rc == 0 && (more = bundle_read(reader, &data, &n, err)) > 0) {
			rc = cr_content_put(&c, offset, data, n, err);
			offset += n;
		}
		if (more < 0)
			rc = -1;
	}
	if (rc == 0)
		rc = cr_content_end(&c, size, err);
	cr_content_close(&c);
	return rc;
}

/* The file is where it was: in its place. */
static int same_change(const struct output_restore *r, size_t first, struct bundle_reader *reader,
		       struct cr_error *err)
{
	const struct cr_manifest_output *o = &r->m->outputs[first];
	cleanup_place struct place p = {.dir = -1};
	cleanup_close int fd = -1;
	bool copy = output_has_copy(r, first);
	int rc;

	if (place_open(&p, r->m->outputs[r->fates[first].at].path, err) < 0)
		return -1;
	fd = place_file(&p, copy ? O_RDWR : O_WRONLY, o->ino, err);
	if (fd < 0)
		return -1;
	if (copy)
		rc = content_fill(reader, first, o->size, fd, err);
	else
		rc = ftruncate(fd, (off_t)o->size) < 0 ? cr_error_sys(err, errno, "truncate") : 0;
	if (rc < 0)
		return cr_error_prefix(err, "putting %s back to %llu bytes", p.path, (unsigned long long)o->size);
	return state_put(fd, o, err);
}

/* A new file in the place of what is there now, if anything. */
static int fresh_change(const struct output_restore *r, size_t first, struct bundle_reader *reader,
			struct cr_error *err)
{
	const struct cr_manifest_output *o = &r->m->outputs[first];
	cleanup_place struct place p = {.dir = -1};
	char temporary[TEMPORARY];
	cleanup_close int fd = -1;

	temporary_name(r, first, temporary);
	if (place_open(&p, o->path, err) < 0 || place_new(&p, temporary, &fd, err) < 0)
		return -1;
	if (content_fill(reader, first, o->size, fd, err) < 0 || state_put(fd, o, err) < 0 ||
	    place_commit(&p, temporary, err) < 0) {
		place_abandon(&p, temporary);
		return cr_error_prefix(err, "making %s again", o->path);
	}
	return 0;
}

/* The other names that the job knows lead to the same file again. */
static int names_change(const struct output_restore *r, size_t first, size_t at, struct cr_error *err)
{
	cleanup_place struct place from = {.dir = -1};
	struct stat is, st;

	if (r->next[first] == OUTPUT_NONE)
		return 0;
	if (place_open(&from, r->m->outputs[at].path, err) < 0 || place_look(&from, &is, err) < 0)
		return -1;
	for (size_t i = first; i != OUTPUT_NONE; i = r->next[i]) {
		cleanup_place struct place p = {.dir = -1};
		char temporary[TEMPORARY];
		int rc;

		if (i == at)
			continue;
		rc = place_open(&p, r->m->outputs[i].path, err) < 0 ? -1 : place_look(&p, &st, err);
		if (rc < 0)
			return -1;
		if (rc == 1 && st.st_ino == is.st_ino && st.st_dev == is.st_dev)
			continue;
		temporary_name(r, i, temporary);
		if (place_link(&p, temporary, &from, err) < 0)
			return -1;
		if (place_commit(&p, temporary, err) < 0) {
			place_abandon(&p, temporary);
			return -1;
		}
	}
	return 0;
}

/* A copy that is not used is passed over. */
static int copy_skip(struct bundle_reader *reader, size_t first, struct cr_error *err)
{
	const void *data;
	size_t n;
	int more;

	while ((more = bundle_next(reader, (uint32_t)first, err)) > 0) {
		while ((more = bundle_read(reader, &data, &n, err)) > 0)
			;
		if (more < 0)
			return -1;
	}
	return more;
}

static int group_change(const struct output_restore *r, size_t first, struct bundle_reader *reader,
			struct cr_error *err)
{
	const struct output_fate *fate = &r->fates[first];
	size_t at = fate->at;
	int rc;

	if (fate->leave)
		return output_has_copy(r, first) ? copy_skip(reader, first, err) : 0;
	if (at == OUTPUT_NONE || fate->fresh) {
		at = first;
		rc = fresh_change(r, first, reader, err);
	} else {
		rc = same_change(r, first, reader, err);
	}
	return rc < 0 ? -1 : names_change(r, first, at, err);
}

int output_change(struct output_restore *r, int in, struct cr_error *err)
{
	struct bundle_reader reader = {0};
	int rc = 0;

	if (r->job->files == CR_FILES_KEEP)
		return 0;
	if (in >= 0)
		rc = bundle_reader_open(&reader, in, err);
	for (size_t i = 0; rc == 0 && i < r->m->n_outputs; i++) {
		if (r->first[i])
			rc = group_change(r, i, &reader, err);
	}
	if (rc == 0 && in >= 0)
		rc = bundle_reader_end(&reader, err);
	bundle_reader_close(&reader);
	return rc;
}
