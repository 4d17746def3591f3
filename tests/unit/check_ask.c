/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "../../spank_cr/init/ask.h"

/* this test is built with /bin for the directory of Slurm's commands */

static pid_t server;

/* crinit's end of a socket to "crinit ask" */
static struct job ask_start(void)
{
	struct job job = {.cgroup = -1, .log = -1, .wire = -1};
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	server = fork();
	ck_assert_int_ge(server, 0);
	if (server == 0) {
		(void)close(fds[0]);
		job.ask = fds[1];
		_exit(ask_main(&job));
	}
	ck_assert_int_eq(close(fds[1]), 0);
	job.ask = fds[0];
	return job;
}

static void ask_end(const struct job *job)
{
	int status;

	ck_assert_int_eq(close(job->ask), 0);
	ck_assert_int_eq(waitpid(server, &status, 0), server);
	ck_assert_int_eq(status, 0);
}

static int ask(const struct job *job, const char *program, const char *arg, int timeout_ms, char *text,
	       size_t size, struct cr_error *err)
{
	const char *const argv[] = {program, arg, NULL};

	return ask_capture(job, argv, timeout_ms, text, size, err);
}

START_TEST(a_command_answers)
{
	struct job job = ask_start();
	struct cr_error err = {0};
	char text[64];

	unit_assert_ok(ask(&job, "/bin/echo", "a b", 10000, text, sizeof(text), &err), &err);
	ck_assert_str_eq(text, "a b\n");
	unit_assert_ok(ask(&job, "/bin/true", NULL, 10000, text, sizeof(text), &err), &err);
	ck_assert_str_eq(text, "");
	/* what does not fit is cut */
	unit_assert_ok(ask(&job, "/bin/echo", "abcdefgh", 10000, text, 4, &err), &err);
	ck_assert_str_eq(text, "abc");
	ask_end(&job);
}
END_TEST

START_TEST(without_a_server_it_runs_here)
{
	struct job job = {.cgroup = -1, .ask = -1};
	struct cr_error err = {0};
	char text[64];

	unit_assert_ok(ask(&job, "/bin/echo", "here", 10000, text, sizeof(text), &err), &err);
	ck_assert_str_eq(text, "here\n");
}
END_TEST

START_TEST(a_long_answer)
{
	struct job job = ask_start();
	struct cr_error err = {0};
	static char long_arg[4000], text[8192];

	memset(long_arg, 'x', sizeof(long_arg) - 1);
	unit_assert_ok(ask(&job, "/bin/echo", long_arg, 10000, text, sizeof(text), &err), &err);
	ck_assert_uint_eq(strlen(text), sizeof(long_arg));
	ask_end(&job);
}
END_TEST

START_TEST(a_command_fails)
{
	struct job job = ask_start();
	struct cr_error err = {0};
	char text[64];

	ck_assert_int_eq(ask(&job, "/bin/cat", "/none/such", 10000, text, sizeof(text), &err), -1);
	unit_assert_error(&err, EIO, "/none/such: No such file");
	ck_assert_int_eq(ask(&job, "/bin/none-such", NULL, 10000, text, sizeof(text), &err), -1);
	unit_assert_error(&err, ENOENT, "/bin/none-such");
	ask_end(&job);
}
END_TEST

START_TEST(a_server_is_stopped)
{
	struct job job = ask_start();
	struct cr_error err = {0};
	char text[64];
	bool full = false;

	ck_assert_int_eq(kill(server, SIGSTOP), 0);
	/* no answer at first, and then not even room for a request */
	for (int i = 0; i < 1000 && !full; i++) {
		ck_assert_int_eq(ask(&job, "/bin/true", NULL, -1000, text, sizeof(text), &err), -1);
		ck_assert_int_eq(err.errnum, ETIMEDOUT);
		full = strstr(err.text, "takes no request") != NULL;
	}
	ck_assert(full);
	ck_assert_int_eq(kill(server, SIGCONT), 0);
	ask_end(&job);
}
END_TEST

START_TEST(a_command_hangs)
{
	struct job job = ask_start();
	struct cr_error err = {0};
	char text[64];

	ck_assert_int_eq(ask(&job, "/bin/sleep", "1000", 200, text, sizeof(text), &err), -1);
	unit_assert_error(&err, ETIMEDOUT, "/bin/sleep did not answer within ");
	/* and the next one is answered */
	unit_assert_ok(ask(&job, "/bin/echo", "next", 10000, text, sizeof(text), &err), &err);
	ck_assert_str_eq(text, "next\n");
	ask_end(&job);
}
END_TEST

START_TEST(an_answer_that_nobody_read)
{
	struct job job = ask_start();
	struct cr_error err = {0};
	char text[64];
	pid_t worker;

	worker = fork();
	if (worker == 0) {
		(void)ask(&job, "/bin/sleep", "0.3", 10000, text, sizeof(text), &err);
		_exit(0);
	}
	/* killed while it waits */
	(void)usleep(100000);
	ck_assert_int_eq(kill(worker, SIGKILL), 0);
	ck_assert_int_eq(waitpid(worker, NULL, 0), worker);
	unit_assert_ok(ask(&job, "/bin/echo", "mine", 10000, text, sizeof(text), &err), &err);
	ck_assert_str_eq(text, "mine\n");
	ask_end(&job);
}
END_TEST

START_TEST(two_ask_at_once)
{
	struct job job = ask_start();
	struct cr_error err = {0};
	char text[64];
	int status;
	pid_t other;

	other = fork();
	if (other == 0) {
		(void)usleep(100000);
		_exit(ask(&job, "/bin/echo", "other", 10000, text, sizeof(text), &err) < 0 ||
		      strcmp(text, "other\n") != 0);
	}
	/* its answer comes while the other one waits already */
	unit_assert_ok(ask(&job, "/bin/sleep", "0.3", 10000, text, sizeof(text), &err), &err);
	(void)usleep(100000);
	for (int i = 0; i < 20; i++) {
		unit_assert_ok(ask(&job, "/bin/echo", "mine", 10000, text, sizeof(text), &err), &err);
		ck_assert_str_eq(text, "mine\n");
	}
	ck_assert_int_eq(waitpid(other, &status, 0), other);
	ck_assert_int_eq(status, 0);
	ask_end(&job);
}
END_TEST

START_TEST(other_programs_are_refused)
{
	static const char *const others[] = {"/usr/bin/id", "id", "/bin", "/binx/id", "../bin/id", ""};
	struct job job = ask_start();
	struct cr_error err = {0};
	char text[64];

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		ck_assert_int_eq(ask(&job, others[i], NULL, 10000, text, sizeof(text), &err), -1);
		unit_assert_error(&err, EPERM, "not a command of Slurm's");
	}
	ask_end(&job);
}
END_TEST

START_TEST(too_much_is_refused)
{
	static char long_arg[5000];
	const char *argv[32] = {"/bin/echo"};
	struct job job = ask_start();
	struct cr_error err = {0};
	char text[64];

	memset(long_arg, 'x', sizeof(long_arg) - 1);
	ck_assert_int_eq(ask(&job, "/bin/echo", long_arg, 10000, text, sizeof(text), &err), -1);
	unit_assert_error(&err, E2BIG, "too many arguments");
	for (int i = 1; i < 31; i++)
		argv[i] = "x";
	ck_assert_int_eq(ask_capture(&job, argv, 10000, text, sizeof(text), &err), -1);
	unit_assert_error(&err, E2BIG, "too many arguments");
	ask_end(&job);
}
END_TEST

START_TEST(rubbish_is_passed_over)
{
	struct job job = ask_start();
	struct cr_error err = {0};
	static char rubbish[9000];
	char text[64];

	memset(rubbish, 'x', sizeof(rubbish));
	for (size_t n = 1; n <= sizeof(rubbish); n = n * 2 + 1)
		ck_assert_int_eq(send(job.ask, rubbish, n, 0), (ssize_t)n);
	unit_assert_ok(ask(&job, "/bin/echo", "on", 10000, text, sizeof(text), &err), &err);
	ck_assert_str_eq(text, "on\n");
	ask_end(&job);
}
END_TEST

START_TEST(nobody_is_there)
{
	struct job job = ask_start();
	struct cr_error err = {0};
	char text[64];

	ck_assert_int_eq(kill(server, SIGKILL), 0);
	ck_assert_int_eq(waitpid(server, NULL, 0), server);
	ck_assert_int_eq(ask(&job, "/bin/echo", "x", 10000, text, sizeof(text), &err), -1);
	unit_assert_error(&err, EPIPE, "asking Slurm");
	ck_assert_int_eq(close(job.ask), 0);
}
END_TEST

START_TEST(it_stops_in_between)
{
	struct job job = ask_start();
	struct cr_error err = {0};
	char text[64];

	/* it is alive and says nothing: a limit of its own */
	ck_assert_int_eq(kill(server, SIGSTOP), 0);
	ck_assert_int_eq(ask(&job, "/bin/echo", "x", 100, text, sizeof(text), &err), -1);
	unit_assert_error(&err, ETIMEDOUT, "no answer");
	ck_assert_int_eq(kill(server, SIGCONT), 0);
	unit_assert_ok(ask(&job, "/bin/echo", "y", 10000, text, sizeof(text), &err), &err);
	ck_assert_str_eq(text, "y\n");
	ask_end(&job);
}
END_TEST

UNIT_MAIN("ask", {a_command_answers, false}, {without_a_server_it_runs_here, false}, {a_long_answer, false},
	  {a_command_fails, false}, {a_command_hangs, false}, {a_server_is_stopped, false},
	  {an_answer_that_nobody_read, false}, {two_ask_at_once, false}, {other_programs_are_refused, false},
	  {too_much_is_refused, false}, {rubbish_is_passed_over, false}, {nobody_is_there, false},
	  {it_stops_in_between, false})
