/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* Children that are stopped, by each signal that does, and what their parent hears of it: of some before the
 * checkpoint, of the others after it, of all once. */

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
	int sig;
	int early, threads;
} ways[] = {
	{SIGSTOP, 1, 0}, {SIGTSTP, 1, 0}, {SIGTTIN, 1, 0}, {SIGTTOU, 1, 0},
	{SIGSTOP, 0, 0}, {SIGTSTP, 0, 0}, {SIGSTOP, 1, 3}, {SIGSTOP, 0, 3},
};

#define N (sizeof(ways) / sizeof(ways[0]))

static volatile sig_atomic_t heard;

static void child_heard(int sig)
{
	(void)sig;
	heard++;
}

static void *thread_wait(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static _Noreturn void child_run(size_t i, int ready)
{
	pthread_t thread;

	for (int t = 0; t < ways[i].threads; t++)
		pthread_create(&thread, NULL, thread_wait, NULL);
	if (write(ready, "r", 1) != 1)
		_exit(1);
	thread_wait(NULL);
	_exit(2);
}

/* What wait(2) has to tell at once: 0, or how it is told. */
static int told(pid_t pid)
{
	siginfo_t info = {0};

	waitid(P_PID, (id_t)pid, &info, WEXITED | WSTOPPED | WCONTINUED | WNOHANG);
	return info.si_pid == pid ? info.si_code : 0;
}

int main(void)
{
	struct sigaction action = {.sa_handler = child_heard, .sa_flags = SA_RESTART};
	pid_t pids[N];
	siginfo_t info;
	int ready[2];
	char byte;
	FILE *f;

	if (pipe(ready) < 0)
		return 1;
	for (size_t i = 0; i < N; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			child_run(i, ready[1]);
		if (read(ready[0], &byte, 1) != 1)
			return 1;
		kill(pids[i], ways[i].sig);
		waitid(P_PID, (id_t)pids[i], &info, WSTOPPED | (ways[i].early ? 0 : WNOWAIT));
	}
	sigaction(SIGCHLD, &action, NULL);
	close(open("ready", O_CREAT | O_WRONLY, 0644));
	while (access("go", F_OK) < 0)
		usleep(100000);
	f = fopen("told", "w");
	for (size_t i = 0; i < N; i++) {
		int first = told(pids[i]), second = told(pids[i]);

		fprintf(f, "signal %d%s: stopped %d, then %d", ways[i].sig, ways[i].threads ? " threads" : "",
			first == CLD_STOPPED, second);
		kill(pids[i], SIGCONT);
		waitid(P_PID, (id_t)pids[i], &info, WCONTINUED);
		kill(pids[i], SIGTERM);
		waitid(P_PID, (id_t)pids[i], &info, WEXITED);
		fprintf(f, ", ended by %d\n", info.si_status);
	}
	fclose(f);
	return 0;
}
