/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* chunk.h - the unit of storage: at most one page of a stream, known by its hash
 *
 * A chunk's name is XXH3-128 with a secret of 192 random bytes that is made with the first generation of a part
 * and handed on from index to index. Why this hash is enough is said in doc/store.md.
 */

#ifndef CR_CHUNK_H
#define CR_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

#define CR_CHUNK      4096u /* bytes of a whole chunk; the last one of a stream may be shorter */
#define CR_CHUNK_HASH 16u
#define CR_CHUNK_KEY  192u

struct cr_chunk_key {
	unsigned char secret[CR_CHUNK_KEY];
};

struct cr_chunk_hash {
	uint64_t low, high;
};

/* A fresh random key. */
int cr_chunk_key_make(struct cr_chunk_key *key, struct cr_error *err);

struct cr_chunk_hash cr_chunk_hash(const struct cr_chunk_key *key, const void *data, size_t size);

static inline bool cr_chunk_hash_same(struct cr_chunk_hash a, struct cr_chunk_hash b)
{
	return a.low == b.low && a.high == b.high;
}

/* Is every byte zero? */
bool cr_chunk_zero(const void *data, size_t size);

/* XXH3-64 without a key: against accidents, in the files' own structures. */
uint64_t cr_chunk_sum(const void *data, size_t size);

/* Little-endian fields of the files' structures, at any alignment. */
uint16_t cr_le16_get(const void *at);
uint32_t cr_le32_get(const void *at);
uint64_t cr_le64_get(const void *at);
void cr_le16_put(void *at, uint16_t value);
void cr_le32_put(void *at, uint32_t value);
void cr_le64_put(void *at, uint64_t value);

#endif
