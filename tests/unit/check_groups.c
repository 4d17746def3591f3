/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include <grp.h>

#include "../../libcrcore/caps.h"
#include "../../libcrcore/groups.h"

START_TEST(then_and_now)
{
	static const struct {
		const char *then, *now, *added;
	} cases[] = {
		{"", "", ""},
		{"", "1", "1"},
		{"1", "1", ""},
		{"1,2,3", "1,2,3", ""},
		{"1,3", "1,2,3,4", "2,4"},
		{"4294967295", "0,4294967295", "0"},
		/* 1 is not in 11 */
		{"11", "1,11", "1"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cr_error err = {0};
		char added[64] = "x";

		unit_assert_ok(cr_groups_compare(cases[i].then, cases[i].now, added, sizeof(added), &err), &err);
		ck_assert_str_eq(added, cases[i].added);
	}
}
END_TEST

START_TEST(what_is_refused)
{
	static const struct {
		const char *then, *now;
		int errnum;
		const char *part;
	} cases[] = {
		{"1", "", EPERM, "in group 1, and"},
		{"1,2,3", "1,3", EPERM, "in group 2, and"},
		{"11", "1", EPERM, "in group 11, and"},
		{"1,", "1", EINVAL, "no list"},
		{",1", "1", EINVAL, "no list"},
		{"1,,2", "1,2", EINVAL, "no list"},
		{"a", "1", EINVAL, "no list"},
		{"-1", "1", EINVAL, "no list"},
		{"1 2", "1", EINVAL, "no list"},
		{"4294967296", "1", EINVAL, "no list"},
		{"99999999999999999999", "1", EINVAL, "no list"},
		{"1", "1,b", EINVAL, "no list"},
		{"", "1,b", EINVAL, "no list"},
		{"", "1000000,2000000,3000000", ENOSPC, "too many groups"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cr_error err = {0};
		char added[16];

		ck_assert_msg(cr_groups_compare(cases[i].then, cases[i].now, added, sizeof(added), &err) == -1,
			      "\"%s\" in \"%s\" was taken", cases[i].then, cases[i].now);
		unit_assert_error(&err, cases[i].errnum, cases[i].part);
	}
}
END_TEST

/* Who may not set groups cannot try it; loudly, as it is not tested then. */
static bool is_root(const char *test)
{
	if (geteuid() == 0)
		return true;
	(void)fprintf(stderr, "SKIP %s: only root sets groups\n", test);
	return false;
}

static const gid_t some[] = {5, 2000, 2001, 4294967294u};

START_TEST(the_callers_own)
{
	struct cr_error err = {0};
	char *text = NULL;

	if (!is_root("the_callers_own"))
		return;
	ck_assert_int_eq(setgroups(4, some), 0);
	unit_assert_ok(cr_groups_own(&text, &err), &err);
	ck_assert_str_eq(text, "5,2000,2001,4294967294");
	free(text);
	ck_assert_int_eq(setgroups(0, NULL), 0);
	unit_assert_ok(cr_groups_own(&text, &err), &err);
	ck_assert_str_eq(text, "");
	free(text);
}
END_TEST

START_TEST(groups_that_are_left)
{
	struct cr_error err = {0};
	char *text = NULL;

	if (!is_root("groups_that_are_left"))
		return;
	ck_assert_int_eq(setgroups(4, some), 0);
	unit_assert_ok(cr_caps_leave_groups("", &err), &err);
	/* never one more than there was */
	unit_assert_ok(cr_caps_leave_groups("5,2001,7", &err), &err);
	unit_assert_ok(cr_groups_own(&text, &err), &err);
	ck_assert_str_eq(text, "2000,4294967294");
	/* what is no list leaves all as it is */
	ck_assert_int_eq(cr_caps_leave_groups("2000,", &err), -1);
	unit_assert_error(&err, EINVAL, "no list of groups");
	ck_assert_int_eq(cr_caps_leave_groups("2000x", &err), -1);
	ck_assert_int_eq(getgroups(0, NULL), 2);
	free(text);
}
END_TEST

START_TEST(groups_that_nobody_may_leave)
{
	struct cr_error err = {0};

	if (!is_root("groups_that_nobody_may_leave"))
		return;
	ck_assert_int_eq(setgroups(4, some), 0);
	unit_assert_ok(cr_caps_drop(&err), &err);
	unit_assert_ok(cr_caps_leave_groups("", &err), &err);
	ck_assert_int_eq(cr_caps_leave_groups("5", &err), -1);
	unit_assert_error(&err, EPERM, "leaving the groups 5");
}
END_TEST

UNIT_MAIN("groups", {then_and_now, false}, {what_is_refused, false}, {the_callers_own, false},
	  {groups_that_are_left, false}, {groups_that_nobody_may_leave, false})
