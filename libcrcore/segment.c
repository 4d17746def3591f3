/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* segment.c - a piece of a stream in an index: built, encoded, decoded */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "index.h"

#define SEGMENT_MAGIC 0x31474553u /* "SEG1" */
#define HEADER	      CR_SEGMENT_HEADER
#define RUN	      CR_SEGMENT_RUN

void cr_segment_clear(struct cr_segment *s)
{
	free(s->runs);
	free(s->hashes);
	*s = (struct cr_segment){0};
}

int cr_segment_full(const struct cr_segment *s)
{
	return s->n_runs == CR_SEGMENT_RUNS || s->n_hashes == CR_SEGMENT_HASHES;
}

static int room_make(void **array, uint32_t *room, uint32_t need, size_t element, struct cr_error *err)
{
	uint32_t more = *room ? *room : 4;
	void *p;

	if (need <= *room)
		return 0;
	while (more < need)
		more *= 2;
	p = reallocarray(*array, more, element);
	if (!p)
		return cr_error_sys(err, ENOMEM, "index segment");
	*array = p;
	*room = more;
	return 0;
}

int cr_segment_add(struct cr_segment *s, uint32_t pack, uint64_t raw, uint32_t size, struct cr_chunk_hash hash,
		   struct cr_error *err)
{
	struct cr_run *last = s->n_runs ? &s->runs[s->n_runs - 1] : NULL;

	if (pack && room_make((void **)&s->hashes, &s->hashes_room, s->n_hashes + 1, sizeof(*s->hashes), err) < 0)
		return -1;
	if (last && last->pack == pack && last->size == size && last->count < UINT32_MAX &&
	    (!pack || last->raw + (uint64_t)last->count * size == raw)) {
		last->count++;
	} else {
		if (room_make((void **)&s->runs, &s->runs_room, s->n_runs + 1, sizeof(*s->runs), err) < 0)
			return -1;
		s->runs[s->n_runs++] =
			(struct cr_run){.pack = pack, .size = size, .count = 1, .raw = pack ? raw : 0};
	}
	if (pack)
		s->hashes[s->n_hashes++] = hash;
	s->length += size;
	return 0;
}

int cr_segment_encode(const struct cr_segment *s, void **bytes, size_t *size, struct cr_error *err)
{
	unsigned char *p;

	*size = HEADER + (size_t)s->n_runs * RUN + (size_t)s->n_hashes * CR_CHUNK_HASH;
	*bytes = p = malloc(*size);
	if (!p)
		return cr_error_sys(err, ENOMEM, "index segment");
	cr_le32_put(p, SEGMENT_MAGIC);
	cr_le32_put(p + 4, s->stream);
	cr_le32_put(p + 8, s->n_runs);
	cr_le32_put(p + 12, s->n_hashes);
	cr_le64_put(p + 16, s->start);
	cr_le64_put(p + 24, s->length);
	p += HEADER;
	for (uint32_t i = 0; i < s->n_runs; i++, p += RUN) {
		cr_le16_put(p, (uint16_t)s->runs[i].pack);
		cr_le16_put(p + 2, (uint16_t)(s->runs[i].size - 1));
		cr_le32_put(p + 4, s->runs[i].count);
		cr_le64_put(p + 8, s->runs[i].raw);
	}
	for (uint32_t i = 0; i < s->n_hashes; i++, p += CR_CHUNK_HASH) {
		cr_le64_put(p, s->hashes[i].low);
		cr_le64_put(p + 8, s->hashes[i].high);
	}
	p = *bytes;
	cr_le64_put(p + 32, cr_chunk_sum(p, 32) ^ cr_chunk_sum(p + HEADER, *size - HEADER));
	return 0;
}

/* The runs add up to what the header says. */
static int runs_check(const struct cr_segment *s, struct cr_error *err)
{
	uint64_t length = 0, hashes = 0;

	for (uint32_t i = 0; i < s->n_runs; i++) {
		const struct cr_run *r = &s->runs[i];

		if (r->count == 0 || r->size > CR_CHUNK || r->raw > INT64_MAX)
			return cr_error_set(err, EBADMSG, "run %u of a segment makes no sense", i);
		length += (uint64_t)r->count * r->size;
		hashes += r->pack ? r->count : 0;
	}
	if (length != s->length || hashes != s->n_hashes)
		return cr_error_set(err, EBADMSG, "the runs of a segment do not add up");
	return 0;
}

int cr_segment_decode(struct cr_segment *s, const void *bytes, size_t size, struct cr_error *err)
{
	const unsigned char *p = bytes;

	s->length = 0;
	s->n_runs = s->n_hashes = 0;
	if (size < HEADER || cr_le32_get(p) != SEGMENT_MAGIC)
		return cr_error_set(err, EBADMSG, "no segment begins here");
	s->stream = cr_le32_get(p + 4);
	s->start = cr_le64_get(p + 16);
	if (cr_le32_get(p + 8) > CR_SEGMENT_RUNS || cr_le32_get(p + 12) > CR_SEGMENT_HASHES ||
	    size != HEADER + (size_t)cr_le32_get(p + 8) * RUN + (size_t)cr_le32_get(p + 12) * CR_CHUNK_HASH)
		return cr_error_set(err, EBADMSG, "a segment has not the size it says");
	if (cr_le64_get(p + 32) != (cr_chunk_sum(p, 32) ^ cr_chunk_sum(p + HEADER, size - HEADER)))
		return cr_error_set(err, EBADMSG, "a segment's checksum differs");
	if (room_make((void **)&s->runs, &s->runs_room, cr_le32_get(p + 8), sizeof(*s->runs), err) < 0 ||
	    room_make((void **)&s->hashes, &s->hashes_room, cr_le32_get(p + 12), sizeof(*s->hashes), err) < 0)
		return -1;
	s->n_runs = cr_le32_get(p + 8);
	s->n_hashes = cr_le32_get(p + 12);
	s->length = cr_le64_get(p + 24);
	p += HEADER;
	for (uint32_t i = 0; i < s->n_runs; i++, p += RUN)
		s->runs[i] = (struct cr_run){.pack = cr_le16_get(p),
					     .size = cr_le16_get(p + 2) + 1u,
					     .count = cr_le32_get(p + 4),
					     .raw = cr_le64_get(p + 8)};
	for (uint32_t i = 0; i < s->n_hashes; i++, p += CR_CHUNK_HASH)
		s->hashes[i] = (struct cr_chunk_hash){.low = cr_le64_get(p), .high = cr_le64_get(p + 8)};
	return runs_check(s, err);
}
