/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* seen.h - where a chunk lies that this generation has stored already; a table of bounded size that forgets */

#ifndef CR_SEEN_H
#define CR_SEEN_H

#include <stddef.h>
#include <stdint.h>

#include "chunk.h"
#include "error.h"

struct cr_seen {
	struct cr_seen_entry *entries;
	uint64_t mask; /* sets - 1 */
	size_t bytes;
	uint32_t turn;
};

/* A table for about chunks entries in at most bytes of memory, touched already. */
int cr_seen_open(struct cr_seen *seen, uint64_t chunks, size_t bytes, struct cr_error *err);
void cr_seen_close(struct cr_seen *seen);

/* It will be looked for soon. */
void cr_seen_expect(const struct cr_seen *seen, struct cr_chunk_hash hash);

/* Returns 1 and *raw, or 0. */
int cr_seen_find(const struct cr_seen *seen, struct cr_chunk_hash hash, uint64_t *raw);
void cr_seen_put(struct cr_seen *seen, struct cr_chunk_hash hash, uint64_t raw);

#endif
