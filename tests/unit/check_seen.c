/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include "../../libcrcore/seen.h"

static struct cr_chunk_hash hash_of(uint64_t i)
{
	/* spread, as hashes are */
	return (struct cr_chunk_hash){.low = i * UINT64_C(0x9e3779b97f4a7c15),
				      .high = (i + 1) * UINT64_C(0xc2b2ae3d27d4eb4f)};
}

START_TEST(finds)
{
	struct cr_error err = {0};
	struct cr_seen seen;
	unsigned found = 0;
	uint64_t raw = 77;

	unit_assert_ok(cr_seen_open(&seen, 10000, 1 << 20, &err), &err);
	ck_assert_int_eq(cr_seen_find(&seen, hash_of(1), &raw), 0);
	for (uint64_t i = 0; i < 10000; i++)
		cr_seen_put(&seen, hash_of(i), i * 4096);
	for (uint64_t i = 0; i < 10000; i++) {
		if (!cr_seen_find(&seen, hash_of(i), &raw))
			continue;
		ck_assert_uint_eq(raw, i * 4096);
		found++;
	}
	/* room enough was asked for: nearly all */
	ck_assert_uint_ge(found, 9000);
	ck_assert_int_eq(cr_seen_find(&seen, hash_of(10000), &raw), 0);
	cr_seen_close(&seen);
	cr_seen_close(&seen);
}
END_TEST

/* One half of a hash is not the hash; raw position 0 is one. */
START_TEST(halves)
{
	struct cr_chunk_hash a = {.low = 5, .high = 6}, b = {.low = 5, .high = 7}, c = {.low = 69, .high = 6};
	struct cr_error err = {0};
	struct cr_seen seen;
	uint64_t raw = 77;

	unit_assert_ok(cr_seen_open(&seen, 0, 0, &err), &err);
	cr_seen_put(&seen, a, 0);
	ck_assert_int_eq(cr_seen_find(&seen, a, &raw), 1);
	ck_assert_uint_eq(raw, 0);
	ck_assert_int_eq(cr_seen_find(&seen, b, &raw), 0);
	ck_assert_int_eq(cr_seen_find(&seen, c, &raw), 0);
	ck_assert_int_eq(cr_seen_find(&seen, (struct cr_chunk_hash){0, 0}, &raw), 0);
	cr_seen_close(&seen);
}
END_TEST

/* More than it has room for: it forgets, its size stays, and what it says is right. */
START_TEST(forgets)
{
	struct cr_error err = {0};
	struct cr_seen seen;
	unsigned recent = 0;
	uint64_t raw;

	unit_assert_ok(cr_seen_open(&seen, UINT64_MAX / 4, 256 << 10, &err), &err);
	ck_assert_uint_le(seen.bytes, 256 << 10);
	ck_assert_uint_ge(seen.bytes, 128 << 10);
	for (uint64_t i = 0; i < 1000000; i++)
		cr_seen_put(&seen, hash_of(i), i);
	for (uint64_t i = 0; i < 1000000; i++) {
		if (!cr_seen_find(&seen, hash_of(i), &raw))
			continue;
		ck_assert_uint_eq(raw, i);
		recent += i >= 999000;
	}
	/* the newest is remembered */
	ck_assert_uint_ge(recent, 700);
	cr_seen_close(&seen);
}
END_TEST

UNIT_MAIN("seen", {finds, false}, {halves, false}, {forgets, false})
