/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "engine.h"

#include <signal.h>

#define PAGES(n) ((size_t)(n) * CR_CHUNK)
#define N(array) (sizeof(array) / sizeof((array)[0]))

static struct content contents[4];

/* Generation 1, and 2 that refers to it: streams "a" and "b" in pack 1, the last pages of "b" and "c" in pack 2.
 */
static void generations_make(void)
{
	struct making one = {.generation = 1, .level = -1}, two = {.generation = 2, .past = 1, .level = -1};
	struct content c[4] = {{.name = "images/a", .data = engine_noise(PAGES(100)), .size = PAGES(100)},
			       {.name = "images/b", .data = engine_noise(PAGES(50) + 9), .size = PAGES(50) + 9},
			       {.name = "c", .data = engine_zero(PAGES(300) + 1), .size = PAGES(300) + 1},
			       {.name = "empty", .data = engine_zero(0)}};

	engine_open();
	engine_round(&one, c, 2);
	engine_fill_random(c[1].data + PAGES(40), PAGES(10));
	c[2].data[PAGES(300)] = 'c';
	engine_round(&two, c, 4);
	ck_assert_uint_eq(two.result.n_packs, 2);
	memcpy(contents, c, sizeof(c));
}

static struct cr_image *image_open(uint32_t generation)
{
	struct cr_image *image = NULL;
	struct cr_error err = {0};

	ck_assert_msg(cr_image_open(&image, &engine_store, generation, &err) == 0, "%s", err.text);
	return image;
}

static uint64_t told, told_total;

static void progress(uint64_t done, uint64_t total, void *arg)
{
	ck_assert_ptr_eq(arg, &told);
	ck_assert_uint_gt(done, told);
	told = done;
	told_total = total;
}

START_TEST(reads)
{
	struct cr_image *image;
	struct cr_error err = {0};

	generations_make();
	image = image_open(2);
	ck_assert_uint_eq(cr_image_streams(image), 4);
	ck_assert_str_eq(cr_image_stream_name(image, 0), "images/a");
	ck_assert_uint_eq(cr_image_bytes(image), PAGES(450) + 10);
	ck_assert_int_eq(cr_image_find(image, "images/none"), -1);
	unit_assert_ok(cr_image_verify(image, progress, &told, &err), &err);
	ck_assert_uint_eq(told, PAGES(450) + 10);
	ck_assert_uint_eq(told_total, told);
	unit_assert_ok(cr_image_verify(image, NULL, NULL, &err), &err);
	cr_image_close(image);
	cr_image_close(NULL);
	cr_image_reader_close(NULL);
	engine_free(contents, 4);
}
END_TEST

START_TEST(copies)
{
	struct cr_image *image;
	struct cr_error err = {0};
	unsigned char *data;
	size_t size;
	int fd, fds[2];

	generations_make();
	image = image_open(2);
	fd = open(unit_path("copy"), O_WRONLY | O_CREAT, 0600);
	unit_assert_ok(cr_image_copy(image, 1, fd, &err), &err);
	close(fd);
	data = engine_load(unit_path("copy"), &size);
	ck_assert_uint_eq(size, contents[1].size);
	ck_assert_mem_eq(data, contents[1].data, size);
	free(data);
	/* nobody reads: the stream is named */
	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(pipe(fds), 0);
	close(fds[0]);
	ck_assert_int_eq(cr_image_copy(image, 0, fds[1], &err), -1);
	unit_assert_error(&err, EPIPE, "images/a");
	cr_image_close(image);
	engine_free(contents, 4);
}
END_TEST

/* Many readers at a time, each with its piece: none moves under another's feet. */
START_TEST(many_readers)
{
	struct cr_image_reader *readers[100];
	const void *pieces[100];
	size_t sizes[100], done[100] = {0};
	struct cr_image *image;
	struct cr_error err = {0};
	bool more = true;

	generations_make();
	image = image_open(2);
	for (size_t i = 0; i < 100; i++)
		unit_assert_ok(cr_image_reader_open(&readers[i], image, i % 4, &err), &err);
	while (more) {
		more = false;
		for (size_t i = 0; i < 100; i++) {
			int rc = cr_image_reader_next(readers[i], &pieces[i], &sizes[i], &err);

			ck_assert_msg(rc >= 0, "%s", err.text);
			if (rc == 0)
				sizes[i] = 0;
			more = more || rc == 1;
		}
		for (size_t i = 0; i < 100; i++) {
			if (sizes[i] > 0)
				ck_assert_mem_eq(pieces[i], contents[i % 4].data + done[i], sizes[i]);
			done[i] += sizes[i];
		}
	}
	for (size_t i = 0; i < 100; i++) {
		ck_assert_uint_eq(done[i], contents[i % 4].size);
		cr_image_reader_close(readers[i]);
	}
	cr_image_close(image);
	engine_free(contents, 4);
}
END_TEST

/* The readers' closing lets the image be read on. */
START_TEST(reader_given_up)
{
	struct cr_image *image;
	struct cr_image_reader *reader;
	struct cr_error err = {0};
	const void *piece;
	size_t size;

	generations_make();
	image = image_open(2);
	for (int i = 0; i < 200; i++) {
		unit_assert_ok(cr_image_reader_open(&reader, image, (size_t)i % 4, &err), &err);
		ck_assert_int_eq(cr_image_reader_next(reader, &piece, &size, &err), i % 4 < 3);
		cr_image_reader_close(reader);
	}
	unit_assert_ok(cr_image_verify(image, NULL, NULL, &err), &err);
	cr_image_close(image);
	engine_free(contents, 4);
}
END_TEST

static void open_refused(int errnum, const char *text)
{
	struct cr_image *image = NULL;
	struct cr_error err = {0};

	ck_assert_int_eq(cr_image_open(&image, &engine_store, 2, &err), -1);
	ck_assert_ptr_null(image);
	unit_assert_error(&err, errnum, text);
	ck_assert_ptr_nonnull(strstr(err.text, "generation 2"));
}

START_TEST(parts_missing)
{
	unsigned char *data;
	size_t size;

	generations_make();
	ck_assert_int_eq(rename(engine_pack(1), unit_path("kept")), 0);
	open_refused(ENOENT, "000001.pack");
	/* another pack under its name */
	data = engine_load(engine_pack(2), &size);
	engine_save(engine_pack(1), data, size);
	open_refused(EBADMSG, "not the pack that generation 2 was made with");
	free(data);
	ck_assert_int_eq(truncate(engine_pack(1), 100), 0);
	open_refused(EBADMSG, "000001.pack");
	ck_assert_int_eq(rename(unit_path("kept"), engine_pack(1)), 0);
	/* another generation's index */
	data = engine_load(engine_index(1), &size);
	engine_save(engine_index(2), data, size);
	open_refused(EBADMSG, "the index of generation 1");
	free(data);
	ck_assert_int_eq(unlink(engine_index(2)), 0);
	open_refused(ENOENT, "index");
	engine_free(contents, 4);
}
END_TEST

/* Read all of generation 2; the damage must be told. */
static void damage_told(const char *first, const char *second, const char *third)
{
	struct cr_image *image = image_open(2);
	struct cr_error err = {0};
	const char *texts[] = {"generation 2", first, second, third};

	ck_assert_int_eq(cr_image_verify(image, NULL, NULL, &err), -1);
	for (size_t i = 0; i < N(texts); i++)
		unit_assert_error(&err, EBADMSG, texts[i]);
	/* what is not damaged can be read all the same */
	if (strcmp(first, "images/a") != 0) {
		size_t size;
		unsigned char *data = engine_read(image, 0, &size, &err);

		ck_assert_msg(data != NULL, "%s", err.text);
		free(data);
	}
	cr_image_close(image);
}

START_TEST(damaged_block)
{
	unsigned char *data;
	size_t size;

	generations_make();
	data = engine_load(engine_pack(1), &size);
	data[64 + 32 + PAGES(3) + 17] ^= 4;
	engine_save(engine_pack(1), data, size);
	damage_told("images/a", "offset 0",
		    "000001.pack: the block at offset 64 is damaged: its checksum differs");
	data[64 + 32 + PAGES(3) + 17] ^= 4;
	engine_save(engine_pack(1), data, size);
	free(data);
	data = engine_load(engine_pack(2), &size);
	data[64 + 32 + 1] ^= 4;
	engine_save(engine_pack(2), data, size);
	damage_told("images/b", "offset 163840", "000002.pack: the block at offset 64");
	free(data);
	engine_free(contents, 4);
}
END_TEST

/* A pack that has been made good after the damage: the hash of the chunk tells. */
START_TEST(damaged_chunk)
{
	unsigned char *data, *block, *footer;
	struct cr_index *index = NULL;
	struct cr_error err = {0};
	uint64_t sum, table;
	size_t size;

	generations_make();
	data = engine_load(engine_pack(2), &size);
	block = data + 64;
	block[32 + PAGES(2) + 1] ^= 1;
	sum = cr_chunk_sum(block + 32, cr_le32_get(block + 12)) ^ cr_chunk_sum(block, 24);
	cr_le64_put(block + 24, sum);
	footer = data + size - 64;
	table = cr_le64_get(footer + 16);
	cr_le64_put(data + table + 24, sum);
	cr_le64_put(footer + 32, cr_chunk_sum(data + table, size - 64 - table));
	cr_le64_put(footer + 56, cr_chunk_sum(footer, 56));
	engine_save(engine_pack(2), data, size);
	sum = cr_le64_get(footer + 32);
	free(data);
	/* and the index knows that pack */
	data = engine_load(engine_index(2), &size);
	footer = data + size - 64;
	table = cr_le64_get(footer + 24);
	cr_le64_put(data + table + 24, sum);
	cr_le64_put(footer + 40, cr_chunk_sum(data + table, cr_le64_get(footer + 32)));
	cr_le64_put(footer + 56, cr_chunk_sum(footer, 56));
	engine_save(engine_index(2), data, size);
	unit_assert_ok(cr_index_open(&index, engine_index(2), &err), &err);
	cr_index_close(index);
	damage_told("images/b", "offset 172032", "the chunk at 8192 of pack 000002 is damaged: its hash differs");
	free(data);
	engine_free(contents, 4);
}
END_TEST

START_TEST(damaged_segment)
{
	struct cr_index *index = NULL;
	struct cr_error err = {0};
	unsigned char *data;
	char where[64];
	uint64_t at;
	size_t size;

	generations_make();
	unit_assert_ok(cr_index_open(&index, engine_index(2), &err), &err);
	at = index->places[0].offset; /* of images/a */
	cr_index_close(index);
	data = engine_load(engine_index(2), &size);
	data[at + 50] ^= 1;
	engine_save(engine_index(2), data, size);
	(void)snprintf(where, sizeof(where), "index (offset %lu): a segment's checksum differs",
		       (unsigned long)at);
	damage_told("images/a", "offset 0", where);
	free(data);
	engine_free(contents, 4);
}
END_TEST

/* Any byte that flips is noticed: nobody gets what was not written. */
START_TEST(every_flip)
{
	struct content c[] = {{.name = "a", .data = engine_text(9000), .size = 9000},
			      {.name = "z", .data = engine_zero(9000), .size = 9000}};
	struct making m = {.generation = 1};
	const char *names[2];
	struct cr_error err = {0};

	engine_open();
	engine_make(&m, c, 2);
	names[0] = strdup(engine_pack(1));
	names[1] = strdup(engine_index(1));
	for (int f = 0; f < 2; f++) {
		unsigned char *data;
		size_t size;

		data = engine_load(names[f], &size);
		for (size_t at = 0; at < size; at++) {
			struct cr_image *image = NULL;
			int rc;

			data[at] ^= (unsigned char)(1u << at % 8);
			engine_save(names[f], data, size);
			rc = cr_image_open(&image, &engine_store, 1, &err);
			if (rc == 0)
				rc = cr_image_verify(image, NULL, NULL, &err);
			ck_assert_msg(rc == -1, "%s: byte %zu", names[f], at);
			ck_assert_ptr_nonnull(strstr(err.text, "generation 1"));
			cr_image_close(image);
			data[at] ^= (unsigned char)(1u << at % 8);
		}
		engine_save(names[f], data, size);
		free(data);
	}
	engine_compare(1, c, 2);
	free((char *)(uintptr_t)names[0]);
	free((char *)(uintptr_t)names[1]);
	engine_free(c, 2);
}
END_TEST

/* ---- golden files: format 1 of pack and index, as every later version must read it ---- */

/* What is in them is computed. */
static unsigned char *golden_bytes(size_t size, uint32_t state, bool noise)
{
	unsigned char *data = engine_zero(size);

	for (size_t i = 0; i < size; i++) {
		state = state * 1664525u + 1013904223u;
		data[i] = noise || i % 1000 == 0 ? (unsigned char)(state >> 24)
						 : (unsigned char)"golden file of spank_cr "[i % 24];
	}
	return data;
}

/* Generation 1 has the streams without 'x' in pages-1.img; its pack is raw. Generation 2 adds a page, compressed.
 */
static void golden_contents(struct content c[4], uint32_t generation)
{
	c[0] = (struct content){.name = "images/inventory.img", .data = golden_bytes(19, 1, false), .size = 19};
	c[1] = (struct content){
		.name = "images/pages-1.img", .data = golden_bytes(PAGES(6), 2, false), .size = PAGES(6)};
	memset(c[1].data + PAGES(1), 0, PAGES(2));
	memcpy(c[1].data + PAGES(5), c[1].data, PAGES(1)); /* the first again */
	if (generation == 2)
		memset(c[1].data + PAGES(4), 'x', 100);
	c[2] = (struct content){.name = "files/stdout", .data = golden_bytes(700, 3, true), .size = 700};
	c[3] = (struct content){.name = "private.tar", .data = engine_zero(0)};
}

static unsigned char *golden_load(const char *name, size_t *size)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s", getenv("CR_FIXTURES"), name);
	return engine_load(path, size);
}

static void golden_place(const char *name, const char *path)
{
	size_t size;
	unsigned char *data = golden_load(name, &size);

	engine_save(path, data, size);
	free(data);
}

static void golden_store(void)
{
	engine_open();
	ck_assert_int_eq(mkdir(engine_path("packs"), 0700), 0);
	ck_assert_int_eq(mkdir(engine_path("000002"), 0700), 0);
	golden_place("index-1.index", engine_index(2));
	golden_place("pack-1.pack", engine_pack(2));
	golden_place("pack-1-raw.pack", engine_pack(1));
}

START_TEST(golden)
{
	struct content c[4];
	struct cr_index *index = NULL;
	struct cr_error err = {0};
	unsigned char *data;
	size_t size;

	golden_store();
	golden_contents(c, 2);
	engine_compare(2, c, 4);
	unit_assert_ok(cr_index_open(&index, engine_index(2), &err), &err);
	ck_assert_uint_eq(index->job, 4711);
	ck_assert_uint_eq(index->n_packs, 2);
	ck_assert_uint_eq(index->packs[0].generation, 2);
	ck_assert_uint_eq(index->packs[1].generation, 1);
	/* the first page counts twice */
	ck_assert_uint_eq(index->packs[1].used, PAGES(3) + 19 + 700);
	ck_assert_uint_eq(index->packs[1].raw, PAGES(3) + 19 + 700);
	cr_index_close(index);
	data = golden_load("pack-1.pack", &size);
	ck_assert_uint_eq(cr_le32_get(data + 64 + 4), CR_PACK_ZSTD);
	free(data);
	data = golden_load("pack-1-raw.pack", &size);
	ck_assert_uint_eq(cr_le32_get(data + 64 + 4), CR_PACK_RAW);
	free(data);
	engine_free(c, 4);
}
END_TEST

/* And it is a past to build on. */
START_TEST(golden_past)
{
	struct making m = {.generation = 3, .past = 2};
	struct content c[4];

	golden_store();
	golden_contents(c, 2);
	engine_round(&m, c, 4);
	ck_assert_str_eq(m.remark, "");
	ck_assert_uint_eq(m.new_bytes, 0);
	engine_free(c, 4);
}
END_TEST

START_TEST(golden_newer)
{
	struct cr_image *image = NULL;
	struct cr_error err = {0};
	unsigned char *data;
	size_t size;

	golden_store();
	data = golden_load("pack-1.pack", &size);
	cr_le32_put(data + 8, 2);
	engine_save(engine_pack(2), data, size);
	free(data);
	ck_assert_int_eq(cr_image_open(&image, &engine_store, 2, &err), -1);
	unit_assert_error(&err, EPROTONOSUPPORT, "pack version 2 is newer than 1");
	data = golden_load("index-1.index", &size);
	cr_le32_put(data + 8, 2);
	engine_save(engine_index(2), data, size);
	free(data);
	ck_assert_int_eq(cr_image_open(&image, &engine_store, 2, &err), -1);
	unit_assert_error(&err, EPROTONOSUPPORT, "index version 2 is newer than 1");
}
END_TEST

UNIT_MAIN("image", {reads, true}, {copies, true}, {many_readers, true}, {reader_given_up, true},
	  {parts_missing, true}, {damaged_block, true}, {damaged_chunk, true}, {damaged_segment, true},
	  {every_flip, true}, {golden, true}, {golden_past, true}, {golden_newer, true})
