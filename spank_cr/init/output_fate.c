/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "output_fate.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "output_record.h"
#include "output_set.h"
#include "place.h"

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

bool output_has_copy(const struct output_restore *r, size_t first)
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

bool output_changed(const struct cr_manifest_output *o, const struct stat *st)
{
	int64_t mtime = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;

	/* before format 3 the time was not recorded */
	return (uint64_t)st->st_size != o->size || (o->links > 0 && mtime != o->mtime_ns);
}

static size_t names_count(const struct output_restore *r, size_t first)
{
	size_t n = 0;

	for (size_t i = first; i != OUTPUT_NONE; i = r->next[i])
		n++;
	return n;
}

/* The file is where it was, by the name i. */
static int same_check(const struct output_restore *r, size_t first, const struct place *p, const struct stat *st,
		      struct cr_error *err)
{
	const struct cr_manifest_output *o = &r->m->outputs[first];
	struct output_fate *fate = &r->fates[first];
	bool copy = output_has_copy(r, first);
	cleanup_close int fd = -1;

	if (st->st_uid != geteuid()) {
		fate->leave = true;
		if (output_changed(o, st))
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
	fate->fresh = copy && o->links > 0 && st->st_nlink > o->links && output_changed(o, st);
	if (fate->fresh)
		return parent_check(p, err);
	if (st->st_nlink > names_count(r, first) && output_changed(o, st) && (r->rolled || !r->m->n_rollbacks))
		job_log(r->job, 1,
			"%s has names that the job does not have open: it is put back under all of them", p->path);
	fd = place_file(p, copy ? O_RDWR : O_WRONLY, st->st_ino, err);
	/* protected since then: there is nothing to write, and the mode is its owner's */
	fate->leave = fd < 0 && err->errnum == EACCES && o->links > 0 && !output_changed(o, st);
	return fd < 0 && !fate->leave ? -1 : 0;
}

/* Something else, or nothing, is where name i of the file was. */
static int other_check(const struct output_restore *r, size_t first, const struct place *p, const struct stat *st,
		       struct cr_error *err)
{
	bool can =
		output_has_copy(r, first) || (r->fates[first].at != OUTPUT_NONE && r->job->files == CR_FILES_COPY);

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

/* Every name of it is the user's own, and in a directory that goes back as a whole. */
static bool group_goes_back(const struct output_restore *r, size_t first)
{
	for (size_t i = first; i != OUTPUT_NONE; i = r->next[i]) {
		if (r->m->outputs[i].uid != geteuid() || !place_goes_back(r->m, r->m->outputs[i].path))
			return false;
	}
	return true;
}

/* It has been put back with its directory, as a new file perhaps: it is known by its path, size and time. */
static bool group_is_back(const struct output_restore *r, size_t first)
{
	struct stat st, was = {0};

	for (size_t i = first; i != OUTPUT_NONE; i = r->next[i]) {
		cleanup_place struct place p = {.dir = -1};
		struct cr_error ignored;

		if (name_look(r, i, &p, &st, &ignored) != 1 || st.st_uid != geteuid() ||
		    output_changed(&r->m->outputs[first], &st) || (i != first && st.st_ino != was.st_ino))
			return false;
		was = st;
	}
	return true;
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
		bool goes_back = r->first[i] && group_goes_back(r, i);

		if (!r->first[i])
			continue;
		r->fates[i] = (struct output_fate){.at = OUTPUT_NONE};
		if (goes_back && r->rolled && group_is_back(r, i)) {
			r->fates[i] = (struct output_fate){.at = i, .leave = true};
			continue;
		}
		if ((r->job->files == CR_FILES_KEEP ? kept_check(r, i, err) : group_check(r, i, err)) < 0 &&
		    (!goes_back || r->rolled))
			return -1;
	}
	return 0;
}
