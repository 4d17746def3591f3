/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "cut.h"

#include <string.h>

#include "chunk.h"

#define BLOCK	512u
#define SIZE_AT 124u
#define TYPE_AT 156u

/* The size field: octal digits, or from the second byte on a binary number (for 8 GiB and more). */
static uint64_t header_size(const unsigned char *header)
{
	const unsigned char *p = header + SIZE_AT;
	uint64_t size = 0;

	if (p[0] & 0x80) {
		for (int i = 4; i < 12; i++)
			size = size << 8 | p[i];
		return size;
	}
	for (int i = 0; i < 12 && p[i] >= '0' && p[i] <= '7'; i++)
		size = size << 3 | (uint64_t)(p[i] - '0');
	return size;
}

static void header_read(struct cr_cut *cut)
{
	uint64_t size = header_size(cut->header);

	cut->have = 0;
	cut->left = size > UINT64_MAX - BLOCK ? 0 : (size + BLOCK - 1) / BLOCK * BLOCK;
	/* extended headers and long names stay with the header they are for */
	cut->content = cut->left > 0 && !memchr("xgLK", cut->header[TYPE_AT], 4);
}

size_t cr_cut_next(struct cr_cut *cut, const void *data, size_t n, bool *end)
{
	size_t take = CR_CHUNK - cut->length < n ? CR_CHUNK - cut->length : n;

	*end = false;
	if (cut->left > 0) {
		take = cut->left < take ? (size_t)cut->left : take;
		cut->left -= take;
		*end = cut->content && cut->left == 0;
	} else {
		take = BLOCK - cut->have < take ? BLOCK - cut->have : take;
		memcpy(cut->header + cut->have, data, take);
		cut->have += (uint32_t)take;
		if (cut->have == BLOCK) {
			header_read(cut);
			*end = cut->content;
		}
	}
	cut->length += (uint32_t)take;
	*end = *end || cut->length == CR_CHUNK;
	if (*end)
		cut->length = 0;
	return take;
}
