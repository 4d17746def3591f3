/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include "../../libcrcore/cleanup.h"
#include "../../spank_cr/cli/job.h"

static int parse(const char *text, uint32_t **ids, size_t *n, struct cr_error *err)
{
	cleanup_free char *copy = strdup(text);

	ck_assert_ptr_nonnull(copy);
	return job_alive_parse(copy, ids, n, err);
}

START_TEST(states)
{
	static const char text[] = "1 RUNNING\n2 PENDING\n3 COMPLETED\n4 COMPLETING\n5 SUSPENDED\n6 FAILED\n"
				   "7 REQUEUED\n8 CANCELLED\n9 SPECIAL_EXIT\n10 TIMEOUT\n11 NODE_FAIL\n"
				   "12 A_NEW_STATE\n13 PREEMPTED\n14 OUT_OF_MEMORY\n15 BOOT_FAIL\n"
				   "16 DEADLINE\n17 REVOKED\n18 STOPPED\n4294967295 CONFIGURING \n";
	static const uint32_t alive[] = {1, 2, 4, 5, 7, 9, 12, 18, 4294967295};
	struct cr_error err = {0};
	uint32_t *ids = NULL;
	size_t n = 0;

	unit_assert_ok(parse(text, &ids, &n, &err), &err);
	ck_assert_uint_eq(n, sizeof(alive) / sizeof(alive[0]));
	for (size_t i = 0; i < n; i++)
		ck_assert_uint_eq(ids[i], alive[i]);
	free(ids);
}
END_TEST

START_TEST(none)
{
	struct cr_error err = {0};
	uint32_t *ids = NULL;
	size_t n = 77;

	unit_assert_ok(parse("", &ids, &n, &err), &err);
	ck_assert_uint_eq(n, 0);
	ck_assert_ptr_null(ids);
}
END_TEST

START_TEST(many)
{
	cleanup_free char *text = malloc(100000);
	struct cr_error err = {0};
	uint32_t *ids = NULL;
	size_t n = 0, used = 0;

	ck_assert_ptr_nonnull(text);
	for (int i = 1; i <= 1000; i++)
		used += (size_t)snprintf(text + used, 100000 - used, "%d RUNNING\n", i);
	unit_assert_ok(parse(text, &ids, &n, &err), &err);
	ck_assert_uint_eq(n, 1000);
	ck_assert_uint_eq(ids[999], 1000);
	free(ids);
}
END_TEST

/* What is not understood must not pass for a job that has ended. */
START_TEST(not_understood)
{
	static const char *const cases[] = {"squeue: error", "1", "x RUNNING", "1 RUNNING\nwhat",
					    "1 RUNNING 2",   "-", "RUNNING 1"};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cr_error err = {0};
		uint32_t *ids = NULL;
		size_t n = 0;

		ck_assert_msg(parse(cases[i], &ids, &n, &err) == -1, "\"%s\" was taken", cases[i]);
		unit_assert_error(&err, EPROTO, "not understood");
		ck_assert_ptr_null(ids);
	}
}
END_TEST

UNIT_MAIN("alive", {states, false}, {none, false}, {many, false}, {not_understood, false})
