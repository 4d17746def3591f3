/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include "../../libcrcore/chunk.h"

START_TEST(keys)
{
	struct cr_chunk_key a = {{0}}, b = {{0}};
	struct cr_error err = {0};
	char page[CR_CHUNK] = "page";

	unit_assert_ok(cr_chunk_key_make(&a, &err), &err);
	unit_assert_ok(cr_chunk_key_make(&b, &err), &err);
	ck_assert_int_ne(memcmp(&a, &b, sizeof(a)), 0);
	/* no half of it is left zero */
	ck_assert(!cr_chunk_zero(a.secret, CR_CHUNK_KEY / 2));
	ck_assert(!cr_chunk_zero(a.secret + CR_CHUNK_KEY / 2, CR_CHUNK_KEY / 2));
	ck_assert(
		cr_chunk_hash_same(cr_chunk_hash(&a, page, sizeof(page)), cr_chunk_hash(&a, page, sizeof(page))));
	ck_assert(
		!cr_chunk_hash_same(cr_chunk_hash(&a, page, sizeof(page)), cr_chunk_hash(&b, page, sizeof(page))));
}
END_TEST

/* The key decides at every length: XXH3 has different ways for short ones. */
START_TEST(every_length_is_keyed)
{
	static const size_t sizes[] = {1, 3, 4, 8, 9, 16, 17, 128, 129, 240, 241, 512, 4095, 4096};
	struct cr_chunk_key a = {{0}}, b = {{0}};
	struct cr_error err = {0};
	unsigned char page[CR_CHUNK];

	memset(page, 7, sizeof(page));
	unit_assert_ok(cr_chunk_key_make(&a, &err), &err);
	unit_assert_ok(cr_chunk_key_make(&b, &err), &err);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct cr_chunk_hash h = cr_chunk_hash(&a, page, sizes[i]);

		ck_assert(!cr_chunk_hash_same(h, cr_chunk_hash(&b, page, sizes[i])));
		page[sizes[i] - 1] ^= 1;
		ck_assert(!cr_chunk_hash_same(h, cr_chunk_hash(&a, page, sizes[i])));
		page[sizes[i] - 1] ^= 1;
		ck_assert(cr_chunk_hash_same(h, cr_chunk_hash(&a, page, sizes[i])));
		for (size_t j = 0; j < i; j++)
			ck_assert(!cr_chunk_hash_same(h, cr_chunk_hash(&a, page, sizes[j])));
	}
}
END_TEST

/* A store is read by another version than wrote it: these values must never change. */
START_TEST(hash_is_fixed)
{
	unsigned char page[CR_CHUNK];
	struct cr_chunk_key key;
	struct cr_chunk_hash hash;

	for (size_t i = 0; i < CR_CHUNK_KEY; i++)
		key.secret[i] = (unsigned char)(i * 37 + 11);
	for (size_t i = 0; i < sizeof(page); i++)
		page[i] = (unsigned char)(i * 7);
	hash = cr_chunk_hash(&key, page, 3);
	ck_assert_uint_eq(hash.low, UINT64_C(0xf6f99c631af50010));
	ck_assert_uint_eq(hash.high, UINT64_C(0x79fb097a04762de4));
	hash = cr_chunk_hash(&key, page, 200);
	ck_assert_uint_eq(hash.low, UINT64_C(0x521bcc83a31113b8));
	ck_assert_uint_eq(hash.high, UINT64_C(0x6c00944f239a3630));
	hash = cr_chunk_hash(&key, page, sizeof(page));
	ck_assert_uint_eq(hash.low, UINT64_C(0x972ed51079d13d04));
	ck_assert_uint_eq(hash.high, UINT64_C(0x39ffc45d1a55f919));
	ck_assert_uint_eq(cr_chunk_sum(page, 56), UINT64_C(0xef61841ec8e0bfa7));
}
END_TEST

START_TEST(zero)
{
	unsigned char page[CR_CHUNK + 8] = {0};

	for (size_t size = 0; size <= 200; size++)
		ck_assert(cr_chunk_zero(page + 1, size));
	ck_assert(cr_chunk_zero(page, CR_CHUNK));
	for (size_t at = 0; at < CR_CHUNK; at++) {
		page[at] = 0x80;
		ck_assert(!cr_chunk_zero(page, CR_CHUNK));
		ck_assert(cr_chunk_zero(page, at));
		ck_assert(!cr_chunk_zero(page, at + 1));
		page[at] = 0;
	}
}
END_TEST

START_TEST(fields)
{
	unsigned char bytes[16] = {0};

	cr_le16_put(bytes + 1, 0x0102);
	ck_assert_mem_eq(bytes, "\0\x02\x01\0", 4);
	ck_assert_uint_eq(cr_le16_get(bytes + 1), 0x0102);
	cr_le32_put(bytes + 3, 0x01020304);
	ck_assert_mem_eq(bytes + 3, "\x04\x03\x02\x01\0", 5);
	ck_assert_uint_eq(cr_le32_get(bytes + 3), 0x01020304);
	cr_le64_put(bytes + 5, UINT64_C(0xf102030405060708));
	ck_assert_mem_eq(bytes + 5, "\x08\x07\x06\x05\x04\x03\x02\xf1\0", 9);
	ck_assert_uint_eq(cr_le64_get(bytes + 5), UINT64_C(0xf102030405060708));
}
END_TEST

UNIT_MAIN("chunk", {keys, false}, {every_length_is_keyed, false}, {hash_is_fixed, false}, {zero, false},
	  {fields, false})
