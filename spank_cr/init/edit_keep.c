/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "edits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/files.pb-c.h"

bool edit_keep_wanted(void *arg)
{
	const struct edits *edits = arg;

	return edits->job->files == CR_FILES_KEEP;
}

static int name_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The files whose size and mode do not matter to the job; once. */
static int kept_sort(struct edits *edits, struct cr_error *err)
{
	if (edits->kept)
		return 0;
	edits->kept = calloc(edits->m->n_outputs + 1, sizeof(*edits->kept));
	if (!edits->kept)
		return cr_error_sys(err, ENOMEM, "image reader");
	for (size_t i = 0; i < edits->m->n_outputs; i++)
		edits->kept[i] = edits->m->outputs[i].path;
	qsort(edits->kept, edits->m->n_outputs, sizeof(*edits->kept), name_compare);
	return 0;
}

int edit_keep(ProtobufCMessage *message, struct cr_criuedit_entry *at, struct cr_error *err)
{
	Criu__RegFileEntry *reg = ((Criu__FileEntry *)message)->reg;
	struct edits *edits = at->arg;

	if (!reg || !reg->name || (!reg->has_size && !reg->has_mode))
		return CR_CRIUEDIT_KEEP;
	if (kept_sort(edits, err) < 0)
		return -1;
	if (!bsearch(&reg->name, edits->kept, edits->m->n_outputs, sizeof(*edits->kept), name_compare))
		return CR_CRIUEDIT_KEEP;
	reg->has_size = reg->has_mode = false;
	return CR_CRIUEDIT_CHANGED;
}
