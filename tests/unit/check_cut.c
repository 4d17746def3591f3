/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include "../../libcrcore/chunk.h"
#include "../../libcrcore/cut.h"

#define MOST 4096

/* The chunks of an archive that comes in pieces of at most piece bytes; returns how many. */
static size_t cuts(const unsigned char *data, size_t size, size_t piece, uint32_t *lengths)
{
	struct cr_cut cut = {{0}, 0, 0, false, 0};
	uint32_t length = 0;
	size_t n = 0;

	for (size_t at = 0; at < size;) {
		size_t some = size - at < piece ? size - at : piece;
		bool end = false;
		size_t took = cr_cut_next(&cut, data + at, some, &end);

		ck_assert_uint_ge(took, 1);
		ck_assert_uint_le(took, some);
		at += took;
		length += (uint32_t)took;
		ck_assert_uint_le(length, CR_CHUNK);
		if (!end)
			continue;
		ck_assert_uint_lt(n, MOST);
		lengths[n++] = length;
		length = 0;
	}
	if (length)
		lengths[n++] = length;
	return n;
}

/* A member: a header and content of one byte value, padded. Returns the bytes. */
static size_t member(unsigned char *to, char type, size_t size, int fill)
{
	size_t padded = (size + 511) / 512 * 512;

	memset(to, 0, 512 + padded);
	(void)snprintf((char *)to, 100, "member-%d", fill);
	(void)snprintf((char *)to + 124, 12, "%011lo", (unsigned long)size);
	to[156] = (unsigned char)type;
	memset(to + 512, fill, size);
	return 512 + padded;
}

static void expect(const uint32_t *got, size_t n, const uint32_t *want, size_t m)
{
	ck_assert_uint_eq(n, m);
	for (size_t i = 0; i < n; i++)
		ck_assert_msg(got[i] == want[i], "chunk %zu has %u bytes, not %u", i, got[i], want[i]);
}

START_TEST(members)
{
	unsigned char *data = calloc(1, 65536);
	uint32_t got[MOST];
	size_t size = 0;

	ck_assert_ptr_nonnull(data);
	size += member(data + size, '0', 100, 1);  /* 512 | 512 */
	size += member(data + size, '5', 0, 2);	   /* a directory stays with the next header: 1024 */
	size += member(data + size, '0', 9000, 3); /* 4096 4096 1024 */
	size += member(data + size, 'x', 300, 4);  /* what extends a header stays with it: 1024 + 512 */
	size += member(data + size, '0', 1, 5);	   /* 512 */
	size += 1024;				   /* the end */
	for (size_t piece = 1; piece < 12000; piece = piece * 2 + 1)
		expect(got, cuts(data, size, piece, got),
		       (const uint32_t[]){512, 512, 1024, 4096, 4096, 1024, 1536, 512, 1024}, 9);
	free(data);
}
END_TEST

/* A file of 8 GiB and more has its size as a binary number. */
START_TEST(binary_size)
{
	unsigned char header[512] = {0}, more[CR_CHUNK];
	struct cr_cut cut = {{0}, 0, 0, false, 0};
	uint64_t size = UINT64_C(10) << 30;
	bool end;

	header[124] = 0x80;
	for (int i = 0; i < 8; i++)
		header[124 + 4 + i] = (unsigned char)(size >> (56 - 8 * i));
	header[156] = '0';
	ck_assert_uint_eq(cr_cut_next(&cut, header, sizeof(header), &end), 512);
	ck_assert(end);
	ck_assert_uint_eq(cut.left, size);
	memset(more, 'x', sizeof(more));
	ck_assert_uint_eq(cr_cut_next(&cut, more, sizeof(more), &end), CR_CHUNK);
	ck_assert(end);
}
END_TEST

/* What is no archive is cut somehow, never beyond a chunk and never without end. */
START_TEST(nonsense)
{
	size_t size = 1 << 20;
	unsigned char *data = malloc(size);
	uint32_t *got = malloc(size * sizeof(*got));
	uint32_t state = 1;

	ck_assert(data && got);
	for (int round = 0; round < 20; round++) {
		uint64_t sum = 0;
		size_t n;

		for (size_t i = 0; i < size; i++) {
			state = state * 1664525 + 1013904223;
			data[i] = round % 2 ? (unsigned char)"01234567\0\x80\xff"[(state >> 16) % 11]
					    : (unsigned char)(state >> 24);
		}
		{
			struct cr_cut cut = {{0}, 0, 0, false, 0};
			uint32_t length = 0;

			n = 0;
			for (size_t at = 0; at < size;) {
				bool end;
				size_t took = cr_cut_next(&cut, data + at, size - at, &end);

				ck_assert_uint_ge(took, 1);
				at += took;
				length += (uint32_t)took;
				sum += took;
				ck_assert_uint_le(length, CR_CHUNK);
				if (end) {
					n++;
					length = 0;
				}
			}
		}
		ck_assert_uint_eq(sum, size);
		ck_assert_uint_ge(n, size / CR_CHUNK);
	}
	free(data);
	free(got);
}
END_TEST

/* The largest numbers that fit the field. */
START_TEST(sizes_that_overflow)
{
	unsigned char header[512] = {0}, more[1024] = {0};
	bool end;

	memset(header + 124, 0xff, 12);
	for (int i = 0; i < 2; i++) {
		struct cr_cut cut = {{0}, 0, 0, false, 0};

		ck_assert_uint_eq(cr_cut_next(&cut, header, 512, &end), 512);
		ck_assert_uint_gt(cr_cut_next(&cut, more, sizeof(more), &end), 0);
		memset(header + 124, '7', 12);
	}
}
END_TEST

UNIT_MAIN("cut", {members, false}, {binary_size, false}, {nonsense, false}, {sizes_that_overflow, false})
