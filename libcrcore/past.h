/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* past.h - the last generation, as what the next one may refer to
 *
 * The same page of the same stream is looked at first; that is a walk along the old index. What has moved is found
 * by its hash in a table of anchors, of bounded size: of a large generation only every 2nd, 4th, … chunk is an
 * anchor.
 */

#ifndef CR_PAST_H
#define CR_PAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "index.h"

struct cr_past {
	struct cr_index *index;
	bool *stale; /* by pack: not to be referred to any more */
	uint64_t *anchors;
	uint64_t mask, sample;
	size_t bytes;
};

/* Open the index at path and look at each pack it refers to, below packs (a directory): one that is missing, or is
 * not the one that the index knew, is stale, and so are those that are mostly dead and those that make the list
 * too long (doc/store.md, compaction). bytes: for anchors, at the most. On error past is closed. */
int cr_past_open(struct cr_past *past, const char *path, const char *packs, size_t bytes, struct cr_error *err);
void cr_past_close(struct cr_past *past);

/* Set cursor to a chunk with this hash and size, if an anchor says where one is. Returns 1, 0, or -1. */
int cr_past_find(const struct cr_past *past, struct cr_chunk_hash hash, uint32_t size, struct cr_cursor *cursor,
		 struct cr_error *err);

#endif
