/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* edit_files.c - what criu compares of a file before it goes on with it
 *
 * criu refuses a file that has another size or mode than at the dump, if its entry says which that was. What the
 * job has written is put back by us, and what it has opened to read may be as it is now: somebody appends to it,
 * or protects it. What stays is the size of what is mapped, for a program counts on its code and on the data
 * beside it; unless it has no code, is the same file, and has grown.
 */

#include "edits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/files.pb-c.h"
#include "timefmt.h"

#define SECOND_NS INT64_C(1000000000)

static int name_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool names_have(const char **names, size_t n, const char *name)
{
	return n > 0 && bsearch(&name, names, n, sizeof(*names), name_compare);
}

/* The programs and libraries, and what the job writes; once. */
static int names_sort(struct edits *edits, struct cr_error *err)
{
	const struct cr_manifest *m = edits->m;

	if (edits->outputs)
		return 0;
	edits->binaries = calloc(m->n_binaries + 1, sizeof(*edits->binaries));
	edits->outputs = calloc(m->n_outputs + 1, sizeof(*edits->outputs));
	if (!edits->binaries || !edits->outputs)
		return cr_error_sys(err, ENOMEM, "image reader");
	for (size_t i = 0; i < m->n_binaries; i++)
		edits->binaries[i] = m->binaries[i].path;
	for (size_t i = 0; i < m->n_outputs; i++)
		edits->outputs[i] = m->outputs[i].path;
	qsort(edits->binaries, m->n_binaries, sizeof(*edits->binaries), name_compare);
	qsort(edits->outputs, m->n_outputs, sizeof(*edits->outputs), name_compare);
	return 0;
}

/* Is it the file that was there? Whoever replaces one, as an upgrade does, makes another. Where the file system
 * does not know when it was made it counts whose it is: what may be software is root's. */
static bool was_there(const struct edits *edits, const char *path, const struct stat *st)
{
	int64_t then = edits->m->time ? cr_time_parse(edits->m->time) : -1;
	struct statx made;

	if (st->st_uid == geteuid())
		return true;
	if (then < 0 || statx(AT_FDCWD, path, 0, STATX_BTIME, &made) < 0 || !(made.stx_mask & STATX_BTIME))
		return st->st_uid != 0;
	return made.stx_btime.tv_sec <= then / SECOND_NS;
}

/* Somebody has appended to what is mapped. */
static bool has_grown(struct edits *edits, const Criu__RegFileEntry *reg, const struct stat *st)
{
	if ((uint64_t)st->st_size < reg->size || names_have(edits->binaries, edits->m->n_binaries, reg->name) ||
	    !was_there(edits, reg->name, st))
		return false;
	if ((uint64_t)st->st_size > reg->size)
		edits_remark(
			edits,
			"%s, which the job has mapped, had %llu bytes at the checkpoint and has %llu: the job "
			"goes on with what is there",
			reg->name, (unsigned long long)reg->size, (unsigned long long)st->st_size);
	return true;
}

/* May it have another size? What criu has not found by a descriptor, mappings among it, has no flags. */
static bool size_free(struct edits *edits, const Criu__RegFileEntry *reg, const struct stat *st)
{
	if (reg->flags != 0 || names_have(edits->outputs, edits->m->n_outputs, reg->name))
		return true;
	return has_grown(edits, reg, st);
}

/* To work in a directory takes no permission to read it. */
static bool directory_free(const Criu__RegFileEntry *reg, const struct stat *st)
{
	return reg->flags == 0 && S_ISDIR(st->st_mode) && faccessat(AT_FDCWD, reg->name, R_OK, AT_EACCESS) < 0;
}

int edit_files(ProtobufCMessage *message, struct cr_criuedit_entry *at, struct cr_error *err)
{
	Criu__RegFileEntry *reg = ((Criu__FileEntry *)message)->reg;
	struct edits *edits = at->arg;
	struct stat st;

	if (!reg || !reg->name || reg->name[0] != '/' || reg->ext || !reg->has_mode)
		return CR_CRIUEDIT_KEEP;
	/* what is not there, or is another kind of thing, criu will not take */
	if (fstatat(AT_FDCWD, reg->name, &st, S_ISLNK(reg->mode) ? AT_SYMLINK_NOFOLLOW : 0) < 0 ||
	    (st.st_mode & S_IFMT) != (reg->mode & S_IFMT))
		return CR_CRIUEDIT_KEEP;
	if (names_sort(edits, err) < 0)
		return -1;
	reg->has_mode = false;
	if (size_free(edits, reg, &st))
		reg->has_size = false;
	if (directory_free(reg, &st)) {
		reg->has_flags = true;
		reg->flags = O_PATH;
	}
	return CR_CRIUEDIT_CHANGED;
}
