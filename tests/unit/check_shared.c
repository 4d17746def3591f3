/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "../../spank_cr/init/shared.h"

#include "unit.h"

#define ELSEWHERE "/proc" /* no file system that files are made in */

static const char *in(const char *name)
{
	static char paths[4][PATH_MAX + 64];
	static int n;
	char *path = paths[n++ % 4];

	(void)snprintf(path, sizeof(paths[0]), "%s%s", unit_dir, name);
	return path;
}

START_TEST(never_made)
{
	ck_assert_int_eq(mkdir(in("/all"), 0755), 0);
	/* empty: not mounted */
	ck_assert(!shared_lacks(in("/all/alice"), in("/all"), ELSEWHERE));
	ck_assert_int_eq(mkdir(in("/all/bob"), 0755), 0);
	ck_assert(shared_lacks(in("/all/alice"), in("/all"), ELSEWHERE));
	/* below what is common */
	ck_assert(shared_lacks(in("/all/alice"), unit_dir, ELSEWHERE));
}
END_TEST

START_TEST(not_mounted)
{
	ck_assert(!shared_lacks(in("/all/alice"), in("/all"), ELSEWHERE));
	ck_assert_int_eq(mkdir(in("/all"), 0755), 0);
	ck_assert_int_eq(mkdir(in("/all/bob"), 0755), 0);
	/* a directory of the node's own */
	ck_assert(!shared_lacks(in("/all/alice"), in("/all"), unit_dir));
}
END_TEST

START_TEST(not_the_users)
{
	ck_assert_int_eq(mkdir(in("/all"), 0755), 0);
	ck_assert_int_eq(mkdir(in("/all/bob"), 0755), 0);
	/* it is there, or something is in its place */
	ck_assert(!shared_lacks(in("/all/bob"), in("/all"), ELSEWHERE));
	ck_assert_int_eq(symlink("nowhere", in("/all/alice")), 0);
	ck_assert(!shared_lacks(in("/all/alice"), in("/all"), ELSEWHERE));
	/* more than the last part is missing */
	ck_assert(!shared_lacks(in("/all/carol/cr"), in("/all"), ELSEWHERE));
	/* no user's name in it: it is the common one that is missing */
	ck_assert(!shared_lacks(in("/all/cr"), in("/all/cr"), ELSEWHERE));
	/* another one with the same beginning, and none at all */
	ck_assert(!shared_lacks(in("/all/carol"), in("/al"), ELSEWHERE));
	ck_assert(!shared_lacks(in("/all/carol"), "", ELSEWHERE));
	ck_assert(!shared_lacks("", "", ELSEWHERE));
}
END_TEST

UNIT_MAIN("shared", {never_made, true}, {not_mounted, true}, {not_the_users, true})
