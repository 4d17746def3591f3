/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "engine.h"

#define FOOTER 64u

static const struct cr_chunk_key key = {{1, 2, 3}};

static struct cr_chunk_hash hash_of(uint64_t i)
{
	return (struct cr_chunk_hash){.low = i * 3, .high = ~i};
}

static void segment_write(struct cr_index_writer *writer, struct cr_segment *s)
{
	struct cr_error err = {0};
	void *bytes = NULL;
	size_t size = 0;

	unit_assert_ok(cr_segment_encode(s, &bytes, &size, &err), &err);
	ck_assert_uint_le(size, CR_SEGMENT_MAX);
	unit_assert_ok(cr_index_append(writer, s->stream, s->start, bytes, size, &err), &err);
	free(bytes);
	s->start += s->length;
	s->length = 0;
	s->n_runs = s->n_hashes = 0;
}

/* Streams a (empty), b (one segment), c (two segments of chunks, zeroes, a short end); written out of order. */
static uint64_t index_make(const char *path)
{
	static const struct cr_index_pack packs[] = {{.generation = 7, .raw = 40960, .used = 36964, .sum = 0x1234},
						     {.generation = 3, .raw = 8192, .used = 4096, .sum = 0x5678}};
	static const struct cr_index_stream streams[] = {{.name = (char *)"a"},
							 {.name = (char *)"images/b", .size = 100},
							 {.name = (char *)"c", .size = 5 * 4096 + 4}};
	struct cr_index_writer *writer = NULL;
	struct cr_segment b = {.stream = 1}, c = {.stream = 2};
	struct cr_error err = {0};
	uint64_t size = 0;

	unit_assert_ok(cr_index_create(&writer, path, 4711, 7, &key, &err), &err);
	for (uint32_t i = 0; i < 2; i++)
		unit_assert_ok(cr_segment_add(&c, 1, i * 4096, 4096, hash_of(i), &err), &err);
	unit_assert_ok(cr_segment_add(&c, 0, 0, 4096, hash_of(0), &err), &err);
	segment_write(writer, &c);
	unit_assert_ok(cr_segment_add(&b, 1, 8192, 100, hash_of(9), &err), &err);
	segment_write(writer, &b);
	unit_assert_ok(cr_segment_add(&c, 2, 4096, 4096, hash_of(3), &err), &err);
	unit_assert_ok(cr_segment_add(&c, 0, 0, 4096, hash_of(0), &err), &err);
	unit_assert_ok(cr_segment_add(&c, 1, 8292, 4, hash_of(5), &err), &err);
	segment_write(writer, &c);
	unit_assert_ok(cr_index_finish(writer, streams, 3, packs, 2, &size, &err), &err);
	cr_segment_clear(&b);
	cr_segment_clear(&c);
	return size;
}

/* Open, and walk all of it. */
static int index_try(const char *path, struct cr_error *err)
{
	struct cr_index *index = NULL;
	struct cr_segment segment = {0};
	int rc = cr_index_open(&index, path, err);

	ck_assert((rc == 0) == (index != NULL));
	for (uint32_t i = 0; rc == 0 && i < index->n_places; i++)
		rc = cr_index_segment(index, i, &segment, err);
	cr_segment_clear(&segment);
	cr_index_close(index);
	return rc;
}

START_TEST(segments)
{
	struct cr_segment s = {.stream = 4, .start = 8192}, t = {0};
	struct cr_error err = {0};
	void *bytes = NULL;
	size_t size = 0;

	/* what joins is one run; another pack, place or size is another */
	for (uint32_t i = 0; i < 3; i++)
		unit_assert_ok(cr_segment_add(&s, 1, i * 4096, 4096, hash_of(i), &err), &err);
	unit_assert_ok(cr_segment_add(&s, 1, 0, 4096, hash_of(0), &err), &err);
	unit_assert_ok(cr_segment_add(&s, 2, 4096, 4096, hash_of(1), &err), &err);
	unit_assert_ok(cr_segment_add(&s, 2, 8192, 4095, hash_of(2), &err), &err);
	unit_assert_ok(cr_segment_add(&s, 0, 5, 4096, hash_of(2), &err), &err);
	unit_assert_ok(cr_segment_add(&s, 0, 7, 4096, hash_of(2), &err), &err);
	unit_assert_ok(cr_segment_add(&s, 0, 7, 1, hash_of(2), &err), &err);
	ck_assert_uint_eq(s.n_runs, 6);
	ck_assert_uint_eq(s.n_hashes, 6);
	ck_assert_uint_eq(s.length, 7 * 4096 + 4095 + 1);
	unit_assert_ok(cr_segment_encode(&s, &bytes, &size, &err), &err);
	unit_assert_ok(cr_segment_decode(&t, bytes, size, &err), &err);
	ck_assert_uint_eq(t.stream, 4);
	ck_assert_uint_eq(t.start, 8192);
	ck_assert_uint_eq(t.length, s.length);
	ck_assert_uint_eq(t.n_runs, 6);
	for (uint32_t i = 0; i < 6; i++) {
		ck_assert_uint_eq(t.runs[i].pack, s.runs[i].pack);
		ck_assert_uint_eq(t.runs[i].size, s.runs[i].size);
		ck_assert_uint_eq(t.runs[i].count, s.runs[i].count);
		ck_assert_uint_eq(t.runs[i].raw, s.runs[i].raw);
	}
	ck_assert_mem_eq(t.hashes, s.hashes, 6 * sizeof(*s.hashes));
	for (size_t n = 0; n < size; n++) {
		unsigned char *small = malloc(n + 1); /* so that a sanitizer sees what is read behind it */

		ck_assert_ptr_nonnull(small);
		memcpy(small, bytes, n);
		ck_assert_int_eq(cr_segment_decode(&t, small, n, &err), -1);
		ck_assert_int_eq(err.errnum, EBADMSG);
		free(small);
	}
	free(bytes);
	cr_segment_clear(&s);
	cr_segment_clear(&t);
}
END_TEST

START_TEST(full_segments)
{
	struct cr_segment s = {0}, t = {0};
	struct cr_error err = {0};
	void *bytes = NULL;
	size_t size = 0;

	for (uint32_t i = 0; i < CR_SEGMENT_HASHES; i++) {
		ck_assert(!cr_segment_full(&s));
		unit_assert_ok(cr_segment_add(&s, 1, (uint64_t)i * 4096, 4096, hash_of(i), &err), &err);
	}
	ck_assert(cr_segment_full(&s));
	cr_segment_clear(&s);
	for (uint32_t i = 0; i < CR_SEGMENT_RUNS; i++) {
		ck_assert(!cr_segment_full(&s));
		unit_assert_ok(cr_segment_add(&s, i % 2, i * 4096, 4096, hash_of(i), &err), &err);
	}
	ck_assert(cr_segment_full(&s));
	unit_assert_ok(cr_segment_encode(&s, &bytes, &size, &err), &err);
	unit_assert_ok(cr_segment_decode(&t, bytes, size, &err), &err);
	ck_assert_uint_eq(t.n_runs, CR_SEGMENT_RUNS);
	free(bytes);
	cr_segment_clear(&s);
	cr_segment_clear(&t);
}
END_TEST

START_TEST(round_trip)
{
	uint64_t size = index_make(unit_path("index"));
	struct cr_index *index = NULL;
	struct cr_error err = {0};
	struct stat st;

	unit_assert_ok(cr_index_open(&index, unit_path("index"), &err), &err);
	ck_assert_int_eq(stat(unit_path("index"), &st), 0);
	ck_assert_uint_eq(size, (uint64_t)st.st_size);
	ck_assert_uint_eq(index->job, 4711);
	ck_assert_uint_eq(index->generation, 7);
	ck_assert_mem_eq(&index->key, &key, sizeof(key));
	ck_assert_uint_eq(index->n_packs, 2);
	ck_assert_uint_eq(index->packs[1].generation, 3);
	ck_assert_uint_eq(index->packs[1].raw, 8192);
	ck_assert_uint_eq(index->packs[1].used, 4096);
	ck_assert_uint_eq(index->packs[1].sum, 0x5678);
	ck_assert_uint_eq(index->n_streams, 3);
	ck_assert_str_eq(index->streams[1].name, "images/b");
	ck_assert_uint_eq(index->streams[0].segments, 0);
	ck_assert_uint_eq(index->streams[2].segments, 2);
	ck_assert_int_eq(cr_index_find(index, "c"), 2);
	ck_assert_int_eq(cr_index_find(index, "d"), -1);
	cr_index_close(index);
	cr_index_close(NULL);
	cr_index_discard(NULL);
}
END_TEST

START_TEST(walking)
{
	static const struct {
		uint64_t start, raw;
		uint32_t pack, size, left;
	} want[] = {{0, 0, 1, 4096, 2},	       {4096, 4096, 1, 4096, 1}, {8192, 0, 0, 4096, 1},
		    {12288, 4096, 2, 4096, 1}, {16384, 0, 0, 4096, 1},	 {20480, 8292, 1, 4, 1}};
	struct cr_cursor cursor = {0};
	struct cr_index_chunk chunk;
	struct cr_index *index = NULL;
	struct cr_error err = {0};
	int rc;

	(void)index_make(unit_path("index"));
	unit_assert_ok(cr_index_open(&index, unit_path("index"), &err), &err);
	ck_assert_int_eq(cr_cursor_get(&cursor, &chunk), 0);
	ck_assert_uint_eq(cr_cursor_left(&cursor), 0);
	rc = cr_cursor_seek(&cursor, index, 2, 0, &err);
	for (size_t i = 0; i < 6; i++) {
		ck_assert_int_eq(rc, 1);
		ck_assert_int_eq(cr_cursor_get(&cursor, &chunk), 1);
		ck_assert_uint_eq(chunk.start, want[i].start);
		ck_assert_uint_eq(chunk.pack, want[i].pack);
		ck_assert_uint_eq(chunk.size, want[i].size);
		ck_assert_uint_eq(cr_cursor_left(&cursor), want[i].left);
		if (chunk.pack)
			ck_assert_uint_eq(chunk.raw, want[i].raw);
		rc = cr_cursor_skip(&cursor, 1, &err);
	}
	ck_assert_int_eq(rc, 0);
	ck_assert_int_eq(cr_cursor_get(&cursor, &chunk), 0);
	/* each chunk can be gone to, and nothing between them */
	for (uint64_t at = 0; at <= 5 * 4096 + 5; at++) {
		rc = cr_cursor_seek(&cursor, index, 2, at, &err);
		ck_assert_int_eq(rc, at % 4096 == 0 && at <= 5 * 4096);
	}
	ck_assert_int_eq(cr_cursor_seek(&cursor, index, 2, UINT64_MAX, &err), 0);
	ck_assert_int_eq(cr_cursor_seek(&cursor, index, 0, 0, &err), 0);
	/* by hash */
	ck_assert_int_eq(cr_cursor_jump(&cursor, index, 2, 1, &err), 1);
	ck_assert_int_eq(cr_cursor_get(&cursor, &chunk), 1);
	ck_assert_uint_eq(chunk.start, 20480);
	ck_assert(cr_chunk_hash_same(chunk.hash, hash_of(5)));
	ck_assert_int_eq(cr_cursor_jump(&cursor, index, 2, 2, &err), 0);
	ck_assert_int_eq(cr_cursor_jump(&cursor, index, 3, 0, &err), 0);
	ck_assert_int_eq(cr_cursor_jump(&cursor, index, 0, UINT32_MAX, &err), 0);
	cr_cursor_clear(&cursor);
	cr_index_close(index);
}
END_TEST

START_TEST(not_there)
{
	struct cr_index_writer *writer = NULL;
	struct cr_index *index = NULL;
	struct cr_error err = {0};

	ck_assert_int_eq(cr_index_open(&index, unit_path("none"), &err), -1);
	unit_assert_error(&err, ENOENT, "none");
	ck_assert_int_eq(cr_index_open(&index, unit_dir, &err), -1);
	unit_assert_error(&err, EBADMSG, "regular");
	unit_write("there", "");
	ck_assert_int_eq(cr_index_create(&writer, unit_path("there"), 1, 1, &key, &err), -1);
	unit_assert_error(&err, EEXIST, "there");
	ck_assert_ptr_null(writer);
}
END_TEST

START_TEST(every_truncation)
{
	(void)index_make(unit_path("index"));
	engine_truncations(unit_path("index"), index_try);
}
END_TEST

START_TEST(every_flip)
{
	(void)index_make(unit_path("index"));
	engine_flips(unit_path("index"), index_try);
}
END_TEST

/* ---- falsified, with sums that fit ---- */

static unsigned char *forged;
static size_t forged_size;

static void forged_load(void)
{
	free(forged);
	forged = engine_load(unit_path("index"), &forged_size);
}

static unsigned char *tables(void)
{
	return forged + cr_le64_get(forged + forged_size - FOOTER + 24);
}

static void segments_seal(void)
{
	unsigned char *places = tables() + 2 * 32;

	for (int i = 0; i < 3; i++) {
		unsigned char *s = forged + cr_le64_get(places + i * 24 + 16);
		size_t size = 40 + (size_t)16 * cr_le32_get(s + 8) + (size_t)16 * cr_le32_get(s + 12);

		if (size <= (size_t)(forged + forged_size - s))
			cr_le64_put(s + 32, cr_chunk_sum(s, 32) ^ cr_chunk_sum(s + 40, size - 40));
	}
}

static void forged_seal(void)
{
	unsigned char *footer = forged + forged_size - FOOTER;
	uint64_t at = cr_le64_get(footer + 24), length = cr_le64_get(footer + 32);

	if (at <= forged_size - FOOTER && length <= forged_size - FOOTER - at)
		cr_le64_put(footer + 40, cr_chunk_sum(forged + at, length));
	cr_le64_put(footer + 56, cr_chunk_sum(footer, 56));
	cr_le64_put(forged + 248, cr_chunk_sum(forged, 248));
}

static void forged_refused(unsigned char *at, unsigned width, uint64_t value, const char *text)
{
	struct cr_error err = {0};
	bool segment = at < tables() && at >= forged + 256;

	if (width == 2)
		cr_le16_put(at, (uint16_t)value);
	else if (width == 4)
		cr_le32_put(at, (uint32_t)value);
	else
		cr_le64_put(at, value);
	if (segment)
		segments_seal();
	forged_seal();
	engine_save(unit_path("forged"), forged, forged_size);
	ck_assert_msg(index_try(unit_path("forged"), &err) == -1, "%s", text);
	unit_assert_error(&err, EBADMSG, text);
	ck_assert_ptr_nonnull(strstr(err.text, "forged"));
	ck_assert_ptr_nonnull(strstr(err.text, "offset"));
	forged_load();
}

#define AT_FOOTER(n)	 (forged + forged_size - FOOTER + (n))
#define AT_PLACE(i, n)	 (tables() + 2 * 32 + (i) * 24 + (n))
#define AT_STREAM(n)	 (tables() + 2 * 32 + 3 * 24 + (n))
#define AT_SEGMENT(i, n) (forged + cr_le64_get(AT_PLACE(i, 16)) + (n))

START_TEST(forged_tables)
{
	static const uint64_t numbers[] = {UINT64_MAX, INT64_MAX, UINT64_C(1) << 63, UINT32_MAX, 0};

	(void)index_make(unit_path("index"));
	forged_load();
	forged_refused(forged, 8, 0, "not an index");
	forged_refused(forged + 8, 4, 0, "header is damaged");
	forged_refused(AT_FOOTER(8), 4, 65535, "end is missing or damaged");
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		forged_refused(AT_FOOTER(24), 8, numbers[i], "end is missing or damaged");
		forged_refused(AT_FOOTER(32), 8, numbers[i], "end is missing or damaged");
		if (numbers[i] > 0)
			forged_refused(AT_PLACE(1, 8), 8, numbers[i], "makes no sense");
		forged_refused(AT_PLACE(0, 16), 8, numbers[i], "its directory makes no sense");
		forged_refused(AT_STREAM(16 + 1), 8, numbers[i],
			       i == 4 ? "has not the segments" : "not the one the directory");
	}
	for (uint32_t n = UINT32_MAX; n > 3; n /= 7) {
		forged_refused(AT_FOOTER(12), 4, n, "(offset"); /* streams */
		forged_refused(AT_FOOTER(16), 4, n, "(offset"); /* segments */
	}
	for (uint32_t n = 0; n < 3; n++) {
		forged_refused(AT_FOOTER(12), 4, n, "(offset");
		forged_refused(AT_FOOTER(16), 4, n, "(offset");
	}
	forged_refused(AT_FOOTER(8), 4, 1, "(offset");
	forged_refused(AT_FOOTER(8), 4, 3, "(offset");
	forged_refused(AT_PLACE(0, 0), 4, 3, "its directory makes no sense"); /* no such stream */
	forged_refused(AT_PLACE(0, 0), 4, 0, "has not the segments it needs");
	forged_refused(AT_PLACE(2, 8), 8, 0, "its directory makes no sense"); /* twice the same place */
	forged_refused(AT_PLACE(0, 4), 4, 39, "its directory makes no sense");
	forged_refused(AT_PLACE(0, 4), 4, UINT32_MAX, "its directory makes no sense");
	forged_refused(AT_PLACE(0, 4), 4, CR_SEGMENT_MAX + 1, "its directory makes no sense");
	forged_refused(AT_PLACE(0, 4), 4, 57, "has not the size it says");
	forged_refused(AT_PLACE(0, 8), 8, 1, "has not the segments it needs"); /* it does not begin at 0 */
	forged_refused(AT_STREAM(8), 4, 0, "name of a stream");
	forged_refused(AT_STREAM(8), 4, 256, "name of a stream");
	forged_refused(AT_STREAM(8), 4, UINT32_MAX, "name of a stream");
	forged_refused(AT_STREAM(8), 4, 2, "(offset"); /* and what follows is no stream */
	forged_refused(AT_STREAM(0), 8, 1, "has not the segments it needs");
	free(forged);
}
END_TEST

START_TEST(forged_segments)
{
	(void)index_make(unit_path("index"));
	forged_load();
	forged_refused(AT_SEGMENT(1, 0), 4, 0, "no segment begins here");
	forged_refused(AT_SEGMENT(1, 4), 4, 1, "not the one the directory names");
	forged_refused(AT_SEGMENT(1, 8), 4, 3, "has not the size it says");
	forged_refused(AT_SEGMENT(1, 8), 4, UINT32_MAX, "has not the size it says");
	forged_refused(AT_SEGMENT(1, 12), 4, UINT32_MAX, "has not the size it says");
	forged_refused(AT_SEGMENT(1, 16), 8, 4096, "not the one the directory names");
	forged_refused(AT_SEGMENT(1, 24), 8, 4096, "do not add up");
	forged_refused(AT_SEGMENT(1, 24), 8, UINT64_MAX, "do not add up");
	/* of a run: pack, size, number, place */
	forged_refused(AT_SEGMENT(1, 40), 2, 3, "what no pack has");
	forged_refused(AT_SEGMENT(1, 40), 2, 0, "do not add up");
	forged_refused(AT_SEGMENT(1, 40 + 2), 2, 4096, "run 0 of a segment makes no sense");
	forged_refused(AT_SEGMENT(1, 40 + 2), 2, UINT16_MAX, "run 0 of a segment makes no sense");
	forged_refused(AT_SEGMENT(1, 40 + 2), 2, 4094, "do not add up");
	forged_refused(AT_SEGMENT(1, 40 + 4), 4, 0, "run 0 of a segment makes no sense");
	forged_refused(AT_SEGMENT(1, 40 + 4), 4, UINT32_MAX, "do not add up");
	forged_refused(AT_SEGMENT(1, 40 + 8), 8, UINT64_MAX, "run 0 of a segment makes no sense");
	forged_refused(AT_SEGMENT(1, 40 + 8), 8, INT64_MAX, "what no pack has");
	forged_refused(AT_SEGMENT(1, 40 + 8), 8, 40960 - 2 * 4096 + 1, "what no pack has");
	free(forged);
}
END_TEST

START_TEST(newer_version)
{
	struct cr_index *index = NULL;
	struct cr_error err = {0};

	(void)index_make(unit_path("index"));
	forged_load();
	cr_le32_put(forged + 8, CR_INDEX_VERSION + 1);
	engine_save(unit_path("newer"), forged, forged_size);
	ck_assert_int_eq(cr_index_open(&index, unit_path("newer"), &err), -1);
	unit_assert_error(&err, EPROTONOSUPPORT, "index version 2 is newer than 1");
	free(forged);
}
END_TEST

UNIT_MAIN("index", {segments, false}, {full_segments, false}, {round_trip, true}, {walking, true},
	  {not_there, true}, {every_truncation, true}, {every_flip, true}, {forged_tables, true},
	  {forged_segments, true}, {newer_version, true})
