/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "../../libcrcore/caps.h"
#include "../../spank_cr/init/tasks.h"

/* What there is besides a process criu with capabilities and a root without, its child. */
enum extra {
	NOTHING,
	BESIDE,	       /* a child of criu's without capabilities */
	BESIDE_ZOMBIE, /* one that has ended */
	WITHIN,	       /* a child of the root's that has kept its own */
};

static void bare(void)
{
	struct cr_error err;

	if (cr_caps_drop(&err) < 0)
		_exit(1);
}

/* Fork a child that dies with its parent; true in the child. */
static bool forked(pid_t *pid)
{
	*pid = fork();
	if (*pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return *pid == 0;
}

static void linger(void)
{
	for (;;)
		pause();
}

/* Not before it is what it is to be. */
static void say(int fd, pid_t pid)
{
	if (write(fd, &pid, sizeof(pid)) != sizeof(pid))
		_exit(1);
}

static pid_t hear(int fd)
{
	pid_t pid;

	ck_assert_int_eq(read(fd, &pid, sizeof(pid)), sizeof(pid));
	return pid;
}

static void root_live(enum extra extra, int fd)
{
	pid_t child;

	if (extra == WITHIN && forked(&child))
		linger();
	bare();
	say(fd, getpid());
	linger();
}

static void criu_live(enum extra extra, int fd)
{
	pid_t child;

	if ((extra == BESIDE || extra == BESIDE_ZOMBIE) && forked(&child)) {
		if (extra == BESIDE_ZOMBIE)
			_exit(0);
		bare();
		linger();
	}
	if (forked(&child))
		root_live(extra, fd);
	linger();
}

static int check(enum extra extra, struct cr_error *err)
{
	struct tasks t = {.top = getpid(), .n_ours = 2};
	pid_t ours[2] = {getpid()};
	int fds[2], rc;

	ck_assert_int_eq(pipe(fds), 0);
	if (forked(&ours[1]))
		criu_live(extra, fds[1]);
	t.criu = ours[1];
	t.root = hear(fds[0]);
	t.ours = ours;
	rc = tasks_check(&t, err);
	kill(t.criu, SIGKILL);
	ck_assert_int_eq(waitpid(t.criu, NULL, 0), t.criu);
	return rc;
}

START_TEST(within_the_tree_and_beside_it)
{
	struct cr_error err = {0};

	unit_assert_ok(check(NOTHING, &err), &err);
	unit_assert_ok(check(BESIDE_ZOMBIE, &err), &err);
	ck_assert_int_eq(check(BESIDE, &err), -1);
	ck_assert_int_eq(err.errnum, EPERM);
	ck_assert_ptr_nonnull(strstr(err.text, "is not in the job's tree"));
	if (getuid() != 0)
		return;
	ck_assert_int_eq(check(WITHIN, &err), -1);
	ck_assert_int_eq(err.errnum, EPERM);
	ck_assert_ptr_nonnull(strstr(err.text, "holds capabilities"));
}
END_TEST

/* One that criu has not made, or that has lost its parent; and one of ours that is about to drop them. */
START_TEST(elsewhere_in_the_namespace)
{
	struct cr_error err = {0};
	pid_t stranger;

	if (getuid() != 0)
		return;
	if (forked(&stranger)) {
		usleep(150000);
		bare();
		linger();
	}
	unit_assert_ok(check(NOTHING, &err), &err);
	if (forked(&stranger))
		linger();
	ck_assert_int_eq(check(NOTHING, &err), -1);
	ck_assert_int_eq(err.errnum, EPERM);
}
END_TEST

START_TEST(no_tree)
{
	const pid_t ours[] = {getpid()};
	const struct tasks t = {.top = getpid(), .criu = INT32_MAX, .root = INT32_MAX, .ours = ours, .n_ours = 1};
	struct cr_error err = {0};

	ck_assert_int_eq(tasks_check(&t, &err), -1);
	ck_assert_int_eq(err.errnum, ESRCH);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{within_the_tree_and_beside_it, false}, {elsewhere_in_the_namespace, false}, {no_tree, false}};

	return unit_main("tasks", tests, sizeof(tests) / sizeof(tests[0]));
}
