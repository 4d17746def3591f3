/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "../../libcrcore/listen.h"
#include "../../spank_cr/init/hook.h"

static char actions[256]; /* what on_action was called for, blank-separated */

static pid_t player; /* who calls */

static int on_action(const char *action, pid_t caller, void *arg)
{
	size_t used = strlen(actions);

	ck_assert_int_eq(caller, player);
	(void)snprintf(actions + used, sizeof(actions) - used, "%s ", action);
	return strcmp(action, arg ? (const char *)arg : "never") == 0 ? -1 : 0;
}

/* ---- what plays criu: a process that calls, and reports in its exit status
 * ---- */

static int caller_connect(void)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	(void)snprintf(to.sun_path, sizeof(to.sun_path), "%s", unit_path("hook.sock"));
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		_exit(100);
	return fd;
}

/* As crhook does. Returns its answer, or 200 when there is none. */
static int call_with(const char *token, const char *action, size_t size)
{
	char packet[8192] = {0};
	struct hook_call call = {0};
	unsigned char answer;
	int fd = caller_connect();

	(void)snprintf(call.token, sizeof(call.token), "%s", token);
	(void)snprintf(call.action, sizeof(call.action), "%s", action);
	memcpy(packet, &call, sizeof(call));
	if (send(fd, packet, size, MSG_NOSIGNAL) != (ssize_t)size)
		_exit(101);
	if (recv(fd, &answer, 1, 0) != 1)
		answer = 200;
	close(fd);
	return answer;
}

static int call(const char *token, const char *action)
{
	return call_with(token, action, sizeof(struct hook_call));
}

/* Serve what a child does until it ends; returns its exit status. */
static int serve(struct hook *hook, int (*play)(const struct hook *hook), const char *fail_at)
{
	struct cr_error err = {0};
	char at[64] = "";
	int status, pidfd;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(play(hook));
	player = pid;
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	ck_assert_int_ge(pidfd, 0);
	if (fail_at)
		(void)snprintf(at, sizeof(at), "%s", fail_at);
	actions[0] = '\0';
	unit_assert_ok(hook_serve(hook, pidfd, on_action, fail_at ? at : NULL, &err), &err);
	close(pidfd);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void hook_setup(struct hook *hook)
{
	struct cr_error err = {0};
	int fd = cr_listen(unit_dir, CR_LISTEN_HOOK, SOCK_SEQPACKET, getuid(), getgid(), &err);

	ck_assert_msg(fd >= 0, "%s", err.text);
	unit_assert_ok(hook_open(hook, fd, &err), &err);
	ck_assert_int_eq(hook->fd, fd);
}

START_TEST(tokens)
{
	struct hook a = {0}, b = {0};

	hook_setup(&a);
	ck_assert_uint_eq(strlen(a.token), 32);
	ck_assert_uint_eq(strspn(a.token, "0123456789abcdef"), 32);
	/* none comes twice */
	hook_setup(&b);
	ck_assert_str_ne(a.token, b.token);
}
END_TEST

static int play_well(const struct hook *hook)
{
	static const char *const points[] = {"pre-dump", "network-lock", "post-dump"};

	for (int i = 0; i < 3; i++) {
		if (call(hook->token, points[i]) != 0)
			return 1;
	}
	return 7;
}

START_TEST(calls_are_served)
{
	struct hook hook = {0};

	hook_setup(&hook);
	ck_assert_int_eq(serve(&hook, play_well, NULL), 7);
	ck_assert_str_eq(actions, "pre-dump network-lock post-dump ");
	/* what fails tells criu so */
	ck_assert_int_eq(serve(&hook, play_well, "network-lock"), 1);
	ck_assert_str_eq(actions, "pre-dump network-lock ");
}
END_TEST

/* The worker's struct hook is on its stack: nothing but hook_open makes it
 * clean. */
START_TEST(calls_are_served_on_a_used_stack)
{
	struct hook hook;

	memset(&hook, 0xaa, sizeof(hook));
	hook_setup(&hook);
	ck_assert_int_eq(serve(&hook, play_well, NULL), 7);
}
END_TEST

static int play_wrong_tokens(const struct hook *hook)
{
	char token[40];
	int refused = 0;

	refused += call("", "post-dump") == 1;
	refused += call("00000000000000000000000000000000", "post-dump") == 1;
	/* part of it, more than it, one digit off */
	for (size_t at = 31; at <= 32; at++) {
		memcpy(token, hook->token, sizeof(token));
		token[at] = at == 31 ? '\0' : '0';
		token[33] = '\0';
		refused += call(token, "post-dump") == 1;
	}
	memcpy(token, hook->token, sizeof(token));
	token[31] = token[31] == '0' ? '1' : '0';
	refused += call(token, "post-dump") == 1;
	return refused;
}

START_TEST(wrong_tokens)
{
	struct hook hook = {0};

	hook_setup(&hook);
	ck_assert_int_eq(serve(&hook, play_wrong_tokens, NULL), 5);
	ck_assert_str_eq(actions, "");
}
END_TEST

static int play_odd_sizes(const struct hook *hook)
{
	int unanswered = 0, refused;

	/* too short: no call at all */
	for (size_t size = 1; size < sizeof(struct hook_call); size += 13)
		unanswered += call_with(hook->token, "post-dump", size) == 200;
	if (unanswered != 7)
		return 50 + unanswered;
	/* too long, and without the token */
	refused = call_with("x", "post-dump", 4096);
	if (refused != 1 && refused != 200)
		return 2;
	/* and then the real one is served */
	return call(hook->token, "post-resume") == 0 ? 7 : 3;
}

START_TEST(odd_sizes)
{
	struct hook hook = {0};

	ck_assert_uint_eq(sizeof(struct hook_call), 80);
	hook_setup(&hook);
	ck_assert_int_eq(serve(&hook, play_odd_sizes, NULL), 7);
	ck_assert_str_eq(actions, "post-resume ");
}
END_TEST

static int play_unterminated(const struct hook *hook)
{
	struct hook_call odd;
	unsigned char answer = 9;
	int fd = caller_connect();

	memset(&odd, 'a', sizeof(odd));
	memcpy(odd.token, hook->token, sizeof(odd.token));
	if (send(fd, &odd, sizeof(odd), MSG_NOSIGNAL) != sizeof(odd) || recv(fd, &answer, 1, 0) != 1)
		return 1;
	return answer;
}

START_TEST(action_without_an_end)
{
	struct hook hook = {0};

	hook_setup(&hook);
	ck_assert_int_eq(serve(&hook, play_unterminated, NULL), 0);
	ck_assert_uint_eq(strlen(actions), sizeof(((struct hook_call *)NULL)->action)); /* 39 and the blank */
}
END_TEST

static int play_silent(const struct hook *hook)
{
	int silent = caller_connect(), gone = caller_connect();
	int rc;

	close(gone);
	rc = call(hook->token, "post-dump");
	close(silent);
	return rc == 0 ? 7 : 1;
}

START_TEST(silent_callers)
{
	struct timespec from, to;
	struct hook hook = {0};

	hook_setup(&hook);
	ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &from), 0);
	ck_assert_int_eq(serve(&hook, play_silent, NULL), 7);
	ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &to), 0);
	ck_assert_str_eq(actions, "post-dump ");
	/* held up, and not for long */
	ck_assert_int_lt(to.tv_sec - from.tv_sec, 30);
}
END_TEST

static int play_nothing(const struct hook *hook)
{
	(void)hook;
	return 3;
}

START_TEST(ends_without_a_call)
{
	struct hook hook = {0};

	hook_setup(&hook);
	ck_assert_int_eq(serve(&hook, play_nothing, NULL), 3);
	ck_assert_str_eq(actions, "");
}
END_TEST

static int play_unserved(const struct hook *hook)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char byte;

	(void)hook;
	(void)snprintf(to.sun_path, sizeof(to.sun_path), "%s", unit_path(CR_LISTEN_SERVE));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		return 1;
	/* it may have been hung up on already */
	(void)send(fd, "x", 1, MSG_NOSIGNAL);
	return recv(fd, &byte, 1, 0) <= 0 ? 7 : 2;
}

/* The image process is gone before it has accepted criu. */
START_TEST(nobody_to_serve)
{
	struct cr_error err = {0};
	struct hook hook = {0};
	int fds[2], listening;

	hook_setup(&hook);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	close(fds[1]);
	listening = cr_listen(unit_dir, CR_LISTEN_SERVE, SOCK_STREAM, getuid(), getgid(), &err);
	ck_assert_int_ge(listening, 0);
	hook_watch(&hook, fds[0], listening);
	ck_assert_int_eq(serve(&hook, play_unserved, NULL), 7);
}
END_TEST

UNIT_MAIN("hook", {tokens, true}, {calls_are_served, true}, {calls_are_served_on_a_used_stack, true},
	  {wrong_tokens, true}, {odd_sizes, true}, {action_without_an_end, true}, {silent_callers, true},
	  {ends_without_a_call, true}, {nobody_to_serve, true})
