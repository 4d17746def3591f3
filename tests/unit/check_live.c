/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* The look at what cannot be checkpointed, with processes that there are: what needs the kernel's answers. */

#include "unit.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "../../libcrcore/preflight.h"
#include "../../libcrcore/proc.h"

static const struct cr_preflight_unix nobody[] = {{.ino = 1}};
static struct cr_preflight found;

static void look_live(pid_t root)
{
	const struct cr_preflight_job job = {
		.proc = "/proc", .root = root, .ghost_limit = 4096, .sockets = nobody, .n_sockets = 1};
	struct cr_error err = {0};

	unit_assert_ok(cr_preflight_look(&job, &found, &err), &err);
}

/* A child of vfork that waits until fd has an end, and its parent, the root. */
static pid_t vfork_start(int fd)
{
	pid_t pid = fork();
	char byte;

	if (pid != 0)
		return pid;
	if (vfork() == 0) {
		(void)!read(fd, &byte, 1);
		_exit(0);
	}
	pause();
	_exit(0);
}

START_TEST(vforked)
{
	int gate[2];
	pid_t root;

	unit_drop_root();
	ck_assert_int_eq(pipe2(gate, O_CLOEXEC), 0);
	prctl(PR_SET_DUMPABLE, 1);
	root = vfork_start(gate[0]);
	for (int i = 0; i < 20 && found.counts[CR_PREFLIGHT_VFORK] == 0; i++)
		look_live(root);
	ck_assert_uint_eq(found.counts[CR_PREFLIGHT_VFORK], 1);
	ck_assert(cr_preflight_certain(CR_PREFLIGHT_VFORK));
	ck_assert_int_eq(write(gate[1], "g", 1), 1);
	for (int i = 0; i < 20 && found.counts[CR_PREFLIGHT_VFORK] != 0; i++)
		look_live(root);
	ck_assert_uint_eq(found.counts[CR_PREFLIGHT_VFORK], 0);
	kill(root, SIGKILL);
	ck_assert_int_eq(waitpid(root, NULL, 0), root);
}
END_TEST

/* root has a set that watches both ends of a pipe, and so has its child; each has closed what it is told to. */
static pid_t epoll_start(bool root_closes, bool child_closes, bool moves)
{
	struct epoll_event event = {.events = EPOLLIN};
	int set, ends[2], ready[2];
	pid_t pid;
	char byte;

	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		set = epoll_create1(0);
		if (pipe(ends) < 0 || epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event) < 0)
			_exit(1);
		if (moves) {
			dup2(ends[0], 100);
			close(ends[0]);
		}
		pid = fork();
		if (pid == 0 ? child_closes : root_closes)
			close(ends[0]);
		if (pid == 0)
			prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)!write(ready[1], "r", 1);
		for (;;)
			pause();
	}
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

START_TEST(epoll_sets)
{
	static const struct {
		bool root, child, moves;
		unsigned found;
	} cases[] = {{false, false, false, 0},
		     {true, false, false, 1},
		     {false, true, false, 0},
		     {false, false, true, 0}};

	unit_drop_root();
	prctl(PR_SET_DUMPABLE, 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		pid_t root = epoll_start(cases[i].root, cases[i].child, cases[i].moves);

		look_live(root);
		ck_assert_msg(found.counts[CR_PREFLIGHT_EPOLL] == cases[i].found, "case %zu: %u", i,
			      found.counts[CR_PREFLIGHT_EPOLL]);
		if (cases[i].found)
			ck_assert_int_eq(found.findings[0].pid, root);
		kill(root, SIGKILL);
		ck_assert_int_eq(waitpid(root, NULL, 0), root);
	}
	ck_assert(cr_preflight_certain(CR_PREFLIGHT_EPOLL));
}
END_TEST

/* Older kernels show how every process of one's own has ended. */
START_TEST(ended_unknown)
{
	siginfo_t info;
	pid_t pid;
	int status;

	unit_drop_root();
	prctl(PR_SET_DUMPABLE, 1);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_DUMPABLE, 0);
		_exit(3);
	}
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	look_live(pid);
	ck_assert_uint_eq(found.counts[CR_PREFLIGHT_ENDED], cr_proc_ended(pid, &status) < 0 ? 1 : 0);
}
END_TEST

UNIT_MAIN("live", {vforked, true}, {epoll_sets, true}, {ended_unknown, true})
