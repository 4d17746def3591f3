/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "engine.h"

#include <zstd.h>

#define FOOTER 64u
#define ENTRY  32u

/* In place of the C library's: the disk fails when it is told to. */
static int sync_error;
static unsigned syncs;

int sync_file_range(int fd, off64_t offset, off64_t count, unsigned int flags)
{
	(void)fd, (void)offset, (void)count, (void)flags;
	syncs++;
	errno = sync_error;
	return sync_error ? -1 : 0;
}

static unsigned char block[CR_PACK_BLOCK];

/* Three blocks, out of order: 1000 bytes as they are, 5000 of zstd, 1 byte. */
static struct cr_pack_info pack_make(const char *path)
{
	unsigned char *text = engine_text(5000), small[5000];
	struct cr_pack_writer *writer = NULL;
	struct cr_pack_info info = {0};
	struct cr_error err = {0};
	size_t n = ZSTD_compress(small, sizeof(small), text, 5000, 3);

	ck_assert(!ZSTD_isError(n) && n < 5000);
	unit_assert_ok(cr_pack_create(&writer, path, 4711, 7, 0, &err), &err);
	unit_assert_ok(cr_pack_append(writer, 1000, 5000, CR_PACK_ZSTD, small, (uint32_t)n, &err), &err);
	unit_assert_ok(cr_pack_append(writer, 6000, 1, CR_PACK_RAW, "!", 1, &err), &err);
	memset(block, 'r', 1000);
	unit_assert_ok(cr_pack_append(writer, 0, 1000, CR_PACK_RAW, block, 1000, &err), &err);
	unit_assert_ok(cr_pack_finish(writer, &info, &err), &err);
	free(text);
	return info;
}

static int pack_try(const char *path, struct cr_error *err)
{
	struct cr_pack *pack = NULL;
	int rc = cr_pack_open(&pack, path, err);

	ck_assert((rc == 0) == (pack != NULL));
	for (uint64_t i = 0; rc == 0 && i < cr_pack_info(pack)->blocks; i++)
		rc = cr_pack_read(pack, (int64_t)i, block, err);
	cr_pack_close(pack);
	return rc;
}

START_TEST(round_trip)
{
	struct cr_pack_info info = pack_make(unit_path("pack"));
	struct cr_pack *pack = NULL;
	struct cr_error err = {0};
	struct stat st;

	unit_assert_ok(cr_pack_open(&pack, unit_path("pack"), &err), &err);
	ck_assert_mem_eq(cr_pack_info(pack), &info, sizeof(info));
	ck_assert_int_eq(stat(unit_path("pack"), &st), 0);
	ck_assert_uint_eq(info.size, (uint64_t)st.st_size);
	ck_assert_uint_eq(info.raw, 6001);
	ck_assert_uint_eq(info.blocks, 3);
	ck_assert_int_eq(cr_pack_find(pack, 0), 0);
	ck_assert_int_eq(cr_pack_find(pack, 999), 0);
	ck_assert_int_eq(cr_pack_find(pack, 1000), 1);
	ck_assert_int_eq(cr_pack_find(pack, 5999), 1);
	ck_assert_int_eq(cr_pack_find(pack, 6000), 2);
	ck_assert_int_eq(cr_pack_find(pack, 6001), -1);
	ck_assert_int_eq(cr_pack_find(pack, UINT64_MAX), -1);
	ck_assert_uint_eq(cr_pack_block_start(pack, 1), 1000);
	ck_assert_uint_eq(cr_pack_block_size(pack, 1), 5000);
	unit_assert_ok(cr_pack_read(pack, 0, block, &err), &err);
	ck_assert(block[0] == 'r' && block[999] == 'r');
	unit_assert_ok(cr_pack_read(pack, 1, block, &err), &err);
	ck_assert_mem_eq(block + 18, "stormy", 6);
	unit_assert_ok(cr_pack_read(pack, 2, block, &err), &err);
	ck_assert_int_eq(block[0], '!');
	cr_pack_ahead(pack, 0, 1 << 20);
	cr_pack_ahead(pack, -1, 1);
	cr_pack_ahead(pack, 3, 1);
	cr_pack_close(pack);
}
END_TEST

START_TEST(empty)
{
	struct cr_pack_writer *writer = NULL;
	struct cr_pack *pack = NULL;
	struct cr_pack_info info;
	struct cr_error err = {0};

	unit_assert_ok(cr_pack_create(&writer, unit_path("pack"), 1, 1, 0, &err), &err);
	unit_assert_ok(cr_pack_finish(writer, &info, &err), &err);
	ck_assert_uint_eq(info.raw, 0);
	unit_assert_ok(cr_pack_open(&pack, unit_path("pack"), &err), &err);
	ck_assert_int_eq(cr_pack_find(pack, 0), -1);
	cr_pack_close(pack);
	cr_pack_close(NULL);
	cr_pack_discard(NULL);
}
END_TEST

/* What is already there is never written over, and a link is not followed. */
START_TEST(create_refuses)
{
	struct cr_pack_writer *writer = NULL;
	struct cr_pack *pack = NULL;
	struct cr_error err = {0};

	unit_write("there", "");
	ck_assert_int_eq(cr_pack_create(&writer, unit_path("there"), 1, 1, 0, &err), -1);
	unit_assert_error(&err, EEXIST, "there");
	ck_assert_ptr_null(writer);
	(void)pack_make(unit_path("pack"));
	ck_assert_int_eq(symlink(unit_path("pack"), unit_path("link")), 0);
	ck_assert_int_eq(cr_pack_open(&pack, unit_path("link"), &err), -1);
	unit_assert_error(&err, ELOOP, "link");
	ck_assert_int_eq(mkfifo(unit_path("fifo"), 0600), 0);
	ck_assert_int_eq(cr_pack_open(&pack, unit_path("fifo"), &err), -1);
	unit_assert_error(&err, EBADMSG, "regular");
	ck_assert_int_eq(cr_pack_open(&pack, unit_path("none"), &err), -1);
	unit_assert_error(&err, ENOENT, "none");
}
END_TEST

/* The writer does not make what a reader refuses. */
START_TEST(append_refuses)
{
	struct cr_pack_writer *writer = NULL;
	struct cr_pack_info info;
	struct cr_error err = {0};

	unit_assert_ok(cr_pack_create(&writer, unit_path("pack"), 1, 1, 0, &err), &err);
	ck_assert_int_eq(cr_pack_append(writer, 0, 0, CR_PACK_RAW, block, 0, &err), -1);
	ck_assert_int_eq(cr_pack_append(writer, 0, CR_PACK_BLOCK + 1, CR_PACK_RAW, block, 1, &err), -1);
	ck_assert_int_eq(cr_pack_append(writer, 0, 10, CR_PACK_RAW, block, 11, &err), -1);
	ck_assert_int_eq(cr_pack_append(writer, 0, 10, CR_PACK_RAW, block, 0, &err), -1);
	unit_assert_ok(cr_pack_append(writer, 0, 10, CR_PACK_RAW, block, 10, &err), &err);
	unit_assert_ok(cr_pack_append(writer, 11, 10, CR_PACK_RAW, block, 10, &err), &err);
	ck_assert_int_eq(cr_pack_finish(writer, &info, &err), -1);
	unit_assert_error(&err, EINVAL, "do not join at 10");
}
END_TEST

/* An error of the disk's that an early sync has met is not met again by the last one. */
START_TEST(early_sync_fails)
{
	static const struct {
		int errnum, rc;
	} cases[] = {{EIO, -1}, {ENOSPC, -1}, {EDQUOT, -1}, {ESPIPE, 0}, {EINVAL, 0}, {ENOSYS, 0}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cr_pack_writer *writer = NULL;
		struct cr_error err = {0};
		char name[32];
		int rc = 0;

		(void)snprintf(name, sizeof(name), "pack%zu", i);
		syncs = 0;
		unit_assert_ok(cr_pack_create(&writer, unit_path(name), 1, 1, 1 << 20, &err), &err);
		sync_error = cases[i].errnum;
		for (uint64_t at = 0; at < 8 && rc == 0; at++)
			rc = cr_pack_append(writer, at * CR_PACK_BLOCK, CR_PACK_BLOCK, CR_PACK_RAW, block,
					    CR_PACK_BLOCK, &err);
		ck_assert_uint_gt(syncs, 0);
		ck_assert_int_eq(rc, cases[i].rc);
		if (rc < 0)
			unit_assert_error(&err, cases[i].errnum, name);
		cr_pack_discard(writer);
		sync_error = 0;
	}
}
END_TEST

/* Packs that differ in content alone have different sums. */
START_TEST(sum_tells_apart)
{
	struct cr_pack_info info[2];
	struct cr_error err = {0};

	for (int i = 0; i < 2; i++) {
		struct cr_pack_writer *writer = NULL;

		memset(block, 'a' + i, 4096);
		unit_assert_ok(cr_pack_create(&writer, unit_path(i ? "a" : "b"), 1, 1, 0, &err), &err);
		unit_assert_ok(cr_pack_append(writer, 0, 4096, CR_PACK_RAW, block, 4096, &err), &err);
		unit_assert_ok(cr_pack_finish(writer, &info[i], &err), &err);
	}
	ck_assert_uint_eq(info[0].size, info[1].size);
	ck_assert_uint_ne(info[0].sum, info[1].sum);
}
END_TEST

START_TEST(every_truncation)
{
	(void)pack_make(unit_path("pack"));
	engine_truncations(unit_path("pack"), pack_try);
}
END_TEST

START_TEST(every_flip)
{
	(void)pack_make(unit_path("pack"));
	engine_flips(unit_path("pack"), pack_try);
}
END_TEST

/* A pack in memory whose fields are falsified; the sums are made good again, so that the field itself is what is
 * refused. */
static unsigned char *forged;
static size_t forged_size;

static unsigned char *forged_table(void)
{
	return forged + cr_le64_get(forged + forged_size - FOOTER + 16);
}

static void forged_seal(void)
{
	unsigned char *footer = forged + forged_size - FOOTER;
	uint64_t blocks = cr_le64_get(footer + 8), at = cr_le64_get(footer + 16);

	if (at <= forged_size - FOOTER && blocks * ENTRY <= forged_size - FOOTER - at)
		cr_le64_put(footer + 32, cr_chunk_sum(forged + at, blocks * ENTRY));
	cr_le64_put(footer + 56, cr_chunk_sum(footer, 56));
	cr_le64_put(forged + 56, cr_chunk_sum(forged, 56));
}

static void forged_load(void)
{
	free(forged);
	forged = engine_load(unit_path("pack"), &forged_size);
}

/* Let the number of width bytes at a place be value. */
static void forged_refused(unsigned char *at, unsigned width, uint64_t value, const char *text)
{
	struct cr_error err = {0};

	if (width == 4)
		cr_le32_put(at, (uint32_t)value);
	else
		cr_le64_put(at, value);
	forged_seal();
	engine_save(unit_path("forged"), forged, forged_size);
	ck_assert_int_eq(pack_try(unit_path("forged"), &err), -1);
	unit_assert_error(&err, EBADMSG, text);
	ck_assert_ptr_nonnull(strstr(err.text, "forged"));
	forged_load();
}

#define AT_FOOTER(n)   (forged + forged_size - FOOTER + (n))
#define AT_ENTRY(i, n) (forged_table() + (i) * ENTRY + (n))

START_TEST(forged_fields)
{
	static const uint64_t numbers[] = {UINT64_MAX, INT64_MAX, UINT64_C(1) << 63, UINT32_MAX, 4, 2, 0};

	(void)pack_make(unit_path("pack"));
	forged_load();
	forged_refused(forged, 8, 0, "not a pack");
	forged_refused(forged + 8, 4, 0, "header is damaged");
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		forged_refused(AT_FOOTER(8), 8, numbers[i], "end is missing or damaged");
		forged_refused(AT_FOOTER(16), 8, numbers[i], "end is missing or damaged");
		forged_refused(AT_FOOTER(24), 8, numbers[i], "its blocks hold 6001 bytes");
		forged_refused(AT_ENTRY(1, 0), 8, numbers[i], "block 1 of its table makes no sense");
		if (numbers[i] > 64 && numbers[i] != UINT32_MAX)
			forged_refused(AT_ENTRY(1, 8), 8, numbers[i], "block 1 of its table makes no sense");
	}
	forged_refused(AT_ENTRY(0, 8), 8, 63, "block 0 of its table makes no sense");
	forged_refused(AT_ENTRY(0, 8), 8, 64, "not what the table says"); /* another block's */
	forged_refused(AT_ENTRY(0, 16), 4, 0, "block 0 of its table makes no sense");
	forged_refused(AT_ENTRY(0, 16), 4, CR_PACK_BLOCK + 1, "block 0 of its table makes no sense");
	forged_refused(AT_ENTRY(0, 16), 4, 999, "block 0 of its table makes no sense"); /* less than stored */
	forged_refused(AT_ENTRY(2, 16), 4, 2, "its blocks hold 6002 bytes, not 6001");
	forged_refused(AT_ENTRY(0, 20), 4, 0, "block 0 of its table makes no sense");
	forged_refused(AT_ENTRY(0, 20), 4, 1001, "block 0 of its table makes no sense");
	forged_refused(AT_ENTRY(0, 20), 4, 999, "not what the table says");
	forged_refused(AT_ENTRY(0, 24), 8, 0, "not what the table says");
	free(forged);
}
END_TEST

/* A block that is falsified together with its sums, so that what is in it is looked at. */
static void block_refused(unsigned i, unsigned at, uint32_t value, const char *text)
{
	unsigned char *entry = AT_ENTRY(i, 0), *header = forged + cr_le64_get(entry + 8);
	uint64_t sum;

	cr_le32_put(header + at, value);
	sum = cr_chunk_sum(header + 32, cr_le32_get(header + 12)) ^ cr_chunk_sum(header, 24);
	cr_le64_put(header + 24, sum);
	forged_refused(entry + 24, 8, sum, text);
}

START_TEST(forged_blocks)
{
	(void)pack_make(unit_path("pack"));
	forged_load();
	block_refused(0, 0, 0, "not what the table says");
	block_refused(0, 4, 2, "compressed in an unknown way");
	block_refused(0, 4, UINT32_MAX, "compressed in an unknown way");
	block_refused(0, 4, CR_PACK_ZSTD, "does not decompress");
	block_refused(1, 4, CR_PACK_RAW, "its sizes differ");
	block_refused(1, 8, 4999, "not what the table says");
	block_refused(1, 16, 4999, "not what the table says");
	block_refused(1, 32, 0, "does not decompress");
	free(forged);
}
END_TEST

/* A frame that holds less or more than was said. */
START_TEST(frames_of_another_size)
{
	static const size_t sizes[] = {4999, 5001, 0, 200000};
	unsigned char *text = engine_text(200000), *small = engine_zero(200000);

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t n = ZSTD_compress(small, 200000, text, sizes[i], 3);
		struct cr_pack_writer *writer = NULL;
		struct cr_pack_info info;
		struct cr_error err = {0};

		if (n > 5000)
			continue;
		(void)unlink(unit_path("pack"));
		unit_assert_ok(cr_pack_create(&writer, unit_path("pack"), 1, 1, 0, &err), &err);
		unit_assert_ok(cr_pack_append(writer, 0, 5000, CR_PACK_ZSTD, small, (uint32_t)n, &err), &err);
		unit_assert_ok(cr_pack_finish(writer, &info, &err), &err);
		ck_assert_int_eq(pack_try(unit_path("pack"), &err), -1);
		unit_assert_error(&err, EBADMSG, "does not decompress");
	}
	free(text);
	free(small);
}
END_TEST

START_TEST(newer_version)
{
	struct cr_pack *pack = NULL;
	struct cr_error err = {0};

	(void)pack_make(unit_path("pack"));
	forged_load();
	cr_le32_put(forged + 8, CR_PACK_VERSION + 1);
	/* another version may sum otherwise, too */
	engine_save(unit_path("newer"), forged, forged_size);
	ck_assert_int_eq(cr_pack_open(&pack, unit_path("newer"), &err), -1);
	unit_assert_error(&err, EPROTONOSUPPORT, "pack version 2 is newer than 1");
	free(forged);
}
END_TEST

UNIT_MAIN("pack", {round_trip, true}, {empty, true}, {create_refuses, true}, {append_refuses, true},
	  {early_sync_fails, true}, {sum_tells_apart, true}, {every_truncation, true}, {every_flip, true},
	  {forged_fields, true}, {forged_blocks, true}, {frames_of_another_size, true}, {newer_version, true})
