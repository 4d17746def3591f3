/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* unit.h - what every unit test needs: one suite from a table, a scratch directory, small files */

#ifndef CR_UNIT_H
#define CR_UNIT_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../libcrcore/error.h"

#define UNIT_NOBODY 65534

static char unit_dir[PATH_MAX] __attribute__((unused)); /* this test's own, absolute */

static inline void unit_setup(void)
{
	const char *base = getenv("TMPDIR");

	(void)snprintf(unit_dir, sizeof(unit_dir), "%s/cr-unit.XXXXXX", base ? base : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(unit_dir));
}

static inline void unit_teardown(void)
{
	/* not by cr_fs_remove_tree, which is under test */
	ck_assert_int_eq(setenv("UNIT_DIR", unit_dir, 1), 0);
	ck_assert_int_eq(system("chmod -R u+rwx \"$UNIT_DIR\"; exec rm -rf \"$UNIT_DIR\""), 0);
}

/* unit_dir/name in one of a few buffers in turn */
static inline const char *unit_path(const char *name)
{
	static char paths[8][2 * PATH_MAX];
	static unsigned int turn;
	char *path = paths[turn++ % 8];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", unit_dir, name);
	return path;
}

static inline const char *unit_write_bytes(const char *name, const void *data, size_t size)
{
	const char *path = unit_path(name);
	FILE *file = fopen(path, "w");

	ck_assert_msg(file != NULL, "%s", path);
	ck_assert_uint_eq(fwrite(data, 1, size, file), size);
	ck_assert_int_eq(fclose(file), 0);
	return path;
}

static inline const char *unit_write(const char *name, const char *text)
{
	return unit_write_bytes(name, text, strlen(text));
}

static inline bool unit_exists(const char *name)
{
	struct stat st;

	return lstat(unit_path(name), &st) == 0;
}

/* Part of root's power is what a test wants to do without. Each test is a process of its own. */
static inline void unit_drop_root(void)
{
	if (geteuid() != 0)
		return;
	ck_assert_int_eq(chown(unit_dir, UNIT_NOBODY, UNIT_NOBODY), 0);
	ck_assert_int_eq(setresgid(UNIT_NOBODY, UNIT_NOBODY, UNIT_NOBODY), 0);
	ck_assert_int_eq(setresuid(UNIT_NOBODY, UNIT_NOBODY, UNIT_NOBODY), 0);
}

/* An error is set, is one line, and says text. */
#define unit_assert_error(err, number, part)                                                                      \
	do {                                                                                                      \
		ck_assert_msg((err)->errnum == (number), "errnum %d: %s", (err)->errnum, (err)->text);            \
		ck_assert_msg(strstr((err)->text, (part)) != NULL, "\"%s\" lacks \"%s\"", (err)->text, (part));   \
		ck_assert_ptr_null(strchr((err)->text, '\n'));                                                    \
	} while (0)

#define unit_assert_ok(call, err) ck_assert_msg((call) == 0, "%s", (err)->text)

struct unit_test {
	const TTest *test;
	bool scratch; /* wants unit_dir */
};

static inline int unit_main(const char *name, const struct unit_test *tests, size_t n)
{
	Suite *suite = suite_create(name);
	SRunner *runner;
	int failed;

	for (size_t i = 0; i < n; i++) {
		TCase *tcase = tcase_create(tests[i].test->name);

		/* unchecked: it runs in the parent, and outlives a test that gave up root */
		if (tests[i].scratch)
			tcase_add_unchecked_fixture(tcase, unit_setup, unit_teardown);
		tcase_set_timeout(tcase, 120);
		tcase_add_test(tcase, tests[i].test);
		suite_add_tcase(suite, tcase);
	}
	runner = srunner_create(suite);
	srunner_set_fork_status(runner, CK_FORK);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#define UNIT_MAIN(name, ...)                                                                                      \
	int main(void)                                                                                            \
	{                                                                                                         \
		const struct unit_test tests[] = {__VA_ARGS__};                                                   \
                                                                                                                  \
		return unit_main(name, tests, sizeof(tests) / sizeof(tests[0]));                                  \
	}

#endif
