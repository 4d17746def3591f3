/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include <sched.h>
#include <stdint.h>
#include <sys/mount.h>

#include "../../libcrcore/cleanup.h"
#include "../../libcrcore/fs.h"

static mode_t mode_of(const char *path)
{
	struct stat st;

	ck_assert_int_eq(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

START_TEST(mkdirs)
{
	struct cr_error err = {0};

	unit_assert_ok(cr_fs_mkdirs(unit_path("a/b//c/"), 0700, &err), &err);
	ck_assert_uint_eq(mode_of(unit_path("a/b/c")), 0700);
	ck_assert_uint_eq(mode_of(unit_path("a")), 0700);
	unit_assert_ok(cr_fs_mkdirs(unit_path("a/b/c"), 0755, &err), &err);
	ck_assert_uint_eq(mode_of(unit_path("a/b/c")), 0700);
	unit_assert_ok(cr_fs_mkdirs("/", 0700, &err), &err);
	ck_assert_int_eq(chdir(unit_dir), 0);
	unit_assert_ok(cr_fs_mkdirs("rel/ative", 0700, &err), &err);
	ck_assert(unit_exists("rel/ative"));
	unit_write("file", "x");
	ck_assert_int_eq(cr_fs_mkdirs(unit_path("file"), 0700, &err), -1);
	unit_assert_error(&err, ENOTDIR, "file");
	ck_assert_int_eq(cr_fs_mkdirs(unit_path("file/x"), 0700, &err), -1);
	unit_assert_error(&err, ENOTDIR, "file");
	ck_assert_int_eq(cr_fs_mkdirs("", 0700, &err), -1);
	unit_assert_error(&err, ENOENT, "empty");
	ck_assert_int_eq(symlink("nowhere", unit_path("dangling")), 0);
	ck_assert_int_eq(cr_fs_mkdirs(unit_path("dangling"), 0700, &err), -1);
	unit_drop_root();
	ck_assert_int_eq(chmod(unit_dir, 0500), 0);
	ck_assert_int_eq(cr_fs_mkdirs(unit_path("no"), 0700, &err), -1);
	unit_assert_error(&err, EACCES, "cannot make directory");
	/* may be written and entered, not read: nothing to be synced, no error */
	ck_assert_int_eq(chmod(unit_dir, 0300), 0);
	unit_assert_ok(cr_fs_mkdirs(unit_path("yes"), 0700, &err), &err);
	ck_assert_int_eq(chmod(unit_dir, 0700), 0);
}
END_TEST

START_TEST(check_owned)
{
	struct cr_error err = {0};
	char path[PATH_MAX + 300];

	ck_assert_int_eq(mkdir(unit_path("d"), 0700), 0);
	unit_assert_ok(cr_fs_check_owned(unit_path("d"), geteuid(), &err), &err);
	unit_assert_ok(cr_fs_check_owned(unit_path("d///"), geteuid(), &err), &err);
	unit_assert_ok(cr_fs_check_owned("/", 0, &err), &err);
	ck_assert_int_eq(cr_fs_check_owned(unit_path("d"), geteuid() + 1, &err), -1);
	unit_assert_error(&err, EPERM, "belongs to uid");
	for (const mode_t *mode = (const mode_t[]){0770, 0702, 01777, 0}; *mode; mode++) {
		ck_assert_int_eq(chmod(unit_path("d"), *mode), 0);
		ck_assert_int_eq(cr_fs_check_owned(unit_path("d"), geteuid(), &err), -1);
		unit_assert_error(&err, EPERM, "chmod go-w");
	}
	ck_assert_int_eq(chmod(unit_path("d"), 0755), 0);
	unit_assert_ok(cr_fs_check_owned(unit_path("d"), geteuid(), &err), &err);
	ck_assert_int_eq(symlink("d", unit_path("link")), 0);
	ck_assert_int_eq(cr_fs_check_owned(unit_path("link"), geteuid(), &err), -1);
	unit_assert_error(&err, ELOOP, "symbolic link");
	ck_assert_int_eq(cr_fs_check_owned(unit_path("link//"), geteuid(), &err), -1);
	unit_assert_error(&err, ELOOP, "symbolic link");
	unit_write("file", "");
	ck_assert_int_eq(cr_fs_check_owned(unit_path("file"), geteuid(), &err), -1);
	unit_assert_error(&err, ENOTDIR, "not a directory");
	ck_assert_int_eq(cr_fs_check_owned(unit_path("none"), geteuid(), &err), -1);
	unit_assert_error(&err, ENOENT, "none");
	ck_assert_int_eq(cr_fs_check_owned("", 0, &err), -1);
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	ck_assert_int_eq(cr_fs_check_owned(path, 0, &err), -1);
	unit_assert_error(&err, ENAMETOOLONG, "...");
}
END_TEST

static unsigned int count_entries(const char *path)
{
	cleanup_closedir DIR *dir = opendir(path);
	unsigned int n = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		n++;
	return n - 2;
}

START_TEST(write_atomic)
{
	cleanup_free char *data = NULL;
	struct cr_error err = {0};
	size_t size = 0;

	umask(0177);
	unit_assert_ok(cr_fs_write_atomic(unit_path("f"), "one", 3, 0644, &err), &err);
	ck_assert_uint_eq(mode_of(unit_path("f")), 0644);
	unit_assert_ok(cr_fs_write_atomic(unit_path("f"), "two\0x", 5, 0600, &err), &err);
	unit_assert_ok(cr_fs_read(unit_path("f"), 100, &data, &size, &err), &err);
	ck_assert_uint_eq(size, 5);
	ck_assert_mem_eq(data, "two\0x", 6);
	ck_assert_uint_eq(mode_of(unit_path("f")), 0600);
	unit_assert_ok(cr_fs_write_atomic(unit_path("empty"), NULL, 0, 0600, &err), &err);
	ck_assert_int_eq(chdir(unit_dir), 0);
	unit_assert_ok(cr_fs_write_atomic("rel", "x", 1, 0600, &err), &err);
	ck_assert_uint_eq(count_entries(unit_dir), 3);
	/* a link in its place is replaced, not followed */
	ck_assert_int_eq(symlink("f", unit_path("link")), 0);
	unit_assert_ok(cr_fs_write_atomic(unit_path("link"), "three", 5, 0600, &err), &err);
	free(data);
	data = NULL;
	unit_assert_ok(cr_fs_read(unit_path("f"), 100, &data, &size, &err), &err);
	ck_assert_uint_eq(size, 5);
	ck_assert_int_eq(data[0], 't');
	ck_assert_int_eq(data[1], 'w');
	/* failures leave nothing behind */
	umask(022);
	ck_assert_int_eq(mkdir(unit_path("dir"), 0700), 0);
	ck_assert_int_eq(cr_fs_write_atomic(unit_path("dir"), "x", 1, 0600, &err), -1);
	unit_assert_error(&err, EISDIR, "rename");
	ck_assert_uint_eq(count_entries(unit_dir), 5);
	ck_assert_int_eq(cr_fs_write_atomic(unit_path("none/f"), "x", 1, 0600, &err), -1);
	unit_assert_error(&err, ENOENT, "cannot create");
	ck_assert_int_eq(cr_fs_write_atomic("", "x", 1, 0600, &err), -1);
}
END_TEST

START_TEST(write_errors)
{
	struct cr_error err = {0};
	cleanup_close int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	cleanup_close int reader = open("/dev/null", O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(full, 0);
	ck_assert_int_eq(cr_fs_write_all(full, "x", 1, &err), -1);
	unit_assert_error(&err, ENOSPC, "write");
	ck_assert_int_eq(cr_fs_write_all(reader, "x", 1, &err), -1);
	unit_assert_error(&err, EBADF, "write");
	unit_assert_ok(cr_fs_write_all(reader, "", 0, &err), &err);
	ck_assert_int_eq(cr_fs_sync(-1, "that", &err), -1);
	unit_assert_error(&err, EBADF, "cannot sync that");
	ck_assert_int_eq(cr_fs_rename(unit_path("no"), unit_path("new"), &err), -1);
	unit_assert_error(&err, ENOENT, "cannot rename");
}
END_TEST

START_TEST(read_limits)
{
	cleanup_free char *data = NULL;
	cleanup_free char *big = NULL;
	struct cr_error err = {0};
	size_t size = 77;

	unit_write("ten", "0123456789");
	unit_assert_ok(cr_fs_read(unit_path("ten"), 10, &data, &size, &err), &err);
	ck_assert_str_eq(data, "0123456789");
	ck_assert_uint_eq(size, 10);
	free(data);
	data = NULL;
	ck_assert_int_eq(cr_fs_read(unit_path("ten"), 9, &data, &size, &err), -1);
	unit_assert_error(&err, EFBIG, "larger than 9 bytes");
	ck_assert_int_eq(cr_fs_read(unit_path("ten"), 0, &data, &size, &err), -1);
	ck_assert_ptr_null(data);
	unit_write("empty", "");
	unit_assert_ok(cr_fs_read(unit_path("empty"), 0, &data, NULL, &err), &err);
	ck_assert_str_eq(data, "");
	free(data);
	data = NULL;
	/* has no size to tell */
	unit_assert_ok(cr_fs_read("/proc/cpuinfo", 64 << 20, &data, &size, &err), &err);
	ck_assert_uint_gt(size, 0);
	ck_assert_int_eq(data[size], '\0');
	free(data);
	data = NULL;
	ck_assert_int_eq(cr_fs_read("/proc/self/smaps", 4096, &data, &size, &err), -1);
	unit_assert_error(&err, EFBIG, "4096");
	big = calloc(1, 300000);
	ck_assert_ptr_nonnull(big);
	unit_write_bytes("big", big, 300000);
	unit_assert_ok(cr_fs_read(unit_path("big"), 300000, &data, &size, &err), &err);
	ck_assert_uint_eq(size, 300000);
}
END_TEST

START_TEST(read_pipe)
{
	cleanup_free char *data = NULL;
	struct cr_error err = {0};
	size_t size = 77;
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	for (int i = 0; i < 3000; i++)
		ck_assert_int_eq(write(fds[1], "0123456789", 10), 10);
	close(fds[1]);
	unit_assert_ok(cr_fs_read_fd(fds[0], "the pipe", 30000, &data, &size, &err), &err);
	ck_assert_uint_eq(size, 30000);
	ck_assert_int_eq(memcmp(data + 29990, "0123456789", 11), 0);
	free(data);
	data = NULL;
	close(fds[0]);
	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(write(fds[1], "0123456789", 10), 10);
	close(fds[1]);
	ck_assert_int_eq(cr_fs_read_fd(fds[0], "the pipe", 9, &data, &size, &err), -1);
	unit_assert_error(&err, EFBIG, "the pipe is larger than 9 bytes");
	ck_assert_int_eq(cr_fs_read_fd(-1, "the pipe", 9, &data, &size, &err), -1);
	unit_assert_error(&err, EBADF, "the pipe");
	ck_assert_ptr_null(data);
}
END_TEST

START_TEST(read_planted)
{
	struct cr_error err = {0};
	char *data = NULL;

	unit_write("f", "secret");
	ck_assert_int_eq(symlink("f", unit_path("link")), 0);
	ck_assert_int_eq(mkfifo(unit_path("fifo"), 0600), 0);
	ck_assert_int_eq(cr_fs_read(unit_path("link"), 100, &data, NULL, &err), -1);
	unit_assert_error(&err, ELOOP, "link");
	ck_assert_int_eq(cr_fs_read(unit_path("fifo"), 100, &data, NULL, &err), -1);
	unit_assert_error(&err, EINVAL, "not a regular file");
	ck_assert_int_eq(cr_fs_read(unit_dir, 100, &data, NULL, &err), -1);
	unit_assert_error(&err, EINVAL, "not a regular file");
	ck_assert_int_eq(cr_fs_read("/dev/zero", 100, &data, NULL, &err), -1);
	ck_assert_int_eq(cr_fs_read(unit_path("none"), 100, &data, NULL, &err), -1);
	unit_assert_error(&err, ENOENT, "cannot open");
	ck_assert_ptr_null(data);
}
END_TEST

START_TEST(sync_tree)
{
	struct cr_error err = {0};

	unit_assert_ok(cr_fs_mkdirs(unit_path("t/a/b"), 0700, &err), &err);
	unit_write("t/a/b/f", "x");
	unit_write("t/g", "x");
	ck_assert_int_eq(symlink("/nonexistent", unit_path("t/dangling")), 0);
	ck_assert_int_eq(mkfifo(unit_path("t/fifo"), 0600), 0);
	unit_assert_ok(cr_fs_sync_tree(unit_path("t"), &err), &err);
	unit_assert_ok(cr_fs_sync_tree(unit_path("t/g"), &err), &err);
	unit_assert_ok(cr_fs_sync_dir(unit_path("t"), &err), &err);
	ck_assert_int_eq(cr_fs_sync_dir(unit_path("t/g"), &err), -1);
	unit_assert_error(&err, ENOTDIR, "t/g");
	ck_assert_int_eq(cr_fs_sync_tree(unit_path("none"), &err), -1);
	unit_assert_error(&err, ENOENT, "none");
	unit_drop_root();
	if (chmod(unit_path("t/a"), 0) < 0)
		return; /* was root's */
	ck_assert_int_eq(cr_fs_sync_tree(unit_path("t"), &err), -1);
	unit_assert_error(&err, EACCES, "sync of");
}
END_TEST

START_TEST(remove_simple)
{
	struct cr_error err = {0};

	unit_assert_ok(cr_fs_mkdirs(unit_path("t/a/b/c"), 0700, &err), &err);
	unit_write("t/a/f", "x");
	unit_write("t/.hidden", "x");
	ck_assert_int_eq(mkfifo(unit_path("t/fifo"), 0600), 0);
	unit_assert_ok(cr_fs_remove_tree(unit_path("t/"), &err), &err);
	ck_assert(!unit_exists("t"));
	unit_assert_ok(cr_fs_remove_tree(unit_path("t"), &err), &err);
	unit_assert_ok(cr_fs_remove_tree(unit_path("no/such/path"), &err), &err);
	unit_write("file", "x");
	unit_assert_ok(cr_fs_remove_tree(unit_path("file"), &err), &err);
	ck_assert(!unit_exists("file"));
	for (const char *const *path = (const char *const[]){"/", "//", "", ".", "..", "/tmp/..", NULL}; *path;
	     path++)
		ck_assert_msg(cr_fs_remove_tree(*path, &err) == -1, "%s", *path);
}
END_TEST

START_TEST(remove_planted_links)
{
	struct cr_error err = {0};

	unit_assert_ok(cr_fs_mkdirs(unit_path("victim/sub"), 0700, &err), &err);
	unit_write("victim/f", "precious");
	unit_assert_ok(cr_fs_mkdirs(unit_path("t/d"), 0700, &err), &err);
	ck_assert_int_eq(symlink("../victim", unit_path("t/link")), 0);
	ck_assert_int_eq(symlink(unit_path("victim"), unit_path("t/d/abs")), 0);
	ck_assert_int_eq(symlink("victim", unit_path("top")), 0);
	unit_assert_ok(cr_fs_remove_tree(unit_path("t"), &err), &err);
	unit_assert_ok(cr_fs_remove_tree(unit_path("top"), &err), &err);
	ck_assert(!unit_exists("t"));
	ck_assert(!unit_exists("top"));
	ck_assert(unit_exists("victim/f"));
	ck_assert(unit_exists("victim/sub"));
}
END_TEST

START_TEST(remove_without_permissions)
{
	struct cr_error err = {0};

	unit_drop_root();
	unit_assert_ok(cr_fs_mkdirs(unit_path("t/ro/sub"), 0700, &err), &err);
	unit_write("t/ro/f", "x");
	unit_write("t/ro/sub/f", "x");
	ck_assert_int_eq(chmod(unit_path("t/ro/sub"), 0), 0);
	ck_assert_int_eq(chmod(unit_path("t/ro"), 0500), 0);
	unit_assert_ok(cr_fs_remove_tree(unit_path("t"), &err), &err);
	ck_assert(!unit_exists("t"));
	/* what really cannot be removed is told by its name */
	unit_assert_ok(cr_fs_mkdirs(unit_path("p/stays"), 0700, &err), &err);
	ck_assert_int_eq(chmod(unit_path("p"), 0500), 0);
	ck_assert_int_eq(cr_fs_remove_tree(unit_path("p/stays"), &err), -1);
	unit_assert_error(&err, EACCES, "stays");
	ck_assert_int_eq(chmod(unit_path("p"), 0700), 0);
}
END_TEST

START_TEST(remove_deep)
{
	struct cr_error err = {0};
	int depth = 3000; /* more than there are descriptors */

	unit_drop_root();
	ck_assert_int_eq(mkdir(unit_path("t"), 0700), 0);
	ck_assert_int_eq(chdir(unit_path("t")), 0);
	for (int i = 0; i < depth; i++) {
		ck_assert_int_eq(mkdir("d", 0700), 0);
		ck_assert_int_eq(symlink("/", "link"), 0);
		ck_assert_int_eq(chdir("d"), 0);
	}
	ck_assert_int_eq(chdir("/"), 0);
	unit_assert_ok(cr_fs_remove_tree(unit_path("t"), &err), &err);
	ck_assert(!unit_exists("t"));
}
END_TEST

START_TEST(remove_stops_at_mounts)
{
	struct cr_error err = {0};

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		(void)fprintf(stderr, "SKIP remove_stops_at_mounts: no mount namespace: %s\n", strerror(errno));
		return;
	}
	unit_assert_ok(cr_fs_mkdirs(unit_path("victim"), 0700, &err), &err);
	unit_write("victim/f", "precious");
	unit_assert_ok(cr_fs_mkdirs(unit_path("t/a/mnt"), 0700, &err), &err);
	unit_assert_ok(cr_fs_mkdirs(unit_path("t/z"), 0700, &err), &err);
	/* the same file system: st_dev would not tell */
	ck_assert_int_eq(mount(unit_path("victim"), unit_path("t/a/mnt"), NULL, MS_BIND, NULL), 0);
	ck_assert_int_eq(cr_fs_remove_tree(unit_path("t"), &err), -1);
	unit_assert_error(&err, EBUSY, "mnt");
	ck_assert(unit_exists("victim/f"));
	ck_assert(!unit_exists("t/z"));
	ck_assert_int_eq(cr_fs_remove_tree(unit_path("t/a/mnt"), &err), -1);
	unit_assert_error(&err, EBUSY, "mnt");
	ck_assert(unit_exists("victim/f"));
	ck_assert_int_eq(umount(unit_path("t/a/mnt")), 0);
	unit_assert_ok(cr_fs_remove_tree(unit_path("t"), &err), &err);
}
END_TEST

static char *pattern(size_t size)
{
	char *data = malloc(size);

	ck_assert_ptr_nonnull(data);
	for (size_t i = 0; i < size; i++)
		data[i] = (char)(i * 31 + (i >> 12));
	return data;
}

/* Copy from to a file made at to, and compare. */
static void copy_and_compare(const char *from, const char *to, size_t size, const char *data)
{
	cleanup_close int in = open(from, O_RDONLY | O_CLOEXEC);
	cleanup_close int out = open(to, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	cleanup_free char *copy = NULL;
	struct cr_error err = {0};
	size_t got = 0;

	ck_assert_int_ge(in, 0);
	ck_assert_int_ge(out, 0);
	ck_assert_int_eq(lseek(in, 5, SEEK_SET), 5);
	unit_assert_ok(cr_fs_copy(in, out, size, &err), &err);
	ck_assert_int_eq(lseek(in, 0, SEEK_CUR), 5);
	ck_assert_int_eq(lseek(out, 0, SEEK_CUR), 0);
	unit_assert_ok(cr_fs_read(to, size, &copy, &got, &err), &err);
	ck_assert_uint_eq(got, size);
	ck_assert_int_eq(memcmp(copy, data, size), 0);
}

START_TEST(copy)
{
	size_t size = (1u << 20) + 17;
	cleanup_free char *data = pattern(size);
	char other[] = "/dev/shm/cr-unit.XXXXXX";
	int fd;

	unit_write_bytes("from", data, size);
	copy_and_compare(unit_path("from"), unit_path("to"), size, data);
	copy_and_compare(unit_path("from"), unit_path("part"), 1000, data);
	copy_and_compare(unit_path("from"), unit_path("none"), 0, data);
	/* another file system: through memory, where the kernel does not copy across */
	fd = mkstemp(other);
	if (fd < 0) {
		(void)fprintf(stderr, "SKIP copy to /dev/shm: %s\n", strerror(errno));
		return;
	}
	close(fd);
	copy_and_compare(unit_path("from"), other, size, data);
	ck_assert_int_eq(unlink(other), 0);
}
END_TEST

START_TEST(copy_errors)
{
	struct cr_error err = {0};
	cleanup_close int in = open(unit_write("from", "short"), O_RDONLY | O_CLOEXEC);
	cleanup_close int out = open(unit_write("to", ""), O_RDWR | O_CLOEXEC);
	cleanup_close int append = open(unit_path("to"), O_WRONLY | O_APPEND | O_CLOEXEC);

	ck_assert_int_eq(cr_fs_copy(in, out, 6, &err), -1);
	unit_assert_error(&err, ENODATA, "shorter than 6 bytes");
	ck_assert_int_eq(cr_fs_copy(in, append, 5, &err), -1);
	unit_assert_error(&err, EINVAL, "appending");
	ck_assert_int_eq(cr_fs_copy(in, in, 5, &err), -1);
	ck_assert_int_eq(cr_fs_copy(-1, out, 5, &err), -1);
	ck_assert_int_eq(cr_fs_copy(in, -1, 5, &err), -1);
	ck_assert_int_eq(cr_fs_copy(in, out, UINT64_MAX, &err), -1);
	unit_assert_error(&err, EFBIG, "copy");
}
END_TEST

UNIT_MAIN("fs", {mkdirs, true}, {check_owned, true}, {write_atomic, true}, {write_errors, true},
	  {read_limits, true}, {read_pipe, true}, {read_planted, true}, {sync_tree, true}, {remove_simple, true},
	  {remove_planted_links, true}, {remove_without_permissions, true}, {remove_deep, true},
	  {remove_stops_at_mounts, true}, {copy, true}, {copy_errors, true})
