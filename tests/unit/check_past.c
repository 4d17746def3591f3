/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "engine.h"

#include "../../libcrcore/past.h"

#define PAGES 300u

/* What the past says of the chunk data: 1 found, and it is the same; 0 not found. */
static int found(const struct cr_past *past, const void *data, uint32_t size)
{
	struct cr_cursor cursor = {0};
	struct cr_index_chunk chunk;
	struct cr_error err = {0};
	struct cr_chunk_hash hash = cr_chunk_hash(&past->index->key, data, size);
	int rc = cr_past_find(past, hash, size, &cursor, &err);

	ck_assert_int_ge(rc, 0);
	if (rc == 1) {
		ck_assert_int_eq(cr_cursor_get(&cursor, &chunk), 1);
		ck_assert(cr_chunk_hash_same(chunk.hash, hash));
		ck_assert_uint_eq(chunk.size, size);
	}
	cr_cursor_clear(&cursor);
	return rc;
}

static struct cr_past past_open(uint32_t generation, size_t bytes)
{
	struct cr_past past;
	struct cr_error err = {0};

	ck_assert_msg(cr_past_open(&past, engine_index(generation), engine_path("packs"), bytes, &err) == 0, "%s",
		      err.text);
	return past;
}

START_TEST(anchors)
{
	struct content c = {.name = "s", .data = engine_text(PAGES * CR_CHUNK + 7), .size = PAGES * CR_CHUNK + 7};
	unsigned char *other = engine_noise(CR_CHUNK);
	struct making m = {.generation = 1};
	struct cr_past past;

	engine_open();
	engine_make(&m, &c, 1);
	past = past_open(1, 1 << 20);
	for (size_t i = 0; i < PAGES; i++)
		ck_assert_int_eq(found(&past, c.data + i * CR_CHUNK, CR_CHUNK), 1);
	ck_assert_int_eq(found(&past, c.data + PAGES * CR_CHUNK, 7), 1);
	ck_assert_int_eq(found(&past, c.data + PAGES * CR_CHUNK, 6), 0);
	ck_assert_int_eq(found(&past, other, CR_CHUNK), 0);
	ck_assert(!past.stale[0]);
	cr_past_close(&past);
	cr_past_close(&past);
	free(other);
	engine_free(&c, 1);
}
END_TEST

/* Of a generation that is large for the memory every n-th chunk is found, and the memory stays. */
START_TEST(anchors_are_bounded)
{
	size_t pages = 20000, n = 0;
	struct content c = {.name = "s", .data = engine_zero(pages * CR_CHUNK), .size = pages * CR_CHUNK};
	struct making m = {.generation = 1};
	struct cr_past past;

	for (size_t i = 0; i < pages; i++)
		memcpy(c.data + i * CR_CHUNK, &(uint64_t){i + 1}, 8);
	engine_open();
	engine_make(&m, &c, 1);
	past = past_open(1, 16 << 10);
	ck_assert_uint_le(past.bytes, 16 << 10);
	ck_assert_uint_ge(past.sample, 8);
	for (size_t i = 0; i < pages; i++)
		n += (size_t)found(&past, c.data + i * CR_CHUNK, CR_CHUNK);
	ck_assert_uint_gt(n, pages / past.sample / 2);
	ck_assert_uint_lt(n, pages / past.sample * 2);
	cr_past_close(&past);
	engine_free(&c, 1);
}
END_TEST

static int past_try(uint32_t generation, struct cr_error *err)
{
	struct cr_past past;
	int rc = cr_past_open(&past, engine_index(generation), engine_path("packs"), 1 << 20, err);

	cr_past_close(&past);
	return rc;
}

START_TEST(bad_index)
{
	struct content c = {.name = "s", .data = engine_text(PAGES * CR_CHUNK), .size = PAGES * CR_CHUNK};
	struct making m = {.generation = 1};
	struct cr_error err = {0};
	unsigned char *data;
	size_t size;

	engine_open();
	engine_make(&m, &c, 1);
	ck_assert_int_eq(past_try(2, &err), -1);
	unit_assert_error(&err, ENOENT, "index");
	data = engine_load(engine_index(1), &size);
	/* in a segment: nobody looks there before the anchors are laid */
	data[300] ^= 1;
	engine_save(engine_index(1), data, size);
	ck_assert_int_eq(past_try(1, &err), -1);
	unit_assert_error(&err, EBADMSG, "checksum differs");
	data[300] ^= 1;
	cr_le32_put(data + 8, 2);
	engine_save(engine_index(1), data, size);
	ck_assert_int_eq(past_try(1, &err), -1);
	unit_assert_error(&err, EPROTONOSUPPORT, "newer");
	engine_save(engine_index(1), data, size / 2);
	ck_assert_int_eq(past_try(1, &err), -1);
	free(data);
	engine_free(&c, 1);
}
END_TEST

/* ---- compaction, on indexes made by hand ---- */

#define MANY 40u

static struct cr_index_pack packs[MANY];

/* A pack of one block of raw bytes, which are not looked at. */
static void pack_put(uint32_t i, uint32_t raw, uint64_t used)
{
	static unsigned char block[CR_PACK_BLOCK];
	struct cr_pack_writer *writer = NULL;
	struct cr_pack_info info;
	struct cr_error err = {0};
	const char *path = engine_pack(i + 1);

	(void)unlink(path);
	memset(block, (int)i, sizeof(block));
	unit_assert_ok(cr_pack_create(&writer, path, 4711, i + 1, 0, &err), &err);
	unit_assert_ok(cr_pack_append(writer, 0, raw, CR_PACK_RAW, block, raw, &err), &err);
	unit_assert_ok(cr_pack_finish(writer, &info, &err), &err);
	packs[i] = (struct cr_index_pack){.generation = i + 1, .raw = raw, .used = used, .sum = info.sum};
}

static void index_put(uint32_t n)
{
	const struct cr_chunk_key key = {{1}};
	struct cr_index_writer *writer = NULL;
	struct cr_error err = {0};
	uint64_t size;

	(void)unlink(unit_path("index"));
	unit_assert_ok(cr_index_create(&writer, unit_path("index"), 4711, n, &key, &err), &err);
	unit_assert_ok(cr_index_finish(writer, NULL, 0, packs, n, &size, &err), &err);
}

/* The packs that may still be referred to, as "+" and "-". */
static const char *alive(uint32_t n)
{
	static char text[MANY + 1];
	struct cr_past past;
	struct cr_error err = {0};

	index_put(n);
	unit_assert_ok(cr_past_open(&past, unit_path("index"), engine_path("packs"), 1 << 16, &err), &err);
	for (uint32_t i = 0; i < n; i++)
		text[i] = past.stale[i] ? '-' : '+';
	text[n] = '\0';
	cr_past_close(&past);
	return text;
}

static void store_open(void)
{
	engine_open();
	ck_assert_int_eq(mkdir(engine_path("packs"), 0700), 0);
}

START_TEST(mostly_dead)
{
	store_open();
	pack_put(0, 100000, 100000);
	pack_put(1, 100000, 49999);
	pack_put(2, 100000, 50000);
	pack_put(3, 100000, 1);
	ck_assert_str_eq(alive(4), "+-+-");
}
END_TEST

/* Missing, cut, and another one in its place. */
START_TEST(not_the_pack)
{
	unsigned char *data;
	size_t size;

	store_open();
	for (uint32_t i = 0; i < 5; i++)
		pack_put(i, 100000, 100000);
	ck_assert_str_eq(alive(5), "+++++");
	ck_assert_int_eq(unlink(engine_pack(2)), 0);
	ck_assert_int_eq(truncate(engine_pack(3), 5000), 0);
	/* as long, and cut into the same blocks */
	data = engine_load(engine_pack(4), &size);
	engine_save(engine_pack(5), data, size);
	ck_assert_str_eq(alive(5), "+--+-");
	free(data);
}
END_TEST

START_TEST(too_many)
{
	char want[MANY + 1] = "";

	store_open();
	for (uint32_t i = 0; i < 32; i++) {
		pack_put(i, 1000 + 10 * i, 1000 + 10 * i);
		strcat(want, "+");
	}
	ck_assert_str_eq(alive(32), want);
	/* one more: the smallest go, all at once */
	pack_put(32, 2000, 2000);
	strcat(want, "+");
	memset(want, '-', 17);
	ck_assert_str_eq(alive(33), want);
}
END_TEST

UNIT_MAIN("past", {anchors, true}, {anchors_are_bounded, true}, {bad_index, true}, {mostly_dead, true},
	  {not_the_pack, true}, {too_many, true})
