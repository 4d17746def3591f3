/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* outfile.h - a new file written from its beginning to its end, in large pieces, on its way to the disk at once */

#ifndef CR_OUTFILE_H
#define CR_OUTFILE_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct cr_outfile {
	int fd;
	char *path;
	unsigned char *buffer;
	size_t room, used;
	uint64_t offset; /* of what is in the buffer, in the file */
};

/* Create path, which must not exist. buffer: bytes that are collected before they are written. On error out is
 * released. */
int cr_outfile_create(struct cr_outfile *out, const char *path, size_t buffer, struct cr_error *err);

int cr_outfile_put(struct cr_outfile *out, const void *data, size_t size, struct cr_error *err);

/* Bytes that were put so far. */
uint64_t cr_outfile_size(const struct cr_outfile *out);

/* Write what is left, sync, close. */
int cr_outfile_finish(struct cr_outfile *out, struct cr_error *err);

/* Release everything; the file stays as far as it was written. */
void cr_outfile_release(struct cr_outfile *out);

#endif
