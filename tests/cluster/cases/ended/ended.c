/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* Children that have ended in every way, and are asked for it at the end only: exit statuses, signals, with a core
 * and without; leaders of sessions and of groups that live on. */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum how { PLAIN, SESSION, GROUP, CORE };

static const struct {
	int code, sig;
	enum how how;
} ways[] = {
	{.code = 0},
	{.code = 1},
	{.code = 2},
	{.code = 7},
	{.code = 64},
	{.code = 126},
	{.code = 127},
	{.code = 128},
	{.code = 129},
	{.code = 130},
	{.code = 137},
	{.code = 200},
	{.code = 254},
	{.code = 255},
	{.sig = SIGHUP},
	{.sig = SIGINT},
	{.sig = SIGKILL},
	{.sig = SIGUSR1},
	{.sig = SIGTERM},
	{.sig = SIGALRM},
	{.sig = SIGPIPE},
	{.sig = SIGXCPU},
	{.sig = SIGSYS},
	{.sig = 34},
	{.sig = 50},
	{.sig = 64},
	{.sig = SIGSEGV},
	{.sig = SIGABRT},
	{.sig = SIGSEGV, .how = CORE},
	{.sig = SIGABRT, .how = CORE},
	{.code = 255, .how = SESSION},
	{.sig = SIGTERM, .how = SESSION},
	{.code = 128, .how = GROUP},
	{.sig = SIGKILL, .how = GROUP},
};

#define N (sizeof(ways) / sizeof(ways[0]))

static int gate[2]; /* a leader ends when its group has another member */

static _Noreturn void end(size_t i)
{
	struct rlimit none = {1, 1};
	char byte;

	if (ways[i].how == SESSION)
		setsid();
	if (ways[i].how == GROUP && read(gate[0], &byte, 1) != 1)
		_exit(99);
	if (ways[i].how != CORE)
		setrlimit(RLIMIT_CORE, &none);
	if (ways[i].sig)
		raise(ways[i].sig);
	_exit(ways[i].code);
}

/* Each group has a member that lives on, and is to be reached by it. */
static pid_t member_start(pid_t leader)
{
	pid_t pid = fork();

	if (pid == 0) {
		setpgid(0, leader);
		for (;;)
			pause();
	}
	setpgid(pid, leader);
	return pid;
}

static void told(FILE *f, size_t i, pid_t pid)
{
	siginfo_t info = {0};
	int status = -1;

	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	waitpid(pid, &status, 0);
	fprintf(f, "%zu: %s %d%s, %d %d\n", i, WIFSIGNALED(status) ? "signal" : "exit",
		WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), WCOREDUMP(status) ? " core" : "",
		info.si_code, info.si_status);
}

int main(void)
{
	pid_t pids[N], members[N] = {0};
	FILE *f;

	if (pipe(gate) < 0)
		return 1;
	for (size_t i = 0; i < N; i++) {
		siginfo_t info;

		pids[i] = fork();
		if (pids[i] == 0)
			end(i);
		if (ways[i].how == GROUP) {
			setpgid(pids[i], pids[i]);
			members[i] = member_start(pids[i]);
			if (write(gate[1], "g", 1) != 1)
				return 1;
		}
		waitid(P_PID, (id_t)pids[i], &info, WEXITED | WNOWAIT);
	}
	close(open("ready", O_CREAT | O_WRONLY, 0644));
	while (access("go", F_OK) < 0)
		usleep(100000);
	f = fopen("result", "w");
	if (!f)
		return 1;
	for (size_t i = 0; i < N; i++) {
		told(f, i, pids[i]);
		if (members[i]) {
			fprintf(f, "its group: %d\n", killpg(pids[i], SIGTERM));
			told(f, i, members[i]);
		}
	}
	fclose(f);
	return 0;
}
