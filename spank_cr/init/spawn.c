/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/close_range.h>

#include "caps.h"
#include "cgroup.h"
#include "cleanup.h"
#include "timefmt.h"

static _Noreturn void child_run(const struct spawn *s)
{
	struct cr_error err;
	sigset_t none;
	int null = open("/dev/null", O_RDWR);

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (null < 0 || dup2(null, 0) < 0 || dup2(s->out >= 0 ? s->out : null, 1) < 0 || dup2(1, 2) < 0)
		_exit(126);
	if (s->cgroup >= 0 && cr_cgroup_enter(s->cgroup, &err) < 0) {
		dprintf(2, "%s\n", err.text);
		_exit(126);
	}
	if (syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		_exit(126);
	for (int i = 0; i < SPAWN_PASS && s->pass[i] > 0; i++)
		fcntl(s->pass[i], F_SETFD, 0);
	if (!s->caps && cr_caps_drop(&err) < 0) {
		dprintf(2, "%s\n", err.text);
		_exit(126);
	}
	execve(s->argv[0], (char *const *)s->argv, (char *const *)s->envp);
	dprintf(2, "%s: %s\n", s->argv[0], strerror(errno));
	_exit(127);
}

pid_t spawn_start(const struct spawn *spawn, int *pidfd, struct cr_error *err)
{
	pid_t pid = fork();

	if (pid == 0)
		child_run(spawn);
	if (pid < 0)
		return cr_error_sys(err, errno, "starting %s", spawn->argv[0]);
	if (pidfd) {
		*pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
		if (*pidfd < 0) {
			cr_error_sys(err, errno, "pidfd_open");
			kill(pid, SIGKILL);
			spawn_wait(pid, NULL);
			return -1;
		}
	}
	return pid;
}

int spawn_wait(pid_t pid, struct cr_error *err)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return cr_error_sys(err, errno, "waiting for process %d", (int)pid);
	}
	return status;
}

bool spawn_ended(pid_t pid, int timeout_ms)
{
	static const struct timespec pause = {.tv_nsec = 5 * 1000000L};
	int64_t end = cr_time_clock_ns(CLOCK_MONOTONIC) + timeout_ms * INT64_C(1000000);

	for (;;) {
		pid_t gone = waitpid(pid, NULL, WNOHANG);

		if (gone == pid || (gone < 0 && errno != EINTR))
			return true;
		if (cr_time_clock_ns(CLOCK_MONOTONIC) >= end)
			return false;
		nanosleep(&pause, NULL);
	}
}

static int64_t now_ms(void)
{
	return cr_time_clock_ns(CLOCK_MONOTONIC) / 1000000;
}

/* Read until the end or the deadline. Returns 0 at the end, -1 at the deadline. */
static int output_read(int fd, int64_t deadline, char *buf, size_t size)
{
	size_t used = 0;
	char sink[512];

	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int64_t left = deadline - now_ms();
		bool full = used + 1 >= size;
		ssize_t n;

		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			return -1;
		n = full ? read(fd, sink, sizeof(sink)) : read(fd, buf + used, size - 1 - used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return 0;
		if (!full)
			used += (size_t)n;
		buf[used] = '\0';
	}
}

int spawn_capture(const char *const *argv, const char *const *envp, int cgroup, int pass, int timeout_ms,
		  char *buf, size_t size, struct cr_error *err)
{
	struct spawn s = {.argv = argv, .envp = envp, .cgroup = cgroup, .pass = {pass, -1}};
	cleanup_close int in = -1;
	int fds[2], status;
	char *last;
	pid_t pid;

	buf[0] = '\0';
	if (pipe2(fds, O_CLOEXEC) < 0)
		return cr_error_sys(err, errno, "pipe");
	in = fds[0];
	s.out = fds[1];
	pid = spawn_start(&s, NULL, err);
	close(fds[1]);
	if (pid < 0)
		return -1;
	if (output_read(in, now_ms() + timeout_ms, buf, size) < 0) {
		kill(pid, SIGKILL);
		spawn_wait(pid, NULL);
		return cr_error_set(err, ETIMEDOUT, "%s did not answer within %d ms", argv[0], timeout_ms);
	}
	status = spawn_wait(pid, err);
	if (status == 0)
		return 0;
	if (status < 0)
		return -1;
	for (size_t n = strlen(buf); n > 0 && buf[n - 1] == '\n'; n--)
		buf[n - 1] = '\0';
	last = strrchr(buf, '\n');
	return cr_error_set(err, WEXITSTATUS(status) == 127 ? ENOENT : EIO, "%s",
			    *buf ? (last ? last + 1 : buf) : argv[0]);
}

const char *const *spawn_environment(void)
{
	static char conf[4200];
	static const char *envp[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8",
				     "SLURM_TIME_FORMAT=%s", NULL, NULL};
	const char *path = getenv("SLURM_CONF");

	if (path && !envp[3] && snprintf(conf, sizeof(conf), "SLURM_CONF=%s", path) < (int)sizeof(conf))
		envp[3] = conf;
	return envp;
}
