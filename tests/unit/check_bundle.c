/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include "../../spank_cr/init/bundle.h"

#define BLOCK 512

/* Write pieces of one file into unit_dir/bundle. */
static int source_make(size_t size)
{
	unsigned char *data = malloc(size);
	int fd;

	ck_assert_ptr_nonnull(data);
	for (size_t i = 0; i < size; i++)
		data[i] = (unsigned char)(i * 7 + i / 251);
	fd = open(unit_write_bytes("in", data, size), O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	free(data);
	return fd;
}

static int bundle_begin(struct bundle_writer *w)
{
	struct cr_error err = {0};
	int fd = open(unit_path("bundle"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	unit_assert_ok(bundle_writer_open(w, fd, &err), &err);
	return fd;
}

/* Read a piece and compare it with where it came from. */
static void piece_check(struct bundle_reader *r, int in, uint64_t offset, uint64_t length)
{
	struct cr_error err = {0};
	const void *data;
	uint64_t sum = 0;
	size_t n;
	int rc;

	ck_assert_uint_eq(r->offset, offset);
	ck_assert_uint_eq(r->length, length);
	while ((rc = bundle_read(r, &data, &n, &err)) == 1) {
		unsigned char *want = malloc(n);

		ck_assert_int_eq(pread(in, want, n, (off_t)(offset + sum)), (ssize_t)n);
		ck_assert_int_eq(memcmp(want, data, n), 0);
		free(want);
		sum += n;
	}
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_eq(sum, length);
}

START_TEST(there_and_back)
{
	static const struct {
		uint32_t number;
		uint64_t offset, length;
	} pieces[] = {{0, 0, 1},       {0, 512, 512},	     {3, 5, 511},   {3, 1000, 513},
		      {4, 0, 1000000}, {4, 1000000, 262144}, {9, 7, 262145}};
	struct cr_error err = {0};
	struct bundle_writer w;
	struct bundle_reader r;
	int in = source_make(1300000), fd = bundle_begin(&w);

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
		unit_assert_ok(bundle_add(&w, pieces[i].number, in, pieces[i].offset, pieces[i].length, &err),
			       &err);
	/* nothing of it */
	unit_assert_ok(bundle_add(&w, 10, in, 0, 0, &err), &err);
	unit_assert_ok(bundle_writer_end(&w, &err), &err);
	bundle_writer_close(&w);
	/* it is an archive that tar knows */
	ck_assert_int_eq(setenv("UNIT_DIR", unit_dir, 1), 0);
	ck_assert_int_eq(system("tar -tf \"$UNIT_DIR/bundle\" >\"$UNIT_DIR/list\" && test \"$(wc -l "
				"<\"$UNIT_DIR/list\")\" = 7 &&"
				" grep -qx 4/f4240 \"$UNIT_DIR/list\""),
			 0);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	unit_assert_ok(bundle_reader_open(&r, fd, &err), &err);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		ck_assert_int_eq(bundle_next(&r, pieces[i].number + 100, &err), 0);
		ck_assert_int_eq(bundle_next(&r, pieces[i].number, &err), 1);
		piece_check(&r, in, pieces[i].offset, pieces[i].length);
	}
	ck_assert_int_eq(bundle_next(&r, 10, &err), 0);
	unit_assert_ok(bundle_reader_end(&r, &err), &err);
	bundle_reader_close(&r);
}
END_TEST

/* Somebody else may have made it shorter; what cannot be read at all is an error. */
START_TEST(a_file_that_ends_too_early)
{
	struct cr_error err = {0};
	struct bundle_writer w;
	int in = source_make(1000);

	bundle_begin(&w);
	unit_assert_ok(bundle_add(&w, 0, in, 0, 1001, &err), &err);
	ck_assert_int_eq(bundle_add(&w, 0, -1, 0, 1, &err), -1);
	bundle_writer_close(&w);
}
END_TEST

/* A bundle of one piece in memory, changed at a byte (the sum of the header mended or not), must not be read. */
static void damaged(size_t at, const char *bytes, size_t n, bool mend, size_t size)
{
	struct cr_error err = {0};
	struct bundle_writer w;
	struct bundle_reader r;
	unsigned char image[4 * BLOCK];
	const void *data;
	unsigned sum = 0;
	int in = source_make(100), fd = bundle_begin(&w), rc;
	size_t got;

	unit_assert_ok(bundle_add(&w, 5, in, 16, 80, &err), &err);
	unit_assert_ok(bundle_writer_end(&w, &err), &err);
	bundle_writer_close(&w);
	ck_assert_int_eq(pread(fd, image, sizeof(image), 0), sizeof(image));
	memcpy(image + at, bytes, n);
	for (int i = 0; i < BLOCK; i++)
		sum += i >= 148 && i < 156 ? ' ' : image[i];
	if (mend)
		(void)snprintf((char *)image + 148, 7, "%06o", sum);
	ck_assert_int_ge(fd = open(unit_write_bytes("bundle", image, size), O_RDONLY | O_CLOEXEC), 0);
	unit_assert_ok(bundle_reader_open(&r, fd, &err), &err);
	rc = bundle_next(&r, 5, &err);
	while (rc == 1)
		rc = bundle_read(&r, &data, &got, &err);
	if (rc == 0)
		rc = bundle_reader_end(&r, &err);
	ck_assert_msg(rc == -1, "%zu \"%s\" was taken", at, bytes);
	ck_assert_msg(err.errnum == EBADMSG, "%zu \"%s\": %s", at, bytes, err.text);
	bundle_reader_close(&r);
}

START_TEST(damage)
{
	/* that the rest is good */
	damaged(0, "6", 1, true, 4 * BLOCK);
	for (size_t size = 0; size < 4 * BLOCK; size += 100)
		damaged(0, "5", 1, true, size);
	damaged(0, "x", 1, true, 4 * BLOCK);
	damaged(0, "/", 1, true, 4 * BLOCK);
	damaged(1, "5", 1, true, 4 * BLOCK);
	damaged(2, "g", 1, true, 4 * BLOCK);
	damaged(2, "", 1, true, 4 * BLOCK);
	damaged(0, "4294967296/0", 13, true, 4 * BLOCK);
	damaged(0, "5/7fffffffffffffff", 19, true, 4 * BLOCK);
	damaged(0, "5/12345678901234567", 20, true, 4 * BLOCK);
	damaged(0, " 5/1", 5, true, 4 * BLOCK);
	damaged(0, "-5/1", 5, true, 4 * BLOCK);
	damaged(0, "5/2", 3, false, 4 * BLOCK);
	damaged(124, "00000000000", 11, true, 4 * BLOCK);
	damaged(124, "77777777777", 11, true, 4 * BLOCK);
	damaged(124, "0000000012x", 11, true, 4 * BLOCK);
	damaged(156, "5", 1, true, 4 * BLOCK);
	damaged(257, "gnu", 3, true, 4 * BLOCK);
	damaged(2 * BLOCK, "y", 1, false, 4 * BLOCK);
}
END_TEST

START_TEST(order)
{
	static const struct {
		uint32_t number;
		uint64_t offset;
	} seconds[] = {{4, 0}, {5, 0}, {5, 15}, {5, 95}};
	struct cr_error err = {0};

	for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
		struct bundle_writer w;
		struct bundle_reader r;
		const void *data;
		size_t n;
		int in = source_make(200), fd = bundle_begin(&w);

		unit_assert_ok(bundle_add(&w, 5, in, 16, 80, &err), &err);
		unit_assert_ok(bundle_add(&w, seconds[i].number, in, seconds[i].offset, 10, &err), &err);
		unit_assert_ok(bundle_writer_end(&w, &err), &err);
		bundle_writer_close(&w);
		ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
		unit_assert_ok(bundle_reader_open(&r, fd, &err), &err);
		ck_assert_int_eq(bundle_next(&r, 5, &err), 1);
		while (bundle_read(&r, &data, &n, &err) == 1)
			;
		ck_assert_int_eq(bundle_next(&r, 5, &err), -1);
		unit_assert_error(&err, EBADMSG, "order");
		bundle_reader_close(&r);
	}
}
END_TEST

UNIT_MAIN("bundle", {there_and_back, true}, {a_file_that_ends_too_early, true}, {damage, true}, {order, true})
