/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "../../spank_cr/init/notify.h"

static volatile sig_atomic_t caught;

static void note(int sig)
{
	caught = sig;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* A child that ends with the number of the signal it caught; sig 0: it catches none. */
static pid_t process_start(int sig)
{
	int ready[2];
	pid_t pid;
	char byte;

	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (sig)
			signal(sig, note);
		if (write(ready[1], "r", 1) != 1)
			_exit(0);
		while (!caught)
			usleep(1000);
		_exit(caught);
	}
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static struct job some_job(void)
{
	return (struct job){.id = 4711, .node = "n1", .wire = -1, .log = -1};
}

START_TEST(who_catches_a_signal)
{
	pid_t pid = process_start(SIGUSR1);

	ck_assert(notify_catches(pid, SIGUSR1));
	ck_assert(!notify_catches(pid, SIGUSR2));
	ck_assert(!notify_catches(pid, SIGKILL));
	ck_assert(!notify_catches(pid, 0));
	ck_assert(!notify_catches(pid, 65));
	ck_assert(!notify_catches(INT32_MAX, SIGUSR1));
	kill(pid, SIGKILL);
	pid = process_start(64);
	ck_assert(notify_catches(pid, 64));
	ck_assert(!notify_catches(pid, 63));
	kill(pid, SIGKILL);
}
END_TEST

START_TEST(who_does_not_catch_it_is_left_alone)
{
	pid_t wants = process_start(SIGUSR1), other = process_start(0);
	struct job job = some_job();
	int status;

	/* this process is their parent: it catches nothing itself; while all stand still it is no matter how old
	 */
	ck_assert_uint_eq(notify_still(&job, getpid(), SIGUSR1), 1);
	ck_assert_int_eq(waitpid(wants, &status, 0), wants);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == SIGUSR1);
	ck_assert_int_eq(waitpid(other, &status, WNOHANG), 0);
	kill(other, SIGKILL);
}
END_TEST

/* A program that forks and executes others as fast as it can, and has a handler that they have not. */
static pid_t forker_start(void)
{
	char *const argv[] = {(char *)"true", NULL};
	int ready[2], status;
	pid_t pid;
	char byte;

	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	if (pid != 0) {
		ck_assert_int_eq(read(ready[0], &byte, 1), 1);
		close(ready[0]);
		close(ready[1]);
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGUSR1, note);
	if (write(ready[1], "r", 1) != 1)
		_exit(1);
	for (;;) {
		pid = fork();
		if (pid == 0) {
			execv("/bin/true", argv);
			_exit(0);
		}
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		if (WIFSIGNALED(status))
			_exit(1);
	}
}

/* What notify_running says of two processes that have not executed anything and are younger than half a second;
 * the end of its wait is there already. On a busy machine they may be older by the time of the look: it takes
 * others then. */
static unsigned young_told(const struct job *job, int fds[2], pid_t *old, pid_t *forker)
{
	double from;
	bool settled;
	unsigned told;
	uint64_t start;
	char byte;

	for (int tries = 0; tries < 20; tries++) {
		from = now();
		*old = process_start(SIGUSR1);
		*forker = forker_start();
		settled = notify_settled(*old, &start);
		ck_assert_int_eq(send(fds[1], "h", 1, 0), 1);
		told = notify_running(job, getpid(), SIGUSR1, fds[0]);
		ck_assert_int_eq(recv(fds[0], &byte, 1, 0), 1);
		if (now() - from < 0.45) {
			ck_assert(!settled);
			return told;
		}
		kill(*old, SIGKILL);
		kill(*forker, SIGKILL);
		ck_assert_int_eq(waitpid(*old, NULL, 0), *old);
		ck_assert_int_eq(waitpid(*forker, NULL, 0), *forker);
	}
	ck_abort_msg("no look within half a second of twenty");
	return 0;
}

START_TEST(who_forks_all_the_time)
{
	struct job job = some_job();
	pid_t old, forker;
	uint64_t start;
	int fds[2], status;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	/* as nobody here has executed anything: not yet, and after a while; an end of the wait ends it */
	ck_assert_uint_eq(young_told(&job, fds, &old, &forker), 0);
	ck_assert_uint_eq(notify_running(&job, getpid(), SIGUSR1, fds[0]), 2);
	ck_assert_int_eq(waitpid(old, &status, 0), old);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == SIGUSR1);
	/* none of the others dies of it */
	ck_assert_int_eq(send(fds[1], "h", 1, 0), 1);
	for (int i = 0; i < 300; i++)
		ck_assert_uint_eq(notify_running(&job, getpid(), SIGUSR1, fds[0]), 1);
	ck_assert_int_eq(waitpid(forker, &status, WNOHANG), 0);
	kill(forker, SIGKILL);
	ck_assert(notify_settled(getppid(), &start));
	ck_assert(!notify_settled(INT32_MAX, &start));
}
END_TEST

START_TEST(how_long_the_program_has)
{
	struct job job = some_job();
	double from;
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	job.root = getpid();
	job.signal_before = SIGUSR1;
	job.signal_lead = 30;
	/* nobody is told */
	from = now();
	notify_before(&job, 60, fds[0]);
	ck_assert(now() - from < 10);
	/* as long as asked for, or as there is */
	process_start(SIGUSR1);
	from = now();
	notify_before(&job, 1, fds[0]);
	ck_assert(now() - from >= 1 && now() - from < 10);
	/* until there is a word */
	process_start(SIGUSR1);
	ck_assert_int_eq(send(fds[1], "h", 1, 0), 1);
	from = now();
	notify_before(&job, 60, fds[0]);
	ck_assert(now() - from < 10);
}
END_TEST

UNIT_MAIN("notify", {who_catches_a_signal, false}, {who_does_not_catch_it_is_left_alone, false},
	  {how_long_the_program_has, false}, {who_forks_all_the_time, false})
