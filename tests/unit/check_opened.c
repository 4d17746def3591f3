/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include "../../spank_cr/init/opened.h"

static unsigned mode_of(const char *name)
{
	struct stat st;

	ck_assert_int_eq(lstat(unit_path(name), &st), 0);
	return st.st_mode & 07777;
}

START_TEST(opens_and_closes)
{
	struct opened o = {0};
	struct cr_error err = {0};

	unit_drop_root();
	ck_assert_int_eq(mkdir(unit_path("d"), 0700), 0);
	unit_write("d/key", "key");
	ck_assert_int_eq(chmod(unit_path("d/key"), 0), 0);
	ck_assert_int_eq(chmod(unit_path("d"), 02010), 0);
	/* from the outer ones inwards, and back the other way */
	ck_assert_int_eq(opened_add(&o, unit_path("d/key"), S_IRUSR, &err), 0);
	ck_assert_int_eq(opened_add(&o, unit_path("d"), S_IRUSR | S_IXUSR, &err), 1);
	ck_assert_int_eq(opened_add(&o, unit_path("d/key"), S_IRUSR, &err), 1);
	ck_assert_int_eq(opened_add(&o, unit_path("d/key"), S_IRUSR, &err), 0);
	ck_assert_uint_eq(mode_of("d"), 02510);
	ck_assert_uint_eq(mode_of("d/key"), 0400);
	opened_close(&o);
	ck_assert_uint_eq(mode_of("d"), 02010);
	ck_assert_int_eq(chmod(unit_path("d"), 0700), 0);
	ck_assert_uint_eq(mode_of("d/key"), 0);
	opened_close(&o);
}
END_TEST

START_TEST(leaves_alone)
{
	struct opened o = {0};
	struct cr_error err = {0};

	unit_drop_root();
	unit_write("f", "f");
	ck_assert_int_eq(chmod(unit_path("f"), 0), 0);
	ck_assert_int_eq(symlink("f", unit_path("link")), 0);
	ck_assert_int_eq(opened_add(&o, unit_path("link"), S_IRUSR, &err), 0);
	ck_assert_int_eq(opened_add(&o, unit_path("none"), S_IRUSR, &err), 0);
	ck_assert_int_eq(opened_add(&o, "/etc/passwd", S_IWUSR | S_IXUSR, &err), 0);
	ck_assert_uint_eq(o.n, 0);
	/* what has become another thing meanwhile keeps its mode */
	ck_assert_int_eq(opened_add(&o, unit_path("f"), S_IRUSR, &err), 1);
	ck_assert_int_eq(rename(unit_path("link"), unit_path("f")), 0);
	opened_close(&o);
	ck_assert_uint_eq(o.n, 0);
}
END_TEST

UNIT_MAIN("opened", {opens_and_closes, true}, {leaves_alone, true})
