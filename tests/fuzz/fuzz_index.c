/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* The input is the index of generation 2 of a store that has the golden packs (directory: CR_FIXTURES). */

#include "fuzz.h"

#include "../../libcrcore/image.h"
#include "../../libcrcore/index.h"
#include "../../libcrcore/past.h"

#define HEADER 256u
#define FOOTER 64u
#define PACK   32u
#define PLACE  24u
#define PLACES 4096u

static struct cr_store store;

static void golden_place(const char *name, uint32_t generation)
{
	char from[PATH_MAX], to[PATH_MAX];
	static uint8_t data[65536];
	size_t size;
	FILE *file;

	(void)snprintf(from, sizeof(from), "%s/%s", getenv("CR_FIXTURES"), name);
	file = fopen(from, "r");
	if (!file) {
		fprintf(stderr, "%s is not there: set CR_FIXTURES to tests/unit/fixtures\n", from);
		exit(1);
	}
	size = fread(data, 1, sizeof(data), file);
	fclose(file);
	cr_store_pack_path(&store, generation, to);
	fuzz_write(to, data, size);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char path[PATH_MAX + 8];

	(void)argc, (void)argv;
	if (!getenv("CR_FIXTURES")) {
		fprintf(stderr, "set CR_FIXTURES to tests/unit/fixtures\n");
		exit(1);
	}
	fuzz_begin();
	FUZZ_REQUIRE(cr_store_open(&store, fuzz_dir, 4711, "batch.0", geteuid(), true, NULL) == 0);
	(void)snprintf(path, sizeof(path), "%s/packs", store.dir);
	FUZZ_REQUIRE(mkdir(path, 0700) == 0);
	cr_store_path(&store, 2, path);
	FUZZ_REQUIRE(mkdir(path, 0700) == 0);
	golden_place("pack-1-raw.pack", 1);
	golden_place("pack-1.pack", 2);
	return 0;
}

static void repair_segments(uint8_t *data, uint64_t at, uint64_t n_packs, uint64_t n_places, uint64_t length)
{
	const uint8_t *places = data + at + n_packs * PACK;

	if (length < n_packs * PACK || (length - n_packs * PACK) / PLACE < n_places)
		return;
	for (uint64_t i = 0; i < n_places && i < PLACES; i++) {
		uint64_t offset = cr_le64_get(places + i * PLACE + 16);
		uint32_t size = cr_le32_get(places + i * PLACE + 4);
		uint8_t *s;

		if (offset < HEADER || offset > at || at - offset < size || size < CR_SEGMENT_HEADER)
			continue;
		s = data + offset;
		cr_le64_put(s + 32,
			    cr_chunk_sum(s, 32) ^ cr_chunk_sum(s + CR_SEGMENT_HEADER, size - CR_SEGMENT_HEADER));
	}
}

static void repair(uint8_t *data, size_t size)
{
	uint8_t *footer;
	uint64_t at, length;

	if (size < HEADER + FOOTER)
		return;
	footer = data + size - FOOTER;
	at = cr_le64_get(footer + 24);
	length = cr_le64_get(footer + 32);
	if (at <= size - FOOTER && length <= size - FOOTER - at) {
		repair_segments(data, at, cr_le32_get(footer + 8), cr_le32_get(footer + 16), length);
		cr_le64_put(footer + 40, cr_chunk_sum(data + at, length));
	}
	cr_le64_put(footer + 56, cr_chunk_sum(footer, 56));
	cr_le64_put(data + 248, cr_chunk_sum(data, 248));
}

/* A stream from its begin to its end is as long as the index says; each of its chunks can be gone to. */
static void stream_walk(const struct cr_index *index, uint32_t stream)
{
	struct cr_cursor cursor = {0}, other = {0};
	struct cr_error err = {0};
	struct cr_index_chunk chunk, same;
	uint64_t size = 0;
	int rc = cr_cursor_seek(&cursor, index, stream, 0, &err);

	for (unsigned n = 0; rc == 1 && cr_cursor_get(&cursor, &chunk); n++) {
		uint32_t left = cr_cursor_left(&cursor);

		FUZZ_REQUIRE(chunk.start == size && chunk.size > 0 && chunk.size <= CR_CHUNK && left > 0);
		if (n < 16 && cr_cursor_seek(&other, index, stream, size, &err) == 1) {
			FUZZ_REQUIRE(cr_cursor_get(&other, &same) == 1);
			FUZZ_REQUIRE(same.start == chunk.start && same.raw == chunk.raw);
			FUZZ_REQUIRE(!chunk.pack || cr_chunk_hash_same(same.hash, chunk.hash));
		}
		size += (uint64_t)left * chunk.size;
		rc = cr_cursor_skip(&cursor, left, &err);
	}
	if (rc < 0)
		fuzz_error(&err);
	else
		FUZZ_REQUIRE(size == index->streams[stream].size);
	cr_cursor_clear(&cursor);
	cr_cursor_clear(&other);
}

static void index_walk(const char *path)
{
	struct cr_index *index = NULL;
	struct cr_error err = {0};

	if (cr_index_open(&index, path, &err) < 0) {
		fuzz_error(&err);
		FUZZ_REQUIRE(index == NULL);
		return;
	}
	for (uint32_t i = 0; i < index->n_streams && i < 64; i++)
		stream_walk(index, i);
	cr_index_close(index);
}

/* All hashes that it has are looked for, as the next generation would. */
static void past_walk(const char *path)
{
	struct cr_segment segment = {0};
	struct cr_cursor cursor = {0};
	struct cr_error err = {0};
	struct cr_index_chunk chunk;
	struct cr_past past;
	char packs[PATH_MAX + 8];

	(void)snprintf(packs, sizeof(packs), "%s/packs", store.dir);
	if (cr_past_open(&past, path, packs, 16384, &err) < 0) {
		fuzz_error(&err);
		return;
	}
	for (uint32_t i = 0; i < past.index->n_places && i < 64; i++) {
		if (cr_index_segment(past.index, i, &segment, &err) < 0)
			continue;
		for (uint32_t k = 0; k < segment.n_hashes && k < 64; k++) {
			if (cr_past_find(&past, segment.hashes[k], 4096, &cursor, &err) != 1)
				continue;
			FUZZ_REQUIRE(cr_cursor_get(&cursor, &chunk) == 1 && chunk.pack > 0 && chunk.size == 4096);
			FUZZ_REQUIRE(chunk.pack <= past.index->n_packs);
		}
	}
	cr_segment_clear(&segment);
	cr_cursor_clear(&cursor);
	cr_past_close(&past);
}

static void image_read(void)
{
	struct cr_image *image = NULL;
	struct cr_error err = {0};

	if (cr_image_open(&image, &store, 2, &err) < 0) {
		fuzz_error(&err);
		return;
	}
	/* some pages of zeroes are enough */
	for (size_t i = 0; i < cr_image_streams(image) && i < 64; i++) {
		struct cr_image_reader *reader;
		const void *data;
		size_t size;
		int rc;

		FUZZ_REQUIRE(cr_image_reader_open(&reader, image, i, &err) == 0);
		for (int n = 0; n < 100 && (rc = cr_image_reader_next(reader, &data, &size, &err)) != 0; n++) {
			if (rc < 0) {
				fuzz_error(&err);
				break;
			}
			FUZZ_REQUIRE(size > 0 && size <= 256 << 10);
			(void)cr_chunk_zero(data, size);
		}
		cr_image_reader_close(reader);
	}
	cr_image_close(image);
}

static void run(const uint8_t *data, size_t size)
{
	char path[PATH_MAX + 8];

	cr_store_path(&store, 2, path);
	strcat(path, "/index");
	fuzz_write(path, data, size);
	index_walk(path);
	past_walk(path);
	image_read();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_twice(data, size, repair, run);
}
