/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include "../../libcrcore/pathlist.h"

START_TEST(there_and_back)
{
	static const char *const paths[] = {"/home/alice/run", "/a b",		 "/a:b", "/a%3Ab",
					    "/line\nfeed",     "/b\303\244\377", "/@",	 "/"};
	char list[4096] = "", path[PATH_MAX];
	const char *at = list;
	struct cr_error err;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		unit_assert_ok(cr_pathlist_add(list, sizeof(list), paths[i], &err), &err);
	for (const char *p = list; *p; p++)
		ck_assert_msg(*p > ' ' && *p < 127, "%s", list);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		ck_assert_int_eq(cr_pathlist_next(&at, path, sizeof(path), &err), 1);
		ck_assert_str_eq(path, paths[i]);
	}
	ck_assert_int_eq(cr_pathlist_next(&at, path, sizeof(path), &err), 0);
}
END_TEST

START_TEST(too_long)
{
	char list[32] = "", path[PATH_MAX];
	const char *at = list;
	struct cr_error err;

	unit_assert_ok(cr_pathlist_add(list, sizeof(list), "/0123456789", &err), &err);
	ck_assert_int_lt(cr_pathlist_add(list, sizeof(list), "/0123456789012345678", &err), 0);
	unit_assert_error(&err, ENAMETOOLONG, "too long");
	/* what was there before is there still */
	ck_assert_str_eq(list, "/0123456789");
	ck_assert_int_lt(cr_pathlist_next(&at, path, 11, &err), 0);
}
END_TEST

START_TEST(bad)
{
	static const char *const lists[] = {"relative", ":/a",	"/a:",	"/a::/b", "/%",	   "/%4",
					    "/%zz",	"/%00", "/a b", "/a\n",	  "/%2f:x"};
	char path[PATH_MAX];
	struct cr_error err;

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		const char *at = lists[i];
		int rc;

		while ((rc = cr_pathlist_next(&at, path, sizeof(path), &err)) > 0)
			;
		ck_assert_msg(rc < 0, "%s", lists[i]);
		unit_assert_error(&err, EINVAL, "not a list");
	}
}
END_TEST

UNIT_MAIN("pathlist", {there_and_back, false}, {too_long, false}, {bad, false})
