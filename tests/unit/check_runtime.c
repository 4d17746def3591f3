/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>

/* the module once more, with its fixed directory below this test's own: the working directory */
#define CR_RUN_DIR "run"
#include "../../libcrcore/runtime.c"

static char scratch[512];

static struct cr_runtime runtime_of(uint32_t job)
{
	struct cr_runtime rt;

	ck_assert_int_eq(chdir(unit_dir), 0);
	ck_assert_int_lt(snprintf(scratch, sizeof(scratch), "%s", unit_path("scratch")), sizeof(scratch));
	cr_runtime_paths(&rt, scratch, job);
	return rt;
}

static bool root_or_skip(const char *test)
{
	if (geteuid() == 0)
		return true;
	(void)fprintf(stderr, "SKIP %s: needs root\n", test);
	return false;
}

static void assert_dir(const char *path, uid_t uid, mode_t mode)
{
	struct stat st;

	ck_assert_msg(lstat(path, &st) == 0, "%s: %s", path, strerror(errno));
	ck_assert_msg(S_ISDIR(st.st_mode) && st.st_uid == uid && (st.st_mode & 07777) == mode,
		      "%s: uid %u mode %o", path, st.st_uid, st.st_mode);
}

static void assert_made(const struct cr_runtime *rt, uid_t uid)
{
	/* root's: what lies on the node's /run is not the user's to fill */
	assert_dir(rt->dir, 0, 0711);
	assert_dir(rt->scratch, uid, 0700);
	assert_dir(rt->tmp, uid, 01777);
	assert_dir(rt->var_tmp, uid, 01777);
}

START_TEST(paths)
{
	struct cr_runtime rt = runtime_of(UINT32_MAX);

	ck_assert_str_eq(rt.dir, "run/4294967295");
	ck_assert_str_eq(CR_RUN_HOME, "run/home");
	ck_assert_str_eq(rt.scratch, unit_path("scratch/spank_cr.4294967295"));
	ck_assert_str_eq(rt.tmp, unit_path("scratch/spank_cr.4294967295/tmp"));
	ck_assert_str_eq(rt.var_tmp, unit_path("scratch/spank_cr.4294967295/var_tmp"));
	ck_assert(!unit_exists("run"));
	ck_assert(!unit_exists("scratch"));
}
END_TEST

START_TEST(made_and_removed)
{
	struct cr_runtime rt = runtime_of(7);
	struct cr_error err = {0};

	if (!root_or_skip("made_and_removed"))
		return;
	umask(022);
	unit_assert_ok(cr_runtime_create(&rt, UNIT_NOBODY, UNIT_NOBODY, &err), &err);
	assert_made(&rt, UNIT_NOBODY);
	assert_dir(CR_RUN_DIR, 0, 0755);
	/* root mounts on it: no user may be able to replace it */
	assert_dir(CR_RUN_HOME, 0, 0755);
	assert_dir(CR_RUN_SOCKETS, 0, 0755);
	assert_dir(scratch, 0, 0755);
	/* again, with something missing and something in it */
	unit_write("scratch/spank_cr.7/tmp/f", "precious");
	ck_assert_int_eq(rmdir(rt.var_tmp), 0);
	unit_assert_ok(cr_runtime_create(&rt, UNIT_NOBODY, UNIT_NOBODY, &err), &err);
	assert_made(&rt, UNIT_NOBODY);
	ck_assert(unit_exists("scratch/spank_cr.7/tmp/f"));
	/* modes and owners are put right */
	ck_assert_int_eq(chmod(rt.dir, 0777), 0);
	ck_assert_int_eq(chown(rt.scratch, 0, 0), 0);
	unit_assert_ok(cr_runtime_create(&rt, UNIT_NOBODY, UNIT_NOBODY, &err), &err);
	assert_made(&rt, UNIT_NOBODY);
	unit_assert_ok(cr_runtime_remove(&rt, &err), &err);
	ck_assert(!unit_exists("run/7"));
	ck_assert(!unit_exists("scratch/spank_cr.7"));
	ck_assert(unit_exists("run"));
	unit_assert_ok(cr_runtime_remove(&rt, &err), &err);
}
END_TEST

START_TEST(made_for_any_umask)
{
	struct cr_runtime rt = runtime_of(7);
	struct cr_error err = {0};

	if (!root_or_skip("made_for_any_umask"))
		return;
	umask(0);
	unit_assert_ok(cr_runtime_create(&rt, UNIT_NOBODY, UNIT_NOBODY, &err), &err);
	assert_made(&rt, UNIT_NOBODY);
	assert_dir(CR_RUN_DIR, 0, 0755);
	unit_assert_ok(cr_runtime_remove(&rt, &err), &err);
	umask(0777);
	unit_assert_ok(cr_runtime_create(&rt, UNIT_NOBODY, UNIT_NOBODY, &err), &err);
	assert_made(&rt, UNIT_NOBODY);
}
END_TEST

START_TEST(planted)
{
	struct cr_runtime rt = runtime_of(7);
	struct cr_error err = {0};

	if (!root_or_skip("planted"))
		return;
	unit_assert_ok(cr_runtime_create(&rt, UNIT_NOBODY, UNIT_NOBODY, &err), &err);
	/* another user's directory is not taken over */
	ck_assert_int_eq(chown(rt.dir, 1234, 1234), 0);
	ck_assert_int_eq(cr_runtime_create(&rt, UNIT_NOBODY, UNIT_NOBODY, &err), -1);
	unit_assert_error(&err, EPERM, "belongs to uid 1234: remove it");
	assert_dir(rt.dir, 1234, 0711);
	ck_assert_int_eq(chown(rt.dir, 0, 0), 0);
	/* a link in the user's own directory leads root nowhere */
	ck_assert_int_eq(mkdir(unit_path("victim"), 0755), 0);
	ck_assert_int_eq(rmdir(rt.tmp), 0);
	ck_assert_int_eq(symlink(unit_path("victim"), rt.tmp), 0);
	ck_assert_int_eq(cr_runtime_create(&rt, UNIT_NOBODY, UNIT_NOBODY, &err), -1);
	ck_assert(err.errnum == ENOTDIR || err.errnum == ELOOP);
	assert_dir(unit_path("victim"), 0, 0755);
	/* nor does a file */
	ck_assert_int_eq(unlink(rt.tmp), 0);
	unit_write("scratch/spank_cr.7/tmp", "x");
	ck_assert_int_eq(cr_runtime_create(&rt, UNIT_NOBODY, UNIT_NOBODY, &err), -1);
	unit_assert_error(&err, ENOTDIR, "scratch/spank_cr.7/tmp");
	/* reset and remove take the links away, not what they lead to */
	unit_write("victim/f", "precious");
	ck_assert_int_eq(unlink(rt.tmp), 0);
	ck_assert_int_eq(symlink(unit_path("victim"), rt.tmp), 0);
	unit_assert_ok(cr_runtime_reset(&rt, UNIT_NOBODY, UNIT_NOBODY, &err), &err);
	assert_made(&rt, UNIT_NOBODY);
	ck_assert(unit_exists("victim/f"));
}
END_TEST

START_TEST(parents_of_others)
{
	struct cr_runtime rt = runtime_of(7);
	struct cr_error err = {0};

	if (!root_or_skip("parents_of_others"))
		return;
	ck_assert_int_eq(mkdir(scratch, 0755), 0);
	ck_assert_int_eq(chown(scratch, 1234, 1234), 0);
	ck_assert_int_eq(cr_runtime_create(&rt, UNIT_NOBODY, UNIT_NOBODY, &err), -1);
	unit_assert_error(&err, EPERM, "scratch must be a directory of root's");
	ck_assert(!unit_exists("scratch/spank_cr.7"));
	/* nor root's own that everybody can rename in */
	ck_assert_int_eq(chown(scratch, 0, 0), 0);
	ck_assert_int_eq(chmod(scratch, 0777), 0);
	ck_assert_int_eq(cr_runtime_create(&rt, UNIT_NOBODY, UNIT_NOBODY, &err), -1);
	/* the admin's mode stays */
	ck_assert_int_eq(chmod(scratch, 01777), 0);
	unit_assert_ok(cr_runtime_create(&rt, UNIT_NOBODY, UNIT_NOBODY, &err), &err);
	assert_dir(scratch, 0, 01777);
}
END_TEST

START_TEST(reset_empties)
{
	struct cr_runtime rt = runtime_of(7);
	struct cr_error err = {0};

	if (!root_or_skip("reset_empties"))
		return;
	unit_assert_ok(cr_runtime_create(&rt, UNIT_NOBODY, UNIT_NOBODY, &err), &err);
	unit_write("scratch/spank_cr.7/tmp/f", "x");
	ck_assert_int_eq(mkdir(unit_path("scratch/spank_cr.7/var_tmp/d"), 0), 0);
	unit_assert_ok(cr_runtime_reset(&rt, UNIT_NOBODY, UNIT_NOBODY, &err), &err);
	assert_made(&rt, UNIT_NOBODY);
	ck_assert(!unit_exists("scratch/spank_cr.7/tmp/f"));
	ck_assert(!unit_exists("scratch/spank_cr.7/var_tmp/d"));
}
END_TEST

START_TEST(lock)
{
	struct cr_runtime rt = runtime_of(7);
	struct cr_error err = {0};
	int fd;

	ck_assert_int_eq(cr_runtime_lock(&rt, &err), -1);
	unit_assert_error(&err, ENOENT, "run/7");
	ck_assert_int_eq(mkdir(CR_RUN_DIR, 0700), 0);
	ck_assert_int_eq(mkdir(rt.dir, 0700), 0);
	fd = cr_runtime_lock(&rt, &err);
	ck_assert_msg(fd >= 0, "%s", err.text);
	ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	ck_assert_int_eq(cr_runtime_lock(&rt, &err), -1);
	unit_assert_error(&err, EWOULDBLOCK, "locking");
	close(fd);
	fd = cr_runtime_lock(&rt, &err);
	ck_assert_int_ge(fd, 0);
	close(fd);
	/* a link is no directory of ours */
	ck_assert_int_eq(rename(rt.dir, unit_path("else")), 0);
	ck_assert_int_eq(symlink(unit_path("else"), rt.dir), 0);
	ck_assert_int_eq(cr_runtime_lock(&rt, &err), -1);
	ck_assert(err.errnum == ELOOP || err.errnum == ENOTDIR);
}
END_TEST

START_TEST(sweep)
{
	static const char *const others[] = {"run/0",
					     "run/x7",
					     "run/7x",
					     "run/4294967296",
					     "run/-1x",
					     "scratch/x",
					     "scratch/7",
					     "scratch/spank_cr.4294967296",
					     "scratch/spank_cr.0",
					     "scratch/spank_cr.7x"};
	struct cr_runtime runs = runtime_of(7), left = runtime_of(8), half = runtime_of(9);
	struct cr_error err = {0};
	int fd;

	if (!root_or_skip("sweep"))
		return;
	/* nothing there */
	unit_assert_ok(cr_runtime_sweep(scratch, &err), &err);
	unit_assert_ok(cr_runtime_create(&runs, UNIT_NOBODY, UNIT_NOBODY, &err), &err);
	unit_assert_ok(cr_runtime_create(&left, UNIT_NOBODY, UNIT_NOBODY, &err), &err);
	unit_assert_ok(cr_runtime_create(&half, UNIT_NOBODY, UNIT_NOBODY, &err), &err);
	unit_write("scratch/spank_cr.8/tmp/f", "x");
	/* after a reboot /run is empty and the scratch directory is not */
	unit_assert_ok(cr_fs_remove_tree(half.dir, &err), &err);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		ck_assert_int_eq(mkdir(unit_path(others[i]), 0700), 0);
	unit_write("run/some.file", "x");
	fd = cr_runtime_lock(&runs, &err);
	ck_assert_int_ge(fd, 0);
	unit_assert_ok(cr_runtime_sweep(scratch, &err), &err);
	assert_made(&runs, UNIT_NOBODY);
	ck_assert(!unit_exists("run/8"));
	ck_assert(!unit_exists("scratch/spank_cr.8"));
	ck_assert(!unit_exists("scratch/spank_cr.9"));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		ck_assert_msg(unit_exists(others[i]), "%s", others[i]);
	ck_assert(unit_exists("run/some.file"));
	ck_assert(unit_exists("run/home"));
	close(fd);
	unit_assert_ok(cr_runtime_sweep(scratch, &err), &err);
	ck_assert(!unit_exists("run/7"));
	ck_assert(!unit_exists("scratch/spank_cr.7"));
}
END_TEST

UNIT_MAIN("runtime", {paths, true}, {made_and_removed, true}, {made_for_any_umask, true}, {planted, true},
	  {parents_of_others, true}, {reset_empties, true}, {lock, true}, {sweep, true})
