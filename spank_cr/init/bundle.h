/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* bundle.h - the content of many files in one stream: a tar archive of pieces
 *
 * A member NUMBER/OFFSET (decimal, hex) is a piece of the file NUMBER from byte OFFSET on; numbers and the offsets
 * of each file ascend. Between pieces are holes. It is an archive because the store cuts those where members
 * begin: a file that has not changed is found again wherever it lies.
 */

#ifndef CR_INIT_BUNDLE_H
#define CR_INIT_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct bundle_writer {
	int fd;
	char *buffer;
	size_t used;
};

int bundle_writer_open(struct bundle_writer *w, int fd, struct cr_error *err);

/* Add bytes [offset, offset + length) of file in as a piece of the file number. A file that is shorter is an
 * error. */
int bundle_add(struct bundle_writer *w, uint32_t number, int in, uint64_t offset, uint64_t length,
	       struct cr_error *err);

/* Write the end and what is left. */
int bundle_writer_end(struct bundle_writer *w, struct cr_error *err);
void bundle_writer_close(struct bundle_writer *w);

struct bundle_reader {
	/* the piece that bundle_next has found */
	uint32_t number;
	uint64_t offset, length;

	int fd;
	char *buffer;
	uint64_t left; /* of the piece and its padding, not yet read */
	bool found, ended;
};

int bundle_reader_open(struct bundle_reader *r, int fd, struct cr_error *err);

/* Is the next piece one of file number? Returns 1, 0 when it is not or there is none. Pieces that do not ascend,
 * and anything that is no archive of this kind, are EBADMSG. */
int bundle_next(struct bundle_reader *r, uint32_t number, struct cr_error *err);

/* The next bytes of that piece, valid until the next call. Returns 1, 0 at its end. */
int bundle_read(struct bundle_reader *r, const void **data, size_t *size, struct cr_error *err);

/* All has been read: there must be no piece left. */
int bundle_reader_end(struct bundle_reader *r, struct cr_error *err);
void bundle_reader_close(struct bundle_reader *r);

#endif
