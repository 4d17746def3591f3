/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* What this very process watches, and where that is found. */

#include "unit.h"

#include <sys/inotify.h>

#include "../../libcrcore/cleanup.h"
#include "../../libcrcore/watched.h"

static struct cr_watched watched;

static void look(int64_t deadline_ns)
{
	cleanup_close int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct cr_error err = {0};
	pid_t pids[] = {1 << 30, getpid()}; /* one is gone */

	unit_assert_ok(cr_watched_find(&watched, proc, pids, 2, deadline_ns, &err), &err);
}

static void watch(int fd, const char *path)
{
	ck_assert_int_gt(inotify_add_watch(fd, path, IN_MODIFY), 0);
}

/* The path that was found of what is at that one. */
static const char *found(const char *path)
{
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	for (size_t i = 0; i < watched.n; i++) {
		if (watched.list[i].ino == st.st_ino)
			return cr_watched_path(&watched, watched.list[i].device, watched.list[i].ino);
	}
	return NULL;
}

START_TEST(where_things_are)
{
	int fd = inotify_init1(IN_CLOEXEC), second = inotify_init1(IN_CLOEXEC);
	cleanup_close int gone = -1;
	char real[PATH_MAX], text[4096] = "", own[64];
	FILE *f;

	ck_assert_int_eq(chdir(unit_dir), 0);
	ck_assert_ptr_nonnull(realpath(".", real));
	ck_assert_int_eq(mkdir("a", 0700) | mkdir("a/b", 0700) | mkdir("a/b/c", 0700), 0);
	unit_write("a/b/c/file", "x");
	unit_write("top", "x");
	unit_write("two\nlines", "x");
	watch(fd, "a/b/c/file");
	watch(fd, "a/b");
	watch(fd, ".");
	watch(fd, "top");
	watch(second, "top");
	watch(fd, "two\nlines");
	gone = open(unit_write("gone", "x"), O_RDWR | O_CLOEXEC);
	watch(fd, "gone");
	ck_assert_int_eq(unlink("gone"), 0);
	look(0);
	/* a file system may have no handle of a link */
	ck_assert_uint_ge(watched.n, 6);
	ck_assert_uint_eq(watched.missing, watched.n - 4);
	ck_assert_str_eq(found("."), real);
	ck_assert_str_eq(found("top") + strlen(real), "/top");
	ck_assert_str_eq(found("a/b") + strlen(real), "/a/b");
	ck_assert_str_eq(found("a/b/c/file") + strlen(real), "/a/b/c/file");
	ck_assert_ptr_null(found("two\nlines"));
	(void)snprintf(own, sizeof(own), "/proc/%d/fd/%d", (int)getpid(), gone);
	ck_assert_ptr_null(found(own));
	ck_assert_ptr_null(cr_watched_path(&watched, 1, watched.list[0].ino));
	f = fmemopen(text, sizeof(text), "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(cr_watched_write(&watched, f), 0);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(text[0], '\n');
	ck_assert_ptr_nonnull(strstr(text, "/a/b/c/file\n"));
	ck_assert_ptr_null(strstr(text, "two"));
	cr_watched_clear(&watched);
	close(fd);
	close(second);
	look(0);
	ck_assert_uint_eq(watched.n, 0);
}
END_TEST

/* Nothing leads there but the watch itself. */
START_TEST(somewhere_else)
{
	int fd = inotify_init1(IN_CLOEXEC);

	ck_assert_int_eq(chdir("/usr/bin"), 0);
	watch(fd, "/usr/share");
	look(0);
	ck_assert_uint_eq(watched.n, 1);
	ck_assert_uint_eq(watched.missing, 1);
	ck_assert_ptr_null(found("/usr/share"));
	cr_watched_clear(&watched);
	/* no time */
	watch(fd, unit_dir);
	ck_assert_int_eq(chdir(unit_dir), 0);
	look(1);
	ck_assert_uint_eq(watched.n, 2);
	cr_watched_clear(&watched);
	close(fd);
}
END_TEST

START_TEST(lines_that_are_none)
{
	static const char *const lines[] = {
		"",
		"inotify\n",
		"inotify wd:1 ino:7 sdev:1 mask:2 ignored_mask:0\n",
		"inotify wd:1 ino:7 sdev:1 mask:2 ignored_mask:0 fhandle-bytes:8 fhandle-type:1 f_handle:\n",
		"inotify wd:1 ino:zz sdev:1 mask:2 ignored_mask:0 fhandle-bytes:8 fhandle-type:1 f_handle:ab\n",
		"fanotify ino:7 sdev:1 mflags:0 mask:2 ignored_mask:0 fhandle-bytes:8 fhandle-type:1 "
		"f_handle:ab\n",
	};
	const pid_t pid = 1000;
	struct cr_error err = {0};
	cleanup_close int proc = -1;

	ck_assert_int_eq(mkdir(unit_path("1000"), 0700) | mkdir(unit_path("1000/fd"), 0700) |
				 mkdir(unit_path("1000/fdinfo"), 0700) |
				 symlink("anon_inode:inotify", unit_path("1000/fd/3")),
			 0);
	proc = open(unit_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		unit_write("1000/fdinfo/3", lines[i]);
		unit_assert_ok(cr_watched_find(&watched, proc, &pid, 1, 0, &err), &err);
		ck_assert_uint_eq(watched.n, 0);
	}
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{where_things_are, true},
		{somewhere_else, true},
		{lines_that_are_none, true},
	};

	return unit_main("watched", tests, sizeof(tests) / sizeof(tests[0]));
}
