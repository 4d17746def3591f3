/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "past.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "pack.h"

/* An anchor is 31 bits of the hash, 20 of the segment's place and 13 of the chunk in it, and is never 0. */
#define CHUNK_BITS 13u
#define PLACE_BITS 20u
#define PROBES	   64u /* with a quarter of the slots free, a way that long is as good as never needed */
#define ANCHORS	   1024u

#define PACKS_MANY 32u	       /* more than these: the smallest are stored anew, together, */
#define PACKS_FEW  16u	       /* until these are left */
#define STALE_MIN  (64u << 20) /* bytes that a generation may store anew for that: this, or an eighth of it all */

static uint64_t anchor_make(struct cr_chunk_hash hash, uint32_t place, uint32_t chunk)
{
	return (hash.high | 1) << (CHUNK_BITS + PLACE_BITS) | (uint64_t)place << CHUNK_BITS | chunk;
}

static void anchor_put(struct cr_past *past, struct cr_chunk_hash hash, uint32_t place, uint32_t chunk)
{
	const uint64_t anchor = anchor_make(hash, place, chunk);
	uint64_t at = hash.low / past->sample;

	for (unsigned i = 0; i < PROBES; i++, at++) {
		uint64_t *slot = &past->anchors[at & past->mask];

		/* of chunks that are alike the first will do; more would only lengthen the way of others */
		if (*slot >> (CHUNK_BITS + PLACE_BITS) == anchor >> (CHUNK_BITS + PLACE_BITS))
			return;
		if (*slot == 0) {
			*slot = anchor;
			return;
		}
	}
}

static int anchors_fill(struct cr_past *past, struct cr_error *err)
{
	struct cr_segment segment = {0};
	int rc = 0;

	for (uint32_t place = 0; place < past->index->n_places && rc == 0; place++) {
		rc = cr_index_segment(past->index, place, &segment, err);
		for (uint32_t i = 0; rc == 0 && place < 1u << PLACE_BITS && i < segment.n_hashes; i++) {
			if (segment.hashes[i].low % past->sample == 0)
				anchor_put(past, segment.hashes[i], place, i);
		}
	}
	cr_segment_clear(&segment);
	return rc;
}

static int anchors_open(struct cr_past *past, size_t bytes, struct cr_error *err)
{
	/* a guess from above: a place takes at least as many bytes as its hashes */
	uint64_t chunks = 0, slots = ANCHORS;
	void *p;

	for (uint32_t i = 0; i < past->index->n_places; i++)
		chunks += past->index->places[i].size / CR_CHUNK_HASH;
	while (slots < chunks + chunks / 2 && 2 * slots * sizeof(uint64_t) <= bytes)
		slots *= 2;
	past->sample = 1;
	while (chunks / past->sample > slots - slots / 4)
		past->sample *= 2;
	past->mask = slots - 1;
	past->bytes = slots * sizeof(uint64_t);
	p = mmap(NULL, past->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (p == MAP_FAILED)
		return cr_error_sys(err, errno, "table of anchors");
	past->anchors = p;
	return anchors_fill(past, err);
}

/* Is the pack there, and the one that the index was made with? */
static bool pack_good(const char *packs, const struct cr_index_pack *known)
{
	char path[PATH_MAX + 32];
	struct cr_pack *pack;
	bool good;

	snprintf(path, sizeof(path), "%s/%06" PRIu32 ".pack", packs, known->generation);
	if (cr_pack_open(&pack, path, NULL) < 0)
		return false;
	good = cr_pack_info(pack)->sum == known->sum && cr_pack_info(pack)->raw == known->raw;
	cr_pack_close(pack);
	return good;
}

/* Compaction: what is still used of some packs is stored anew instead of referred to, so that they can go once the
 * generations before have gone. */
static void packs_retire(struct cr_past *past)
{
	const struct cr_index *index = past->index;
	uint64_t all = 0, anew = 0, quota;
	uint32_t alive = 0;

	for (uint32_t i = 0; i < index->n_packs; i++) {
		all += index->packs[i].used;
		alive += !past->stale[i];
	}
	quota = all / 8 > STALE_MIN ? all / 8 : STALE_MIN;
	for (uint32_t i = 0; i < index->n_packs; i++) {
		const struct cr_index_pack *p = &index->packs[i];

		if (past->stale[i] || p->used >= p->raw / 2 || anew + p->used > quota)
			continue;
		past->stale[i] = true;
		anew += p->used;
		alive--;
	}
	while (alive > PACKS_MANY || (anew > 0 && alive > PACKS_FEW && index->n_packs > PACKS_MANY)) {
		int64_t least = -1;

		for (uint32_t i = 0; i < index->n_packs; i++) {
			if (!past->stale[i] && (least < 0 || index->packs[i].used < index->packs[least].used))
				least = i;
		}
		if (least < 0)
			return;
		past->stale[least] = true;
		anew += index->packs[least].used;
		alive--;
	}
}

int cr_past_open(struct cr_past *past, const char *path, const char *packs, size_t bytes, struct cr_error *err)
{
	*past = (struct cr_past){0};
	if (cr_index_open(&past->index, path, err) < 0)
		return -1;
	past->stale = calloc((size_t)past->index->n_packs + 1, sizeof(*past->stale));
	if (!past->stale) {
		cr_past_close(past);
		return cr_error_sys(err, ENOMEM, "%s", path);
	}
	for (uint32_t i = 0; i < past->index->n_packs; i++)
		past->stale[i] = !pack_good(packs, &past->index->packs[i]);
	packs_retire(past);
	if (anchors_open(past, bytes, err) < 0) {
		cr_past_close(past);
		return -1;
	}
	return 0;
}

void cr_past_close(struct cr_past *past)
{
	if (past->anchors)
		(void)munmap(past->anchors, past->bytes);
	free(past->stale);
	cr_index_close(past->index);
	*past = (struct cr_past){0};
}

int cr_past_find(const struct cr_past *past, struct cr_chunk_hash hash, uint32_t size, struct cr_cursor *cursor,
		 struct cr_error *err)
{
	const uint64_t tag = anchor_make(hash, 0, 0);
	uint64_t at = hash.low / past->sample;

	if (hash.low % past->sample != 0)
		return 0;
	for (unsigned i = 0; i < PROBES; i++, at++) {
		uint64_t anchor = past->anchors[at & past->mask];
		struct cr_index_chunk chunk;
		int rc;

		if (anchor == 0)
			return 0;
		if (anchor >> (CHUNK_BITS + PLACE_BITS) != tag >> (CHUNK_BITS + PLACE_BITS))
			continue;
		rc = cr_cursor_jump(cursor, past->index, anchor >> CHUNK_BITS & ((1u << PLACE_BITS) - 1),
				    anchor & ((1u << CHUNK_BITS) - 1), err);
		if (rc < 0)
			return -1;
		if (rc == 1 && cr_cursor_get(cursor, &chunk) && chunk.size == size &&
		    cr_chunk_hash_same(chunk.hash, hash))
			return 1;
	}
	return 0;
}
