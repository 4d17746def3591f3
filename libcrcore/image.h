/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* image.h - a committed generation, read: its streams by name, piece by piece, every chunk verified
 *
 * Memory is bounded: a few blocks of packs, whatever the generation's size. One thread uses an image.
 */

#ifndef CR_IMAGE_H
#define CR_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "store.h"

/* Add to m the packs that the index of its generation refers to, while that is still a temporary directory; none
 * may be missing. */
int cr_image_record(const struct cr_store *store, struct cr_manifest *m, struct cr_error *err);

struct cr_image;

/* Open index and packs of a generation and check that they belong together; no chunk is read yet. */
int cr_image_open(struct cr_image **image, const struct cr_store *store, uint32_t generation,
		  struct cr_error *err);
void cr_image_close(struct cr_image *image);

size_t cr_image_streams(const struct cr_image *image);
const char *cr_image_stream_name(const struct cr_image *image, size_t stream);
uint64_t cr_image_stream_size(const struct cr_image *image, size_t stream); /* bytes */

/* The stream of that name, or -1. */
int64_t cr_image_find(const struct cr_image *image, const char *name);

/* All chunks of all streams: how many there are, and their bytes. */
uint64_t cr_image_bytes(const struct cr_image *image);

/* A stream being read from its beginning. Any number of them at a time. */
struct cr_image_reader;
int cr_image_reader_open(struct cr_image_reader **reader, struct cr_image *image, size_t stream,
			 struct cr_error *err);
void cr_image_reader_close(struct cr_image_reader *reader);

/* The next piece, verified. Returns 1 with *data and *size, valid until the next call for this reader, 0 at the
 * end, -1 with generation, stream, offset and pack of what is damaged or missing. */
int cr_image_reader_next(struct cr_image_reader *reader, const void **data, size_t *size, struct cr_error *err);

/* Write all of a stream to fd (blocking). */
int cr_image_copy(struct cr_image *image, size_t stream, int fd, struct cr_error *err);

/* Read everything; the first damage is the error. progress may be NULL; it gets bytes. */
int cr_image_verify(struct cr_image *image, void (*progress)(uint64_t done, uint64_t total, void *arg), void *arg,
		    struct cr_error *err);

#endif
