/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "edits.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "imgproc.h"
#include "proto/core.pb-c.h"
#include "proto/files.pb-c.h"
#include "proto/mm.pb-c.h"

#define IMAGES "images/"

static const struct cr_criuedit table[] = {
	{.pattern = "core-*.img",
	 .type = &criu__core_entry__descriptor,
	 .entry = edit_limits,
	 .wanted = edit_limits_wanted},
	{.pattern = "core-*.img", .type = &criu__core_entry__descriptor, .entry = edit_timers},
	{.pattern = "files.img",
	 .type = &criu__file_entry__descriptor,
	 .entry = edit_ghost_names,
	 .wanted = edit_ghosts_wanted},
	{.pattern = "remap-fpath.img",
	 .type = &criu__remap_file_path_entry__descriptor,
	 .entry = edit_ghost_remap},
	{.pattern = "ghost-file-*.img", .type = &criu__ghost_file_entry__descriptor, .entry = edit_ghost},
	{.pattern = "files.img", .type = &criu__file_entry__descriptor, .entry = edit_files},
	{.pattern = "files.img", .type = &criu__file_entry__descriptor, .entry = edit_sockets},
	{.pattern = "mm-*.img", .type = &criu__mm_entry__descriptor, .entry = edit_mm},
	{0},
};

/* The worker reads them when criu is done: the socket must have room for why the reader fails. */
#define REMARKS_MAX 32

void edits_remark(struct edits *edits, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (++edits->remarks > REMARKS_MAX)
		return;
	if (edits->remarks == REMARKS_MAX) {
		imgproc_remark(edits->control, "and more of this kind");
		return;
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	imgproc_remark(edits->control, text);
}

static int next(void *reader, const void **data, size_t *size, struct cr_error *err)
{
	return cr_image_reader_next(reader, data, size, err);
}

int edits_open(struct cr_criuedit_run **run, struct edits *edits, const char *stream,
	       struct cr_image_reader *reader, struct cr_error *err)
{
	*run = NULL;
	if (strncmp(stream, IMAGES, strlen(IMAGES)) != 0)
		return 0;
	return cr_criuedit_open(run, stream + strlen(IMAGES), table, edits, next, reader, err);
}
