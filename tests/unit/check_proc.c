/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "../../libcrcore/cleanup.h"
#include "../../libcrcore/proc.h"

static int hold[2]; /* children live until its write end is closed */

/* A child that has children of its own, to the given depth; each tells its pid.
 */
static pid_t tree_start(int depth, int tell, const char *name)
{
	pid_t pid = fork();
	char byte;

	if (pid != 0)
		return pid;
	close(hold[1]);
	prctl(PR_SET_NAME, name);
	if (depth > 0 && tree_start(depth - 1, tell, name) < 0)
		_exit(1);
	pid = getpid();
	if (write(tell, &pid, sizeof(pid)) != sizeof(pid))
		_exit(1);
	_exit(read(hold[0], &byte, 1) == 0 ? 0 : 1);
}

START_TEST(tree)
{
	/* names that look like the end of the field they stand in */
	static const char *const names[] = {"plain", "a) Z 1", "b) R 1 (x", ") ) )", "c\n) S 1", "((("};
	cleanup_free pid_t *pids = NULL;
	struct cr_error err = {0};
	pid_t told[6 * 4], roots[6];
	int tell[2];
	size_t n;

	ck_assert_int_eq(pipe(hold), 0);
	ck_assert_int_eq(pipe(tell), 0);
	for (int i = 0; i < 6; i++)
		ck_assert_int_gt(roots[i] = tree_start(3, tell[1], names[i]), 0);
	for (int i = 0; i < 6 * 4; i++)
		ck_assert_int_eq(read(tell[0], &told[i], sizeof(told[i])), sizeof(told[i]));
	for (int i = 0; i < 6; i++) {
		pid_t *some = NULL;

		unit_assert_ok(cr_proc_tree(roots[i], &some, &n, &err), &err);
		ck_assert_msg(n == 4, "%zu processes named \"%s\"", n, names[i]);
		ck_assert_int_eq(some[0], roots[i]);
		free(some);
	}
	/* ours: everything, each once */
	unit_assert_ok(cr_proc_tree(getpid(), &pids, &n, &err), &err);
	ck_assert_uint_eq(n, 1 + 6 * 4);
	ck_assert_int_eq(pids[0], getpid());
	for (int i = 0; i < 6 * 4; i++) {
		int seen = 0;

		for (size_t k = 0; k < n; k++)
			seen += pids[k] == told[i];
		ck_assert_int_eq(seen, 1);
	}
	close(hold[1]);
	for (int i = 0; i < 6; i++)
		ck_assert_int_eq(waitpid(roots[i], NULL, 0), roots[i]);
}
END_TEST

START_TEST(tree_of_none)
{
	cleanup_free pid_t *pids = NULL;
	struct cr_error err = {0};
	pid_t pid = fork();
	size_t n = 9;

	if (pid == 0)
		_exit(0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	unit_assert_ok(cr_proc_tree(pid, &pids, &n, &err), &err);
	ck_assert_uint_eq(n, 0);
}
END_TEST

/* ---- files open for writing ---- */

struct seen {
	int n, stop_at;
	struct cr_proc_file files[64];
};

static int each_file(const struct cr_proc_file *file, void *arg)
{
	struct seen *seen = arg;

	ck_assert_int_lt(seen->n, 64);
	seen->files[seen->n++] = *file;
	return seen->n == seen->stop_at ? 77 : 0;
}

static const struct cr_proc_file *find_file(const struct seen *seen, const char *path)
{
	for (int i = 0; i < seen->n; i++) {
		if (strcmp(seen->files[i].path, path) == 0)
			return &seen->files[i];
	}
	return NULL;
}

START_TEST(written)
{
	static struct seen seen;
	const struct cr_proc_file *file;
	struct cr_error err = {0};
	struct stat st;
	int gone, fds[2];

	unit_write("r", "read");
	unit_write("w", "0123456789");
	unit_write("gone", "x");
	ck_assert_int_ge(open(unit_path("r"), O_RDONLY), 0);
	ck_assert_int_ge(open(unit_path("w"), O_WRONLY | O_APPEND), 0);
	ck_assert_int_ge(open(unit_path("rw b\tx"), O_RDWR | O_CREAT | O_CLOEXEC, 0640), 0);
	ck_assert_int_ge(open(unit_path("w"), O_PATH), 0);
	ck_assert_int_ge(gone = open(unit_path("gone"), O_RDWR), 0);
	ck_assert_int_eq(unlink(unit_path("gone")), 0);
	ck_assert_int_ge(memfd_create("mem", 0), 0);
	ck_assert_int_ge(open("/dev/null", O_RDWR), 0);
	ck_assert_int_eq(pipe(fds), 0);
	unit_assert_ok(cr_proc_written(getpid(), each_file, &seen, &err), &err);
	file = find_file(&seen, unit_path("w"));
	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(stat(unit_path("w"), &st), 0);
	ck_assert_uint_eq(file->size, 10);
	ck_assert_uint_eq(file->dev, st.st_dev);
	ck_assert_uint_eq(file->ino, st.st_ino);
	ck_assert_uint_eq(file->mode, st.st_mode & 07777);
	file = find_file(&seen, unit_path("rw b\tx"));
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(file->size, 0);
	ck_assert_ptr_null(find_file(&seen, unit_path("r")));
	for (int i = 0; i < seen.n; i++) {
		ck_assert_int_eq(seen.files[i].path[0], '/');
		ck_assert_ptr_null(strstr(seen.files[i].path, "/gone"));
		ck_assert_ptr_null(strstr(seen.files[i].path, "memfd"));
		ck_assert_str_ne(seen.files[i].path, "/dev/null");
	}
	close(gone);
}
END_TEST

static int each_directory(const char *path, void *arg)
{
	ck_assert_int_eq(path[0], '/');
	*(int *)arg += strcmp(path, unit_path("here")) == 0 ? 1 : strcmp(path, unit_path("open")) == 0 ? 100 : 0;
	return 0;
}

START_TEST(mappings_and_directories)
{
	static struct seen seen;
	const struct cr_proc_file *file;
	struct cr_error err = {0};
	int fd, found = 0;

	unit_write("map\nped", "0123");
	unit_write("private", "0123");
	ck_assert_int_ge(fd = open(unit_path("map\nped"), O_RDWR | O_CLOEXEC), 0);
	ck_assert_ptr_ne(mmap(NULL, 4, PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	close(fd);
	ck_assert_int_ge(fd = open(unit_path("private"), O_RDWR | O_CLOEXEC), 0);
	ck_assert_ptr_ne(mmap(NULL, 4, PROT_WRITE, MAP_PRIVATE, fd, 0), MAP_FAILED);
	ck_assert_ptr_ne(mmap(NULL, 4, PROT_READ, MAP_SHARED, fd, 0), MAP_FAILED);
	close(fd);
	unit_assert_ok(cr_proc_written(getpid(), each_file, &seen, &err), &err);
	file = find_file(&seen, unit_path("map\nped"));
	ck_assert_ptr_nonnull(file);
	ck_assert(file->mapped);
	ck_assert_uint_eq(file->size, 4);
	ck_assert_ptr_null(find_file(&seen, unit_path("private")));
	ck_assert_int_eq(mkdir(unit_path("here"), 0755), 0);
	ck_assert_int_eq(mkdir(unit_path("open"), 0755), 0);
	ck_assert_int_eq(mkdir(unit_path("not"), 0755), 0);
	ck_assert_int_eq(chdir(unit_path("here")), 0);
	ck_assert_int_ge(open(unit_path("open"), O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0);
	unit_assert_ok(cr_proc_directories(getpid(), each_directory, &found, &err), &err);
	ck_assert_int_eq(found, 101);
}
END_TEST

START_TEST(written_stops)
{
	static struct seen seen = {.stop_at = 1};
	struct cr_error err = {0};

	ck_assert_int_ge(open(unit_path("a"), O_WRONLY | O_CREAT, 0600), 0);
	ck_assert_int_ge(open(unit_path("b"), O_WRONLY | O_CREAT, 0600), 0);
	ck_assert_int_eq(cr_proc_written(getpid(), each_file, &seen, &err), 77);
	ck_assert_int_eq(seen.n, 1);
}
END_TEST

START_TEST(written_by_none)
{
	static struct seen seen;
	struct cr_error err = {0};
	pid_t pid = fork();
	uint64_t pos;

	if (pid == 0)
		_exit(0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	unit_assert_ok(cr_proc_written(pid, each_file, &seen, &err), &err);
	ck_assert_int_eq(seen.n, 0);
	ck_assert_int_eq(cr_proc_position(pid, "/x", &pos, &err), 0);
}
END_TEST

START_TEST(written_unreadable)
{
	static struct seen seen;
	struct cr_error err = {0};
	uint64_t pos;

	if (geteuid() != 0 || getpid() == 1) {
		(void)fprintf(stderr, "SKIP written_unreadable: needs root, to have another's process\n");
		return;
	}
	unit_drop_root();
	/* pid 1 is root's */
	ck_assert_int_eq(cr_proc_written(1, each_file, &seen, &err), -1);
	unit_assert_error(&err, EACCES, "/proc/1/fd");
	ck_assert_int_eq(cr_proc_position(1, "/x", &pos, &err), -1);
	unit_assert_error(&err, EACCES, "/proc/1/fd");
}
END_TEST

/* Whose entries in /proc are root's from its end on. */
START_TEST(written_by_a_zombie)
{
	static struct seen seen;
	struct cr_error err = {0};
	siginfo_t info;
	uint64_t pos;
	pid_t pid;

	if (geteuid() == 0)
		unit_drop_root();
	pid = fork();
	if (pid == 0)
		_exit(0);
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	unit_assert_ok(cr_proc_written(pid, each_file, &seen, &err), &err);
	ck_assert_int_eq(seen.n, 0);
	ck_assert_int_eq(cr_proc_position(pid, "/x", &pos, &err), 0);
}
END_TEST

START_TEST(position)
{
	struct cr_error err = {0};
	uint64_t pos = 99;
	int fd;

	unit_write("script", "#!/bin/sh\necho one\necho two\n");
	ck_assert_int_eq(cr_proc_position(getpid(), unit_path("script"), &pos, &err), 0);
	ck_assert_int_ge(fd = open(unit_path("script"), O_RDONLY | O_CLOEXEC), 0);
	ck_assert_int_eq(cr_proc_position(getpid(), unit_path("script"), &pos, &err), 1);
	ck_assert_uint_eq(pos, 0);
	ck_assert_int_eq(lseek(fd, 19, SEEK_SET), 19);
	ck_assert_int_eq(cr_proc_position(getpid(), unit_path("script"), &pos, &err), 1);
	ck_assert_uint_eq(pos, 19);
	ck_assert_int_eq(lseek(fd, INT64_C(1) << 40, SEEK_SET), INT64_C(1) << 40);
	ck_assert_int_eq(cr_proc_position(getpid(), unit_path("script"), &pos, &err), 1);
	ck_assert_uint_eq(pos, UINT64_C(1) << 40);
	/* no part of a path is a path */
	ck_assert_int_eq(cr_proc_position(getpid(), unit_path("scrip"), &pos, &err), 0);
	ck_assert_int_eq(cr_proc_position(getpid(), unit_path("script "), &pos, &err), 0);
	close(fd);
	ck_assert_int_eq(cr_proc_position(getpid(), unit_path("script"), &pos, &err), 0);
}
END_TEST

START_TEST(node)
{
	cleanup_free char *kernel = NULL;
	cleanup_free char *model = NULL;
	cleanup_free char *flags = NULL;
	struct cr_error err = {0};
	struct utsname u;

	ck_assert_int_eq(uname(&u), 0);
	unit_assert_ok(cr_node_kernel(&kernel, &err), &err);
	ck_assert_ptr_eq(strstr(kernel, u.release), kernel);
	ck_assert_ptr_nonnull(strstr(kernel, u.machine));
	unit_assert_ok(cr_node_cpu(&model, &flags, &err), &err);
	ck_assert_ptr_nonnull(model);
	ck_assert_ptr_nonnull(flags);
	ck_assert_ptr_null(strchr(model, '\n'));
	ck_assert_ptr_null(strchr(flags, '\n'));
#ifdef __x86_64__
	ck_assert_ptr_nonnull(strstr(flags, "fpu"));
#endif
}
END_TEST

UNIT_MAIN("proc", {tree, false}, {tree_of_none, false}, {written, true}, {mappings_and_directories, true},
	  {written_stops, true}, {written_by_none, false}, {written_unreadable, true}, {written_by_a_zombie, true},
	  {position, true}, {node, false})
