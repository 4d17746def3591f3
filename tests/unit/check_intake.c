/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include "../../libcrcore/intake.h"

#define PUTS 5000u

/* What the taking thread sees. */
struct taken {
	unsigned n, ends, fail_at; /* 0: never */
	useconds_t pause;
	bool wrong;
};

static int take(void *arg, void *stream, void *data, size_t size, bool end, struct cr_error *err)
{
	struct taken *t = arg;
	const unsigned char *p = data;
	unsigned n = t->n++;

	if (t->pause)
		usleep(t->pause);
	if (t->fail_at && t->n >= t->fail_at)
		return cr_error_set(err, ENOSPC, "no room at %u", n);
	/* in order, and not yet overwritten */
	if ((uintptr_t)stream != n % 7 || (size > 0 && (p[0] != n % 251 || p[size - 1] != n % 251)))
		t->wrong = true;
	t->ends += end;
	return 0;
}

static int put(struct cr_intake *intake, unsigned n, struct cr_error *err)
{
	size_t size = n % 3 == 0 ? 1 : n % 3 == 1 ? 5000 : CR_INTAKE_BUFFER;
	void *at;

	if (cr_intake_room(intake, &at, err) < 0)
		return -1;
	if (n % 10 == 9)
		return cr_intake_put(intake, (void *)(uintptr_t)(n % 7), 0, true, err);
	memset(at, (int)(n % 251), size);
	return cr_intake_put(intake, (void *)(uintptr_t)(n % 7), size, false, err);
}

START_TEST(in_order)
{
	struct taken taken = {0};
	struct cr_intake *intake = NULL;
	struct cr_error err = {0};

	unit_assert_ok(cr_intake_open(&intake, 1 << 20, CR_INTAKE_GO, take, &taken, &err), &err);
	unit_assert_ok(cr_intake_settle(intake, &err), &err);
	for (unsigned n = 0; n < PUTS; n++) {
		unit_assert_ok(put(intake, n, &err), &err);
		if (n % 1000 != 0)
			continue;
		unit_assert_ok(cr_intake_settle(intake, &err), &err);
		ck_assert_uint_eq(taken.n, n + 1);
	}
	unit_assert_ok(cr_intake_settle(intake, &err), &err);
	ck_assert_uint_eq(taken.n, PUTS);
	ck_assert_uint_eq(taken.ends, PUTS / 10);
	ck_assert(!taken.wrong);
	cr_intake_close(intake);
}
END_TEST

/* A taker that is slower: whoever puts waits, and nothing is overwritten. */
START_TEST(slow_taker)
{
	struct taken taken = {.pause = 1000};
	struct cr_intake *intake = NULL;
	struct cr_error err = {0};

	unit_assert_ok(cr_intake_open(&intake, 1 << 20, CR_INTAKE_GO, take, &taken, &err), &err);
	for (unsigned n = 0; n < 200; n++)
		unit_assert_ok(put(intake, n, &err), &err);
	unit_assert_ok(cr_intake_settle(intake, &err), &err);
	ck_assert_uint_eq(taken.n, 200);
	ck_assert(!taken.wrong);
	cr_intake_close(intake);
}
END_TEST

/* The taker's error is everybody's from then on; it is not called again, and nobody waits for it. */
START_TEST(taker_fails)
{
	struct taken taken = {.fail_at = 5};
	struct cr_intake *intake = NULL;
	struct cr_error err = {0};
	unsigned n = 0;

	unit_assert_ok(cr_intake_open(&intake, 1 << 20, CR_INTAKE_GO, take, &taken, &err), &err);
	while (n < PUTS && put(intake, n, &err) == 0)
		n++;
	ck_assert_uint_lt(n, 5 + 40);
	unit_assert_error(&err, ENOSPC, "no room at 4");
	err = (struct cr_error){0};
	ck_assert_int_eq(cr_intake_settle(intake, &err), -1);
	unit_assert_error(&err, ENOSPC, "no room at 4");
	ck_assert_int_eq(put(intake, n, &err), -1);
	cr_intake_close(intake);
	ck_assert_uint_eq(taken.n, 5);
}
END_TEST

/* While the processors are somebody else's it works only for room, or not at all. */
START_TEST(modes)
{
	struct taken taken = {0};
	struct cr_intake *intake = NULL;
	struct cr_error err = {0};
	unsigned n = 0;

	unit_assert_ok(cr_intake_open(&intake, 4 << 20, CR_INTAKE_FULL, take, &taken, &err), &err);
	for (; n < 30; n++)
		unit_assert_ok(put(intake, n, &err), &err);
	usleep(100000);
	ck_assert_uint_eq(taken.n, 0);
	/* far more than fits */
	for (; n < 1000; n++)
		unit_assert_ok(put(intake, n, &err), &err);
	cr_intake_set(intake, CR_INTAKE_HOLD);
	usleep(100000);
	ck_assert_uint_gt(taken.n, 800);
	ck_assert_uint_lt(taken.n, 1000);
	unit_assert_ok(cr_intake_settle(intake, &err), &err);
	ck_assert_uint_eq(taken.n, 1000);
	ck_assert(!taken.wrong);
	cr_intake_close(intake);
}
END_TEST

/* Closed with buffers that were not taken. */
START_TEST(given_up)
{
	struct taken taken = {.pause = 20000};
	struct cr_intake *intake = NULL;
	struct cr_error err = {0};

	for (int i = 0; i < 20; i++) {
		taken.n = 0;
		unit_assert_ok(cr_intake_open(&intake, 1 << 20, CR_INTAKE_GO, take, &taken, &err), &err);
		for (unsigned n = 0; n < (unsigned)i % 8; n++)
			unit_assert_ok(put(intake, n, &err), &err);
		cr_intake_close(intake);
	}
	ck_assert(!taken.wrong);
	cr_intake_close(NULL);
}
END_TEST

UNIT_MAIN("intake", {in_order, false}, {slow_taker, false}, {taker_fails, false}, {modes, false},
	  {given_up, false})
