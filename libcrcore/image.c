/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "image.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "fs.h"
#include "index.h"
#include "pack.h"

#define SLOTS  32u /* blocks in memory; more only while more are being read from */
#define ZEROES CR_PACK_BLOCK
#define AHEAD  (8u << 20) /* bytes of a pack asked for beforehand */

/* A block of a pack, in memory. */
struct slot {
	struct slot *next;
	uint32_t pack; /* place in the index's list, plus 1; 0: nothing */
	int64_t block;
	unsigned pins; /* readers that stand in it */
	uint64_t used; /* by the clock of uses */
	unsigned char *data;
};

struct cr_image {
	uint32_t generation;
	struct cr_index *index;
	struct cr_pack **packs; /* NULL: nothing refers to it */
	int64_t *ahead;		/* block of each up to which was asked for */
	struct slot *slots;
	unsigned n_slots;
	uint64_t clock;
	unsigned char *zeroes;
};

struct cr_image_reader {
	struct cr_image *image;
	size_t stream;
	struct cr_cursor cursor;
	struct slot *slot; /* pinned, or NULL */
	bool begun;
};

/* ---- opening ---- */

static int pack_open(struct cr_image *image, const struct cr_store *store, uint32_t n, struct cr_error *err)
{
	const struct cr_index_pack *known = &image->index->packs[n];
	char path[PATH_MAX];

	if (known->used == 0)
		return 0;
	cr_store_pack_path(store, known->generation, path);
	if (cr_pack_open(&image->packs[n], path, err) < 0)
		return -1;
	if (cr_pack_info(image->packs[n])->sum != known->sum || cr_pack_info(image->packs[n])->raw != known->raw)
		return cr_error_set(err, EBADMSG, "%s: not the pack that generation %u was made with", path,
				    image->generation);
	return 0;
}

static int image_open(struct cr_image *image, const struct cr_store *store, struct cr_error *err)
{
	char dir[PATH_MAX], path[PATH_MAX + 8];
	uint32_t n;

	cr_store_path(store, image->generation, dir);
	snprintf(path, sizeof(path), "%s/index", dir);
	if (cr_index_open(&image->index, path, err) < 0)
		return -1;
	if (image->index->generation != image->generation)
		return cr_error_set(err, EBADMSG, "%s: it is the index of generation %u", path,
				    image->index->generation);
	n = image->index->n_packs;
	image->packs = calloc((size_t)n + 1, sizeof(struct cr_pack *));
	image->ahead = calloc((size_t)n + 1, sizeof(*image->ahead));
	image->zeroes = calloc(1, ZEROES);
	if (!image->packs || !image->ahead || !image->zeroes)
		return cr_error_sys(err, ENOMEM, "%s", path);
	for (uint32_t i = 0; i < n; i++) {
		if (pack_open(image, store, i, err) < 0)
			return -1;
	}
	return 0;
}

int cr_image_open(struct cr_image **image, const struct cr_store *store, uint32_t generation, struct cr_error *err)
{
	*image = calloc(1, sizeof(**image));
	if (!*image)
		return cr_error_sys(err, ENOMEM, "generation %u", generation);
	(*image)->generation = generation;
	if (image_open(*image, store, err) < 0) {
		cr_image_close(*image);
		*image = NULL;
		return cr_error_prefix(err, "generation %u", generation);
	}
	return 0;
}

void cr_image_close(struct cr_image *image)
{
	if (!image)
		return;
	while (image->slots) {
		struct slot *next = image->slots->next;

		free(image->slots->data);
		free(image->slots);
		image->slots = next;
	}
	for (uint32_t i = 0; image->packs && i < image->index->n_packs; i++)
		cr_pack_close(image->packs[i]);
	free(image->packs);
	free(image->ahead);
	free(image->zeroes);
	cr_index_close(image->index);
	free(image);
}

size_t cr_image_streams(const struct cr_image *image)
{
	return image->index->n_streams;
}

const char *cr_image_stream_name(const struct cr_image *image, size_t stream)
{
	return image->index->streams[stream].name;
}

uint64_t cr_image_stream_size(const struct cr_image *image, size_t stream)
{
	return image->index->streams[stream].size;
}

int64_t cr_image_find(const struct cr_image *image, const char *name)
{
	return cr_index_find(image->index, name);
}

uint64_t cr_image_bytes(const struct cr_image *image)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < image->index->n_streams; i++)
		bytes += image->index->streams[i].size;
	return bytes;
}

/* ---- blocks ---- */

/* One to read into: free, or the one that was not used for the longest time, or one more. */
static struct slot *slot_choose(struct cr_image *image, struct cr_error *err)
{
	struct slot *best = NULL;

	for (struct slot *s = image->slots; s; s = s->next) {
		if (s->pins == 0 && (!best || s->used < best->used))
			best = s;
	}
	if (best && image->n_slots >= SLOTS)
		return best;
	best = calloc(1, sizeof(*best));
	if (best)
		best->data = malloc(CR_PACK_BLOCK);
	if (!best || !best->data) {
		free(best);
		cr_error_sys(err, ENOMEM, "image reader");
		return NULL;
	}
	best->next = image->slots;
	image->slots = best;
	image->n_slots++;
	return best;
}

/* Reading ahead is the kernel's work, if it is told in time. */
static void ahead_ask(struct cr_image *image, uint32_t pack, int64_t block)
{
	int64_t *ahead = &image->ahead[pack - 1];

	if (block < *ahead && block >= *ahead - (int64_t)(AHEAD / CR_PACK_BLOCK))
		return;
	cr_pack_ahead(image->packs[pack - 1], block, 2 * AHEAD);
	*ahead = block + AHEAD / CR_PACK_BLOCK;
}

static struct slot *slot_load(struct cr_image *image, uint32_t pack, int64_t block, struct cr_error *err)
{
	struct slot *s;

	for (s = image->slots; s; s = s->next) {
		if (s->pack == pack && s->block == block)
			break;
	}
	if (!s) {
		s = slot_choose(image, err);
		if (!s)
			return NULL;
		s->pack = 0;
		ahead_ask(image, pack, block);
		if (cr_pack_read(image->packs[pack - 1], block, s->data, err) < 0)
			return NULL;
		s->pack = pack;
		s->block = block;
	}
	s->used = ++image->clock;
	return s;
}

/* ---- reading ---- */

int cr_image_reader_open(struct cr_image_reader **reader, struct cr_image *image, size_t stream,
			 struct cr_error *err)
{
	*reader = calloc(1, sizeof(**reader));
	if (!*reader)
		return cr_error_sys(err, ENOMEM, "image reader");
	(*reader)->image = image;
	(*reader)->stream = stream;
	return 0;
}

static void slot_unpin(struct cr_image_reader *r)
{
	if (r->slot)
		r->slot->pins--;
	r->slot = NULL;
}

void cr_image_reader_close(struct cr_image_reader *r)
{
	if (!r)
		return;
	slot_unpin(r);
	cr_cursor_clear(&r->cursor);
	free(r);
}

static int where(const struct cr_image_reader *r, uint64_t offset, struct cr_error *err)
{
	return cr_error_prefix(err, "generation %u, %s, offset %" PRIu64, r->image->generation,
			       r->image->index->streams[r->stream].name, offset);
}

static int chunks_verify(const struct cr_image_reader *r, const struct cr_index_chunk *chunk, uint32_t n,
			 const unsigned char *data, struct cr_error *err)
{
	const struct cr_chunk_hash *hashes = r->cursor.segment.hashes + r->cursor.hash;
	const struct cr_index *index = r->image->index;

	for (uint32_t i = 0; i < n; i++, data += chunk->size) {
		if (cr_chunk_hash_same(cr_chunk_hash(&index->key, data, chunk->size), hashes[i]))
			continue;
		cr_error_set(err, EBADMSG,
			     "the chunk at %" PRIu64 " of pack %06" PRIu32 " is damaged: its hash differs",
			     chunk->raw + (uint64_t)i * chunk->size, index->packs[chunk->pack - 1].generation);
		return where(r, chunk->start + (uint64_t)i * chunk->size, err);
	}
	return 0;
}

/* Chunks that lie behind each other in one block. */
static int stored_next(struct cr_image_reader *r, const struct cr_index_chunk *chunk, uint32_t *n,
		       const void **data, struct cr_error *err)
{
	struct cr_pack *pack = r->image->packs[chunk->pack - 1];
	int64_t block = pack ? cr_pack_find(pack, chunk->raw) : -1;
	uint64_t in;

	if (block < 0) {
		cr_error_set(err, EBADMSG, "no pack holds it");
		return where(r, chunk->start, err);
	}
	in = chunk->raw - cr_pack_block_start(pack, block);
	*n = (uint32_t)((cr_pack_block_size(pack, block) - in) / chunk->size);
	if (*n == 0) {
		cr_error_set(err, EBADMSG, "the index cuts it in two blocks");
		return where(r, chunk->start, err);
	}
	if (*n > cr_cursor_left(&r->cursor))
		*n = cr_cursor_left(&r->cursor);
	r->slot = slot_load(r->image, chunk->pack, block, err);
	if (!r->slot)
		return where(r, chunk->start, err);
	r->slot->pins++;
	*data = r->slot->data + in;
	return chunks_verify(r, chunk, *n, *data, err);
}

int cr_image_reader_next(struct cr_image_reader *r, const void **data, size_t *size, struct cr_error *err)
{
	struct cr_index_chunk chunk;
	uint32_t n = 0;

	slot_unpin(r);
	if (!r->begun && cr_cursor_seek(&r->cursor, r->image->index, (uint32_t)r->stream, 0, err) < 0)
		return where(r, 0, err);
	r->begun = true;
	if (!cr_cursor_get(&r->cursor, &chunk))
		return 0;
	if (chunk.pack) {
		if (stored_next(r, &chunk, &n, data, err) < 0)
			return -1;
	} else {
		n = ZEROES / chunk.size;
		if (n > cr_cursor_left(&r->cursor))
			n = cr_cursor_left(&r->cursor);
		*data = r->image->zeroes;
	}
	*size = (size_t)n * chunk.size;
	if (cr_cursor_skip(&r->cursor, n, err) < 0)
		return where(r, chunk.start + *size, err);
	return 1;
}

int cr_image_copy(struct cr_image *image, size_t stream, int fd, struct cr_error *err)
{
	struct cr_image_reader *reader;
	const void *data;
	size_t size;
	int rc;

	if (cr_image_reader_open(&reader, image, stream, err) < 0)
		return -1;
	while ((rc = cr_image_reader_next(reader, &data, &size, err)) == 1) {
		if (cr_fs_write_all(fd, data, size, err) < 0) {
			rc = cr_error_prefix(err, "%s", cr_image_stream_name(image, stream));
			break;
		}
	}
	cr_image_reader_close(reader);
	return rc;
}

int cr_image_verify(struct cr_image *image, void (*progress)(uint64_t done, uint64_t total, void *arg), void *arg,
		    struct cr_error *err)
{
	uint64_t done = 0, total = cr_image_bytes(image);
	struct cr_image_reader *reader;
	const void *data;
	size_t size;

	for (size_t i = 0; i < cr_image_streams(image); i++) {
		int rc;

		if (cr_image_reader_open(&reader, image, i, err) < 0)
			return -1;
		while ((rc = cr_image_reader_next(reader, &data, &size, err)) == 1) {
			done += size;
			if (progress)
				progress(done, total, arg);
		}
		cr_image_reader_close(reader);
		if (rc < 0)
			return -1;
	}
	return 0;
}

/* ---- for the manifest ---- */

static int pack_record(const struct cr_store *store, struct cr_manifest *m, const struct cr_index_pack *known,
		       struct cr_error *err)
{
	struct cr_manifest_pack pack = {.generation = known->generation,
					.raw = known->raw,
					.used = known->used < known->raw ? known->used : known->raw};
	char dir[PATH_MAX], path[PATH_MAX + 8];
	struct stat st;

	cr_store_tmp_path(store, m->generation, dir);
	if (known->generation == m->generation)
		snprintf(path, sizeof(path), "%s/pack", dir);
	else
		cr_store_pack_path(store, known->generation, path);
	if (lstat(path, &st) < 0)
		return cr_error_sys(err, errno, "%s", path);
	pack.size = (uint64_t)st.st_size;
	return cr_manifest_add_pack(m, &pack, err);
}

int cr_image_record(const struct cr_store *store, struct cr_manifest *m, struct cr_error *err)
{
	char dir[PATH_MAX], path[PATH_MAX + 8];
	struct cr_index *index;
	int rc = 0;

	cr_store_tmp_path(store, m->generation, dir);
	snprintf(path, sizeof(path), "%s/index", dir);
	if (cr_index_open(&index, path, err) < 0)
		return -1;
	for (uint32_t i = 0; rc == 0 && i < index->n_packs; i++)
		if (index->packs[i].used > 0)
			rc = pack_record(store, m, &index->packs[i], err);
	cr_index_close(index);
	return rc;
}
