/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../libcrcore/fs.h"
#include "../../libcrcore/origin.h"

static struct cr_error err;

START_TEST(what_is_a_job)
{
	struct cr_origin o = {0};

	unit_assert_ok(cr_origin_parse("123", &o, &err), &err);
	ck_assert_uint_eq(o.job, 123);
	ck_assert_uint_eq(o.generation, 0);
	unit_assert_ok(cr_origin_parse("4294967295.000007", &o, &err), &err);
	ck_assert_uint_eq(o.job, UINT32_MAX);
	ck_assert_uint_eq(o.generation, 7);
}
END_TEST

START_TEST(what_is_none)
{
	static const char *const texts[] = {"",
					    "0",
					    "x",
					    "-1",
					    " 1",
					    "1 ",
					    "1.",
					    "1.0",
					    "1.x",
					    "1.2.3",
					    "1_",
					    "12_3",
					    "1.2_3",
					    "0.1",
					    ".1",
					    "1.-1",
					    "4294967296",
					    "1.4294967296",
					    "99999999999999999999999",
					    "+1",
					    "0x1"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct cr_origin o = {.job = 5, .generation = 6};

		ck_assert_int_eq(cr_origin_parse(texts[i], &o, &err), -1);
		ck_assert_uint_eq(o.job, 5);
		ck_assert_uint_eq(o.generation, 6);
	}
	ck_assert_int_eq(cr_origin_parse("12_3", &(struct cr_origin){0}, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "its own job id"));
}
END_TEST

/* DIR/JOB/batch.0/NAME/manifest.json */
static void generation_make(const char *dir, const char *job, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s/batch.0/%s", dir, job, name);
	unit_assert_ok(cr_fs_mkdirs(path, 0700, &err), &err);
	snprintf(path, sizeof(path), "%s/%s/batch.0/%s/manifest.json", dir, job, name);
	unit_assert_ok(cr_fs_write_atomic(path, "{}", 2, 0600, &err), &err);
}

static int find(const char *dir, const char *text)
{
	struct cr_origin o;

	unit_assert_ok(cr_origin_parse(text, &o, &err), &err);
	return cr_origin_find(&o, dir, "batch.0", getuid(), &err);
}

START_TEST(which_there_are)
{
	generation_make(unit_dir, "7", "000003");
	generation_make(unit_dir, "8", ".000001.tmp");
	generation_make(unit_dir, "8", "000002.bad");
	unit_assert_ok(find(unit_dir, "7"), &err);
	unit_assert_ok(find(unit_dir, "7.3"), &err);
	ck_assert_int_eq(find(unit_dir, "7.4"), -1);
	ck_assert_int_eq(err.errnum, ENOENT);
	/* what is being written, or was set aside, is none */
	ck_assert_int_eq(find(unit_dir, "8"), -1);
	ck_assert_int_eq(err.errnum, ENOENT);
	ck_assert_int_eq(find(unit_dir, "9"), -1);
	ck_assert_int_eq(err.errnum, ENOENT);
}
END_TEST

START_TEST(where_they_are)
{
	char elsewhere[PATH_MAX], link[PATH_MAX], place[PATH_MAX], target[PATH_MAX + 16], real[PATH_MAX];

	snprintf(elsewhere, sizeof(elsewhere), "%s", unit_path("elsewhere"));
	generation_make(elsewhere, "7", "000003");
	/* as a job with --checkpoint-dir leaves it in the site's directory */
	snprintf(target, sizeof(target), "%s/7", elsewhere);
	snprintf(link, sizeof(link), "%s", unit_path("7"));
	ck_assert_int_eq(symlink(target, link), 0);
	unit_assert_ok(cr_origin_place(unit_dir, 7, getuid(), place, &err), &err);
	ck_assert_ptr_nonnull(realpath(elsewhere, real));
	ck_assert_str_eq(place, real);
	/* a link to what is another job's */
	snprintf(link, sizeof(link), "%s", unit_path("8"));
	ck_assert_int_eq(symlink(target, link), 0);
	ck_assert_int_eq(cr_origin_place(unit_dir, 8, getuid(), place, &err), -1);
	/* another user's */
	ck_assert_int_eq(cr_origin_place(unit_dir, 7, getuid() + 1, place, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "only one's own"));
}
END_TEST

UNIT_MAIN("origin", {what_is_a_job, false}, {what_is_none, false}, {which_there_are, true}, {where_they_are, true})
