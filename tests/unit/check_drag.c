/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "../../libcrcore/proc.h"
#include "../../libcrcore/timefmt.h"
#include "../../spank_cr/init/drag.h"

/* A process that works for so much processor time, in a child of its own that it waits for, and then sleeps. */
static pid_t busy(int64_t ms)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid > 0)
		return pid;
	pid = fork();
	if (pid == 0) {
		while (cr_time_clock_ns(CLOCK_PROCESS_CPUTIME_ID) < ms * 1000000)
			;
		_exit(0);
	}
	(void)waitpid(pid, NULL, 0);
	for (;;)
		(void)pause();
}

static void end(pid_t pid)
{
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

/* A checkpoint of pid: it worked for so many ticks before, and not at all while it was written, which took
 * drain_s. The times are made up, the processor time is not. */
static void stopped(struct drag *d, pid_t pid, uint64_t worked, struct cr_cost *cost, int64_t drain_s)
{
	const struct timespec moment = {.tv_nsec = 20 * 1000000};

	drag_mark(d, pid, 1);
	while (cr_proc_cpu_family(pid) < worked)
		ck_assert_int_eq(nanosleep(&moment, NULL), 0);
	drag_begun(d, pid, 2000000001);
	ck_assert_int_eq(kill(pid, SIGSTOP), 0);
	(void)waitpid(pid, NULL, WUNTRACED);
	drag_thawed(d, pid, 2000000001);
	drag_committed(d, pid, 2000000001 + drain_s * 1000000000, cost);
}

START_TEST(a_job_that_gets_nothing)
{
	struct cr_cost cost = {0};
	struct drag d = {0};
	pid_t pid = busy(300);

	stopped(&d, pid, 25, &cost, 10);
	ck_assert_msg(d.before > 0.05 && d.before <= 0.4, "%f", d.before);
	ck_assert_msg(cr_cost_slowdown(&cost, 100) > 0.9, "%f", cr_cost_slowdown(&cost, 100));
	end(pid);
}
END_TEST

START_TEST(an_idle_job_tells_nothing)
{
	struct cr_cost cost = {0};
	struct drag d = {0};
	pid_t pid = busy(0);

	stopped(&d, pid, 0, &cost, 10);
	ck_assert(cr_cost_slowdown(&cost, 100) == 0.1);
	end(pid);
}
END_TEST

START_TEST(a_job_that_is_gone_tells_nothing)
{
	struct cr_cost cost = {0};
	struct drag d = {0};
	pid_t pid = busy(0);

	end(pid);
	drag_mark(&d, pid, 1);
	drag_begun(&d, pid, 2000000001);
	drag_thawed(&d, pid, 2000000001);
	drag_committed(&d, pid, 12000000001, &cost);
	ck_assert(cr_cost_slowdown(&cost, 100) == 0.1);
}
END_TEST

START_TEST(no_word_before_the_first_mark)
{
	struct cr_cost cost = {0};
	struct drag d = {0};

	drag_committed(&d, getpid(), 1000000000, &cost);
	ck_assert(cr_cost_slowdown(&cost, 100) == 0.1);
}
END_TEST

UNIT_MAIN("drag", {a_job_that_gets_nothing, false}, {an_idle_job_tells_nothing, false},
	  {a_job_that_is_gone_tells_nothing, false}, {no_word_before_the_first_mark, false})
