/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* criuimg.h - the form of criu's image files, taken apart piece by piece
 *
 * Two u32 magics of this machine's order (inventory.img has one), then entries: a u32, the length, and a protobuf
 * message. In some images bytes follow an entry, as many as it says: the payload. Raw images (pages, tar archives)
 * have none of this. Memory is bounded by the largest entry. (criu/image.c, criu/protobuf.c of CRIU)
 */

#ifndef CR_CRIUIMG_H
#define CR_CRIUIMG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

#define CR_CRIUIMG_ENTRY_MAX (64u << 20) /* bytes of an entry */

enum cr_criuimg_part { CR_CRIUIMG_HEAD, CR_CRIUIMG_ENTRY, CR_CRIUIMG_PAYLOAD };

struct cr_criuimg_piece {
	enum cr_criuimg_part part;
	const unsigned char *data; /* of an entry: its message, without the length */
	size_t size;
	uint64_t payload; /* of an entry: bytes that follow it. UINT64_MAX: all up to the end */
};

struct cr_criuimg {
	const char *name; /* "files.img" */
	bool headed;
	uint64_t entries; /* taken so far */
	uint64_t payload; /* bytes of it still to come */
	bool chunked;	  /* ghost files: chunks follow */
	unsigned char *held;
	size_t held_size, held_room; /* the beginning of what has not come whole */
};

void cr_criuimg_init(struct cr_criuimg *img, const char *name);
void cr_criuimg_clear(struct cr_criuimg *img);

/* Take the next piece from *data and *size, which move on: 1 with a piece, which is valid until the next call, 0
 * when they are used up. EBADMSG is no image of criu's. A payload comes in any number of pieces. */
int cr_criuimg_next(struct cr_criuimg *img, const unsigned char **data, size_t *size,
		    struct cr_criuimg_piece *piece, struct cr_error *err);

/* May it end here? */
int cr_criuimg_end(const struct cr_criuimg *img, struct cr_error *err);

#endif
