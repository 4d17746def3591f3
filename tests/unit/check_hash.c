/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include "../../libcrcore/cleanup.h"
#include "../../libcrcore/hash.h"

/* b2sum -l 256 */
#define EMPTY "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"
#define ABC   "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319"

START_TEST(known_answers)
{
	struct cr_error err = {0};
	char hex[CR_HASH_HEX];
	uint64_t size = 77;

	unit_assert_ok(cr_hash_data("abc", 3, hex, &err), &err);
	ck_assert_str_eq(hex, ABC);
	unit_assert_ok(cr_hash_data(NULL, 0, hex, &err), &err);
	ck_assert_str_eq(hex, EMPTY);
	unit_assert_ok(cr_hash_file(unit_write("abc", "abc"), hex, &size, &err), &err);
	ck_assert_str_eq(hex, ABC);
	ck_assert_uint_eq(size, 3);
	unit_assert_ok(cr_hash_file(unit_write("empty", ""), hex, &size, &err), &err);
	ck_assert_str_eq(hex, EMPTY);
	ck_assert_uint_eq(size, 0);
	unit_assert_ok(cr_hash_file(unit_path("abc"), hex, NULL, &err), &err);
}
END_TEST

START_TEST(file_equals_data)
{
	size_t n = (3u << 20) + 5;
	cleanup_free unsigned char *data = malloc(n);
	char of_file[CR_HASH_HEX], of_data[CR_HASH_HEX];
	struct cr_error err = {0};
	uint64_t size = 0;

	ck_assert_ptr_nonnull(data);
	for (size_t i = 0; i < n; i++)
		data[i] = (unsigned char)(i * 7 + (i >> 9));
	unit_assert_ok(cr_hash_file(unit_write_bytes("big", data, n), of_file, &size, &err), &err);
	unit_assert_ok(cr_hash_data(data, n, of_data, &err), &err);
	ck_assert_str_eq(of_file, of_data);
	ck_assert_uint_eq(size, n);
	data[n - 1] ^= 1;
	unit_assert_ok(cr_hash_data(data, n, of_data, &err), &err);
	ck_assert_str_ne(of_file, of_data);
}
END_TEST

START_TEST(planted)
{
	struct cr_error err = {0};
	char hex[CR_HASH_HEX];

	unit_write("f", "x");
	ck_assert_int_eq(symlink("f", unit_path("link")), 0);
	ck_assert_int_eq(mkfifo(unit_path("fifo"), 0600), 0);
	ck_assert_int_eq(cr_hash_file(unit_path("link"), hex, NULL, &err), -1);
	unit_assert_error(&err, ELOOP, "link");
	ck_assert_int_eq(cr_hash_file(unit_path("fifo"), hex, NULL, &err), -1);
	unit_assert_error(&err, EINVAL, "not a regular file");
	ck_assert_int_eq(cr_hash_file(unit_dir, hex, NULL, &err), -1);
	unit_assert_error(&err, EINVAL, "not a regular file");
	ck_assert_int_eq(cr_hash_file(unit_path("none"), hex, NULL, &err), -1);
	unit_assert_error(&err, ENOENT, "none");
}
END_TEST

UNIT_MAIN("hash", {known_answers, true}, {file_equals_data, true}, {planted, true})
