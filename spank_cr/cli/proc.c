/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* proc.c - run another program, bounded in time, and keep what it says */

#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"

/* A running program and the read ends of its stdout and stderr. */
struct child {
	pid_t pid;
	int fd[2];
};

enum { OUTPUT_MAX = 16 << 20, GRACE_MS = 3000, TICK_MS = 20, N_ENV = 8 };

int64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void proc_output_clear(struct proc_output *output)
{
	free(output->text[0]);
	free(output->text[1]);
	*output = (struct proc_output){0};
}

/* Append NAME=VALUE, or nothing when there is no value. */
static int add_variable(char *env[N_ENV], const char *name, const char *value, struct cr_error *err)
{
	size_t n = 0;

	while (env[n])
		n++;
	if (value && asprintf(&env[n], "%s=%s", name, value) < 0) {
		env[n] = NULL;
		return cr_error_sys(err, ENOMEM, "environment of a child");
	}
	return 0;
}

/* SLURM_* of a surrounding job would change what srun does, so nothing but these is handed on. */
static int make_environment(char *env[N_ENV], struct cr_error *err)
{
	static const char *const kept[] = {"HOME", "USER", "LOGNAME", "SLURM_CONF"};

	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
		if (add_variable(env, kept[i], getenv(kept[i]), err) < 0)
			return -1;
	if (add_variable(env, "PATH", "/usr/local/bin:/usr/bin:/bin", err) < 0)
		return -1;
	return add_variable(env, "LC_ALL", "C.UTF-8", err);
}

static void free_environment(char *(*env)[N_ENV])
{
	for (size_t i = 0; i < N_ENV; i++)
		free((*env)[i]);
}

static void run_child(const char *const argv[], char *const env[], int out, int complaints, pid_t parent)
{
	sigset_t none;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	/* What root runs may run as a user in the end, who could trace it, and then type into root's terminal.
	 * Others keep theirs: an interrupt is for the whole command. */
	if (getuid() == 0)
		setsid();
	/* an srun must not outlive the command that waits for it */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent || null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(complaints, 2) < 0)
		_exit(127);
	execve(argv[0], (char *const *)argv, env);
	dprintf(2, "cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

/* One read from fd into text; closes fd at its end. */
static int collect(int *fd, char **text, size_t *size, struct cr_error *err)
{
	char buf[4096], *more;
	ssize_t n = read(*fd, buf, sizeof(buf));

	if (n < 0)
		return errno == EINTR ? 0 : cr_error_sys(err, errno, "read from a child");
	if (n == 0) {
		close(*fd);
		*fd = -1;
		return 0;
	}
	if (*size + (size_t)n > OUTPUT_MAX)
		return cr_error_set(err, E2BIG, "it says more than %d bytes", OUTPUT_MAX);
	more = realloc(*text, *size + (size_t)n + 1);
	if (!more)
		return cr_error_sys(err, ENOMEM, "output of a child");
	memcpy(more + *size, buf, (size_t)n);
	*size += (size_t)n;
	more[*size] = '\0';
	*text = more;
	return 0;
}

static int collect_all(int fd[2], int64_t deadline, struct proc_output *output, struct cr_error *err)
{
	while (fd[0] >= 0 || fd[1] >= 0) {
		struct pollfd fds[2] = {{.fd = fd[0], .events = POLLIN}, {.fd = fd[1], .events = POLLIN}};
		int64_t left = deadline - clock_ms();

		if (left <= 0)
			return cr_error_set(err, ETIMEDOUT, "it has not ended in time");
		if (poll(fds, 2, left > 1000 ? 1000 : (int)left) < 0 && errno != EINTR)
			return cr_error_sys(err, errno, "poll");
		for (int i = 0; i < 2; i++)
			if (fds[i].revents && collect(&fd[i], &output->text[i], &output->size[i], err) < 0)
				return -1;
	}
	return 0;
}

/* Not a pidfd: a login node may have a kernel older than those. */
static int wait_until(pid_t pid, int64_t deadline, int *status)
{
	for (;;) {
		pid_t done = waitpid(pid, status, WNOHANG);

		if (done == pid)
			return 0;
		if ((done < 0 && errno != EINTR) || clock_ms() >= deadline)
			return -1;
		nanosleep(&(struct timespec){.tv_nsec = TICK_MS * 1000000L}, NULL);
	}
}

static void end_child(struct child *child)
{
	int status;

	for (int i = 0; i < 2; i++)
		if (child->fd[i] >= 0)
			close(child->fd[i]);
	if (child->pid <= 0)
		return;
	kill(child->pid, SIGTERM);
	if (wait_until(child->pid, clock_ms() + GRACE_MS, &status) == 0)
		return;
	kill(child->pid, SIGKILL);
	while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
		;
}

static int start_child(const char *const argv[], char *const env[], struct child *child, struct cr_error *err)
{
	cleanup_close int out = -1;
	cleanup_close int complaints = -1;
	pid_t parent = getpid();
	int pair[2];

	if (pipe2(pair, O_CLOEXEC) < 0)
		return cr_error_sys(err, errno, "pipe");
	child->fd[0] = pair[0];
	out = pair[1];
	if (pipe2(pair, O_CLOEXEC) < 0)
		return cr_error_sys(err, errno, "pipe");
	child->fd[1] = pair[0];
	complaints = pair[1];
	child->pid = fork();
	if (child->pid < 0)
		return cr_error_sys(err, errno, "fork");
	if (child->pid == 0)
		run_child(argv, env, out, complaints, parent);
	return 0;
}

/* An empty string for what it did not say, so that callers need not ask. */
static int fill_empty(struct proc_output *output, struct cr_error *err)
{
	for (int i = 0; i < 2; i++) {
		if (!output->text[i])
			output->text[i] = strdup("");
		if (!output->text[i])
			return cr_error_sys(err, ENOMEM, "output of a child");
	}
	return 0;
}

int proc_run(const char *const argv[], int64_t deadline, struct proc_output *output, struct cr_error *err)
{
	__attribute__((cleanup(free_environment))) char *env[N_ENV] = {NULL};
	__attribute__((cleanup(end_child))) struct child child = {.pid = -1, .fd = {-1, -1}};
	int status;

	*output = (struct proc_output){0};
	if (make_environment(env, err) < 0 || fill_empty(output, err) < 0 ||
	    start_child(argv, env, &child, err) < 0 || collect_all(child.fd, deadline, output, err) < 0)
		return cr_error_prefix(err, "%s", argv[0]);
	if (wait_until(child.pid, deadline, &status) < 0) {
		cr_error_set(err, ETIMEDOUT, "it has not ended in time");
		return cr_error_prefix(err, "%s", argv[0]);
	}
	child.pid = -1;
	output->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	return 0;
}

const char *proc_complaint(struct proc_output *output)
{
	char *text = output->text[1], *end = text + output->size[1];

	while (end > text && (end[-1] == '\n' || end[-1] == ' '))
		*--end = '\0';
	while (end > text && end[-1] != '\n')
		end--;
	return *end ? end : "it gave no reason";
}
