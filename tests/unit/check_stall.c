/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "../../spank_cr/init/stall.h"

#define SECOND INT64_C(1000000000)

START_TEST(progress_starts_anew)
{
	struct stall s = {0};

	ck_assert_int_eq(stall_look(&s, 7, 0, 100 * SECOND), 0);
	ck_assert_int_eq(stall_look(&s, 7, 0, 130 * SECOND), 30);
	ck_assert_int_eq(stall_look(&s, 8, 0, 131 * SECOND), 0);
	/* less: one of its children has ended */
	ck_assert_int_eq(stall_look(&s, 3, 0, 140 * SECOND), 0);
	ck_assert_int_eq(stall_look(&s, 3, 0, 150 * SECOND), 10);
	/* Slurm's signal */
	ck_assert_int_eq(stall_look(&s, 3, 1, 151 * SECOND), 0);
	ck_assert_int_eq(stall_look(&s, 3, 1, 152 * SECOND), 1);
}
END_TEST

START_TEST(limits)
{
	struct stall s = {0};

	ck_assert_int_eq(stall_limit(&s, 0), CR_PACE_STALL_S);
	ck_assert_int_eq(stall_limit(&s, 1), STALL_TERM_S);
	s.staged = true;
	ck_assert_int_gt(stall_limit(&s, 0), CR_PACE_STALL_S);
	ck_assert_int_gt(stall_limit(&s, 1), CR_PACE_STALL_S);
}
END_TEST

static pid_t child_start(const char *name, pid_t *grandchild)
{
	int fds[2];
	pid_t pid;

	ck_assert_int_eq(pipe(fds), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		pid_t inner = fork();

		(void)prctl(PR_SET_NAME, inner ? "crworker" : name);
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (inner == 0 && write(fds[1], &(pid_t){getpid()}, sizeof(pid_t)) < 0)
			_exit(1);
		for (;;)
			pause();
	}
	ck_assert_int_eq(read(fds[0], grandchild, sizeof(*grandchild)), sizeof(*grandchild));
	close(fds[0]);
	close(fds[1]);
	return pid;
}

START_TEST(released_then_killed)
{
	pid_t inner, worker = child_start("crhook", &inner), other;
	uint64_t cpu;
	int status;

	ck_assert_int_eq(stall_cpu(worker, &cpu), 0);
	ck_assert(stall_release(worker));
	/* the hook alone */
	ck_assert_int_eq(waitpid(worker, &status, WNOHANG), 0);
	stall_kill(worker);
	ck_assert_int_eq(waitpid(worker, &status, 0), worker);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	other = child_start("sleeper", &inner);
	ck_assert(!stall_release(other));
	ck_assert_int_eq(kill(inner, 0), 0);
	stall_kill(other);
	ck_assert_int_eq(waitpid(other, &status, 0), other);
	/* one that is gone */
	ck_assert(!stall_release(other));
}
END_TEST

UNIT_MAIN("stall", {progress_starts_anew, false}, {limits, false}, {released_then_killed, false})
