/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>

#include "../../libcrcore/caps.h"
#include "../../libcrcore/cgroup.h"
#include "../../libcrcore/cleanup.h"

START_TEST(step_dir)
{
	static const char *const cases[][2] = {
		{"/sys/fs/cgroup/freezer/slurm/uid_1001/job_7/step_batch",
		 "/sys/fs/cgroup/freezer/slurm/uid_1001/job_7/step_batch"},
		{"/c/slurm/uid_1/job_7/step_batch/task_0", "/c/slurm/uid_1/job_7/step_batch"},
		{"/c/slurm/uid_1/job_7/step_0/task_0/spank_cr", "/c/slurm/uid_1/job_7/step_0"},
		{"/c/system.slice/n1_slurmstepd.scope/job_7/step_batch/user/task_0",
		 "/c/system.slice/n1_slurmstepd.scope/job_7/step_batch"},
		{"/c/nothing/of/the/kind", "/c/nothing/of/the/kind"},
		{"/c/my_step_1/x", "/c/my_step_1/x"},
		{"", ""},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char dir[PATH_MAX];

		(void)snprintf(dir, sizeof(dir), "%s", cases[i][0]);
		cr_cgroup_step_dir(dir);
		ck_assert_str_eq(dir, cases[i][1]);
	}
}
END_TEST

static void dirs_make(const char *const *names)
{
	for (; *names; names++)
		ck_assert_msg(mkdir(unit_path(*names), 0755) == 0, "%s", *names);
}

/* Plain directories are removed as cgroups are. */
START_TEST(children_removed)
{
	static const char *const names[] = {"s",
					    "s/spank_cr",
					    "s/task_0",
					    "s/task_0/spank_cr",
					    "s/user",
					    "s/user/task_1",
					    "s/user/task_1/spank_cr",
					    "s/spank_cr.not",
					    NULL};
	struct cr_error err = {0};

	dirs_make(names);
	unit_write("s/cgroup.procs", "");
	ck_assert_int_eq(symlink(unit_dir, unit_path("s/user/up")), 0);
	ck_assert_int_eq(cr_cgroup_remove_children(unit_path("s"), 0, &err), 0);
	ck_assert(!unit_exists("s/spank_cr"));
	ck_assert(!unit_exists("s/task_0/spank_cr"));
	ck_assert(!unit_exists("s/user/task_1/spank_cr"));
	/* and only those */
	ck_assert(unit_exists("s/task_0"));
	ck_assert(unit_exists("s/user/task_1"));
	ck_assert(unit_exists("s/spank_cr.not"));
	ck_assert(unit_exists("s/cgroup.procs"));
	ck_assert_int_eq(cr_cgroup_remove_children(unit_path("s"), 0, &err), 0);
}
END_TEST

START_TEST(children_left)
{
	static const char *const names[] = {"s",
					    "s/spank_cr",
					    "s/spank_cr/inner",
					    "s/task_0",
					    "s/task_0/spank_cr",
					    "s/task_1",
					    "s/task_1/spank_cr",
					    NULL};
	struct cr_error err = {0};

	dirs_make(names);
	unit_write("s/task_0/spank_cr/f", "x");
	ck_assert_int_eq(cr_cgroup_remove_children(unit_path("s"), 0, &err), 1);
	unit_assert_error(&err, ENOTEMPTY, "removing cgroup");
	ck_assert(!unit_exists("s/spank_cr"));
	ck_assert(!unit_exists("s/task_1/spank_cr"));
}
END_TEST

START_TEST(children_of_none)
{
	struct cr_error err = {0};

	/* Slurm was faster */
	ck_assert_int_eq(cr_cgroup_remove_children(unit_path("none"), 1000, &err), 0);
	unit_write("file", "x");
	ck_assert_int_eq(cr_cgroup_remove_children(unit_path("file"), 1000, &err), -1);
	unit_assert_error(&err, ENOTDIR, "file");
}
END_TEST

START_TEST(of_a_process_that_is_gone)
{
	struct cr_error err = {0};
	char buf[PATH_MAX];
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_int_eq(cr_cgroup_of(pid, buf, &err), -1);
	ck_assert_int_eq(err.errnum, ENOENT);
}
END_TEST

START_TEST(enter_nowhere)
{
	cleanup_close int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct cr_error err = {0};

	ck_assert_int_eq(cr_cgroup_enter(-1, &err), -1);
	unit_assert_error(&err, EBADF, "entering the job's cgroup");
	ck_assert_int_eq(cr_cgroup_enter(fd, &err), -1);
	unit_assert_error(&err, ENOSPC, "entering the job's cgroup");
}
END_TEST

/* ---- a real hierarchy, mounted for this test alone ---- */

static char own[2 * PATH_MAX]; /* a cgroup of this test's */

static bool hierarchy_or_skip(const char *test)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		(void)fprintf(stderr, "SKIP %s: no mount namespace: %s\n", test, strerror(errno));
		return false;
	}
	(void)umount2("/sys/fs/cgroup", MNT_DETACH);
	ck_assert_int_eq(mkdir(unit_path("cg"), 0700), 0);
	if (mount("cgroup", unit_path("cg"), "cgroup", 0, "freezer") < 0 &&
	    mount("cgroup2", unit_path("cg"), "cgroup2", 0, NULL) < 0) {
		(void)fprintf(stderr, "SKIP %s: no cgroup hierarchy can be mounted: %s\n", test, strerror(errno));
		return false;
	}
	(void)snprintf(own, sizeof(own), "%s/cr-unit.%d", unit_path("cg"), (int)getpid());
	if (mkdir(own, 0755) < 0) {
		(void)fprintf(stderr, "SKIP %s: no cgroup can be made: %s\n", test, strerror(errno));
		return false;
	}
	return true;
}

static int join(const char *dir)
{
	char path[3 * PATH_MAX];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	f = fopen(path, "w");
	if (!f)
		return -1;
	(void)fprintf(f, "%d\n", (int)getpid());
	return fclose(f);
}

/* In a child: join our cgroup, open the one below, lose every right, go there.
 * Stays until hold is closed. */
static int child_lives(int ready, int hold)
{
	char dir[PATH_MAX], expected[3 * PATH_MAX], byte;
	struct cr_error err;
	int fd, again;

	if (join(own) < 0)
		return 1;
	if (cr_cgroup_of(getpid(), dir, &err) < 0 || strcmp(dir, own) != 0)
		return 2;
	fd = cr_cgroup_open_child(&err);
	again = cr_cgroup_open_child(&err);
	if (fd < 0 || again < 0 || !(fcntl(fd, F_GETFD) & FD_CLOEXEC))
		return 3;
	if (setresgid(UNIT_NOBODY, UNIT_NOBODY, UNIT_NOBODY) < 0 ||
	    setresuid(UNIT_NOBODY, UNIT_NOBODY, UNIT_NOBODY) < 0 || cr_caps_drop(&err) < 0)
		return 4;
	if (cr_cgroup_enter(fd, &err) < 0) {
		(void)fprintf(stderr, "%s\n", err.text);
		return 5;
	}
	(void)snprintf(expected, sizeof(expected), "%s/" CR_CGROUP_CHILD, own);
	if (cr_cgroup_of(getpid(), dir, &err) < 0 || strcmp(dir, expected) != 0)
		return 6;
	if (write(ready, "r", 1) != 1)
		return 7;
	return read(hold, &byte, 1) == 0 ? 0 : 8;
}

START_TEST(a_child_cgroup)
{
	int ready[2], hold[2], status;
	struct cr_error err = {0};
	char buf[PATH_MAX], path[PATH_MAX + 32], byte;
	struct stat st;
	FILE *freezer;
	pid_t pid;

	if (!hierarchy_or_skip("a_child_cgroup"))
		return;
	ck_assert_int_eq(pipe(ready), 0);
	ck_assert_int_eq(pipe(hold), 0);
	pid = fork();
	if (pid == 0) {
		close(hold[1]);
		_exit(child_lives(ready[1], hold[0]));
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1) {
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_abort_msg("step %d failed", WEXITSTATUS(status));
	}
	/* seen from outside */
	ck_assert_msg(cr_cgroup_of(pid, buf, &err) == 0, "%s", err.text);
	ck_assert_int_eq(strncmp(buf, own, strlen(own)), 0);
	ck_assert_int_eq(stat(buf, &st), 0);
	ck_assert_uint_eq(st.st_uid, 0);
	/* frozen, with one below it: it goes all the same, and who is in it */
	(void)snprintf(path, sizeof(path), "%s/sub", buf);
	ck_assert_int_eq(mkdir(path, 0755), 0);
	(void)snprintf(path, sizeof(path), "%s/freezer.state", buf);
	freezer = fopen(path, "w");
	if (freezer) {
		(void)fprintf(freezer, "FROZEN");
		(void)fclose(freezer);
	}
	ck_assert_int_eq(cr_cgroup_remove_children(own, 20000, &err), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	ck_assert_msg(rmdir(own) == 0, "%s", strerror(errno));
}
END_TEST

START_TEST(root_cgroup_is_refused)
{
	struct cr_error err = {0};
	char buf[PATH_MAX];

	if (!hierarchy_or_skip("root_cgroup_is_refused"))
		return;
	ck_assert_int_eq(rmdir(own), 0);
	if (join(unit_path("cg")) < 0) {
		(void)fprintf(stderr, "SKIP root_cgroup_is_refused: cannot go there: %s\n", strerror(errno));
		return;
	}
	ck_assert_int_eq(cr_cgroup_of(getpid(), buf, &err), -1);
	unit_assert_error(&err, ENOTSUP, "ProctrackType=proctrack/cgroup is needed");
	ck_assert_int_eq(cr_cgroup_open_child(&err), -1);
	unit_assert_error(&err, ENOTSUP, "ProctrackType=proctrack/cgroup is needed");
}
END_TEST

START_TEST(nothing_mounted)
{
	struct cr_error err = {0};
	char buf[PATH_MAX];

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		(void)fprintf(stderr, "SKIP nothing_mounted: no mount namespace: %s\n", strerror(errno));
		return;
	}
	(void)umount2("/sys/fs/cgroup", MNT_DETACH);
	ck_assert_int_eq(cr_cgroup_of(getpid(), buf, &err), -1);
	unit_assert_error(&err, ENOENT, "no cgroup hierarchy is mounted");
}
END_TEST

UNIT_MAIN("cgroup", {step_dir, false}, {children_removed, true}, {children_left, true}, {children_of_none, true},
	  {of_a_process_that_is_gone, false}, {enter_nowhere, false}, {a_child_cgroup, true},
	  {root_cgroup_is_refused, true}, {nothing_mounted, false})
