/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "output_restore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundle.h"
#include "cleanup.h"
#include "content.h"
#include "output_record.h"
#include "output_set.h"
#include "place.h"

#define TEMPORARY 48

static void place_cleanup(struct place *p)
{
	place_close(p);
}

#define cleanup_place __attribute__((cleanup(place_cleanup)))

/* ---- which names are the same file ---- */

int output_restore_open(struct output_restore *r, const struct job *job, const struct cr_manifest *m,
			const struct directories *directories, struct cr_error *err)
{
	struct output_set set = {0};

	*r = (struct output_restore){.job = job, .m = m, .directories = directories};
	r->next = calloc(m->n_outputs + 1, sizeof(*r->next));
	r->first = calloc(m->n_outputs + 1, sizeof(*r->first));
	r->fates = calloc(m->n_outputs + 1, sizeof(*r->fates));
	if (!r->next || !r->first || !r->fates)
		return cr_error_sys(err, ENOMEM, "restoring files");
	if (output_set_update(&set, m, err) < 0)
		return -1;
	/* from the end, so that each chain has its names in order */
	for (size_t i = m->n_outputs; i-- > 0;) {
		const struct cr_manifest_output *o = &m->outputs[i];
		size_t first = output_set_find(&set, m, o->dev, o->ino, NULL);

		r->fates[i].at = OUTPUT_NONE;
		if (r->next[i] == 0)
			r->next[i] = OUTPUT_NONE;
		if (first == i) {
			/* the copies of stdout and stderr are not ours */
			r->first[i] = !o->saved || output_copied(o);
			continue;
		}
		r->next[i] = r->next[first] ? r->next[first] : OUTPUT_NONE;
		r->next[first] = i;
	}
	output_set_clear(&set);
	return 0;
}

void output_restore_close(struct output_restore *r)
{
	free(r->next);
	free(r->first);
	free(r->fates);
	*r = (struct output_restore){0};
}

/* ---- look ---- */

/* There is a copy, and it is wanted. */
static bool has_copy(const struct output_restore *r, size_t first)
{
	return r->job->files == CR_FILES_COPY && output_copied(&r->m->outputs[first]);
}

static const char *no_copy(const struct output_restore *r)
{
	return r->job->files == CR_FILES_COPY ? "the checkpoint has no copy of it"
					      : "with --checkpoint-files=truncate there is no copy of it";
}

/* Before something is put into a directory. */
static int parent_check(const struct place *p, struct cr_error *err)
{
	if (faccessat(p->dir, ".", W_OK | X_OK, AT_EACCESS) < 0)
		return cr_error_sys(err, errno, "the directory of %s", p->path);
	return 0;
}

/* Look at one name. Returns 1 when a regular file is there, 0 when nothing is. */
static int name_look(const struct output_restore *r, size_t i, struct place *p, struct stat *st,
		     struct cr_error *err)
{
	const char *path = r->m->outputs[i].path;
	char parent[PATH_MAX];
	int rc = place_open(p, path, err);

	if (rc == 0)
		return place_look(p, st, err);
	if (err->errnum != ENOENT || r->job->files != CR_FILES_COPY)
		return -1;
	snprintf(parent, sizeof(parent), "%.*s", (int)(strrchr(path, '/') - path), path);
	return directories_have(r->directories, parent) ? 0 : -1;
}

static bool is_changed(const struct cr_manifest_output *o, const struct stat *st)
{
	int64_t mtime = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;

	/* before format 3 the time was not recorded */
	return (uint64_t)st->st_size != o->size || (o->links > 0 && mtime != o->mtime_ns);
}

/* The file is where it was, by the name i. */
static int same_check(const struct output_restore *r, size_t first, const struct place *p, const struct stat *st,
		      struct cr_error *err)
{
	const struct cr_manifest_output *o = &r->m->outputs[first];
	struct output_fate *fate = &r->fates[first];
	bool copy = has_copy(r, first);
	cleanup_close int fd = -1;

	if (st->st_uid != geteuid()) {
		fate->leave = true;
		if (is_changed(o, st))
			return cr_error_set(
				err, EPERM,
				"%s belongs to user %u and was changed since the checkpoint: it is not "
				"put back (--checkpoint-files=keep goes on with it as it is)",
				p->path, (unsigned)st->st_uid);
		return 0;
	}
	if (!copy && (uint64_t)st->st_size < o->size)
		return cr_error_set(err, EIO,
				    "%s has %lld bytes and had %llu at the checkpoint: content was lost, and %s",
				    p->path, (long long)st->st_size, (unsigned long long)o->size, no_copy(r));
	/* under a name that it got since then it may be what somebody keeps */
	fate->fresh = copy && o->links > 0 && st->st_nlink > o->links && is_changed(o, st);
	if (fate->fresh)
		return parent_check(p, err);
	if (o->links > 0 && st->st_nlink > o->links && (uint64_t)st->st_size != o->size)
		job_log(r->job, 0, "%s has got another name since the checkpoint, and is truncated under both: %s",
			p->path, no_copy(r));
	fd = place_file(p, copy ? O_RDWR : O_WRONLY, st->st_ino, err);
	return fd < 0 ? -1 : 0;
}

/* Something else, or nothing, is where name i of the file was. */
static int other_check(const struct output_restore *r, size_t first, const struct place *p, const struct stat *st,
		       struct cr_error *err)
{
	bool can = has_copy(r, first) || (r->fates[first].at != OUTPUT_NONE && r->job->files == CR_FILES_COPY);

	if (st && st->st_uid != geteuid())
		return cr_error_set(err, EPERM, "%s was replaced by a file of user %u: it is not touched", p->path,
				    (unsigned)st->st_uid);
	if (!can)
		return cr_error_set(err, ENOENT, "%s was %s since the checkpoint, and %s", p->path,
				    st ? "replaced by another file" : "removed", no_copy(r));
	/* a directory that is missing will be made */
	return p->dir < 0 ? 0 : parent_check(p, err);
}

/* Find a name under which the file still is. */
static int anchor_find(struct output_restore *r, size_t first, struct cr_error *err)
{
	for (size_t i = first; i != OUTPUT_NONE; i = r->next[i]) {
		cleanup_place struct place p = {.dir = -1};
		struct stat st;
		int rc = name_look(r, i, &p, &st, err);

		if (rc < 0)
			return -1;
		if (rc == 0 || st.st_ino != r->m->outputs[first].ino)
			continue;
		r->fates[first].at = i;
		return same_check(r, first, &p, &st, err);
	}
	return 0;
}

static int group_check(struct output_restore *r, size_t first, struct cr_error *err)
{
	if (anchor_find(r, first, err) < 0)
		return -1;
	for (size_t i = first; i != OUTPUT_NONE; i = r->next[i]) {
		cleanup_place struct place p = {.dir = -1};
		struct stat st;
		int rc = name_look(r, i, &p, &st, err);

		if (rc < 0)
			return -1;
		if (rc == 1 && st.st_ino == r->m->outputs[first].ino)
			continue;
		p.path = r->m->outputs[i].path;
		if (other_check(r, first, &p, rc ? &st : NULL, err) < 0)
			return -1;
	}
	return 0;
}

/* Left as they are; criu would say less clearly that one is missing, and would follow a link. */
static int kept_check(const struct output_restore *r, size_t first, struct cr_error *err)
{
	for (size_t i = first; i != OUTPUT_NONE; i = r->next[i]) {
		cleanup_place struct place p = {.dir = -1};
		struct stat st;
		int rc = name_look(r, i, &p, &st, err);

		if (rc < 0)
			return -1;
		if (rc == 0)
			return cr_error_set(err, ENOENT,
					    "%s was removed since the checkpoint, and with "
					    "--checkpoint-files=keep it is not put back",
					    r->m->outputs[i].path);
	}
	return 0;
}

int output_check(struct output_restore *r, struct cr_error *err)
{
	for (size_t i = 0; i < r->m->n_outputs; i++) {
		if (!r->first[i])
			continue;
		if ((r->job->files == CR_FILES_KEEP ? kept_check(r, i, err) : group_check(r, i, err)) < 0)
			return -1;
	}
	return 0;
}

/* ---- change ---- */

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
	if (o->links > 0 && is_changed(o, &st) && futimens(fd, times) < 0)
		return cr_error_sys(err, errno, "the time of %s", o->path);
	return 0;
}

/* The copy of output i into fd; what is there already is not written. */
static int content_fill(struct bundle_reader *reader, size_t i, uint64_t size, int fd, struct cr_error *err)
{
	struct content c;
	const void *data;
	size_t n;
	int rc, more;

	rc = content_open(&c, fd, err);
	while (rc == 0 && (more = bundle_next(reader, (uint32_t)i, err)) != 0) {
		uint64_t offset = reader->offset;

		while (more > 0 && rc == 0 && (more = bundle_read(reader, &data, &n, err)) > 0) {
			rc = content_put(&c, offset, data, n, err);
			offset += n;
		}
		if (more < 0)
			rc = -1;
	}
	if (rc == 0)
		rc = content_end(&c, size, err);
	content_close(&c);
	return rc;
}

/* The file is where it was: in its place. */
static int same_change(const struct output_restore *r, size_t first, struct bundle_reader *reader,
		       struct cr_error *err)
{
	const struct cr_manifest_output *o = &r->m->outputs[first];
	cleanup_place struct place p = {.dir = -1};
	cleanup_close int fd = -1;
	bool copy = has_copy(r, first);
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
		return has_copy(r, first) ? copy_skip(reader, first, err) : 0;
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
