/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* Each limit so low that whoever works under it notices, in a process of its own; soft ones, and hard ones. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
	const char *name;
	int resource;
	rlim_t soft, hard;
} limits[] = {
	{"fsize", RLIMIT_FSIZE, 0, 0},
	{"fsize-soft", RLIMIT_FSIZE, 0, 1 << 20},
	{"fsize-64k", RLIMIT_FSIZE, 65536, 65536},
	{"nofile", RLIMIT_NOFILE, 24, 24},
	{"nofile-soft", RLIMIT_NOFILE, 20, 64},
	{"core", RLIMIT_CORE, 0, 0},
	{"cpu", RLIMIT_CPU, 5, 10},
	{"data", RLIMIT_DATA, 4 << 20, 4 << 20},
	{"stack", RLIMIT_STACK, 65536, 65536},
	{"as", RLIMIT_AS, 16 << 20, 16 << 20},
	{"as-soft", RLIMIT_AS, 16 << 20, 64 << 20},
	{"nproc", RLIMIT_NPROC, 1, 1},
	{"memlock", RLIMIT_MEMLOCK, 0, 0},
	{"sigpending", RLIMIT_SIGPENDING, 0, 0},
	{"rss", RLIMIT_RSS, 4096, 4096},
	{"msgqueue", RLIMIT_MSGQUEUE, 0, 0},
};

#define N (sizeof(limits) / sizeof(limits[0]))

/* It waits for the end of the gate, and tells what its limit is then. */
static _Noreturn void limited(size_t i, int gate, int ready)
{
	struct rlimit limit = {limits[i].soft, limits[i].hard};
	char byte;

	if (setrlimit(limits[i].resource, &limit) < 0 || write(ready, "r", 1) != 1)
		_exit(2);
	(void)!read(gate, &byte, 1);
	if (getrlimit(limits[i].resource, &limit) < 0)
		_exit(3);
	_exit(limit.rlim_cur == limits[i].soft && limit.rlim_max == limits[i].hard ? 0 : 4);
}

int main(void)
{
	int gate[2], ready[2], status;
	pid_t pids[N];
	char byte;
	FILE *f;

	if (pipe(gate) < 0 || pipe(ready) < 0)
		return 1;
	for (size_t i = 0; i < N; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			close(gate[1]);
			limited(i, gate[0], ready[1]);
		}
	}
	for (size_t i = 0; i < N; i++)
		if (read(ready[0], &byte, 1) != 1)
			return 1;
	close(open("ready", O_CREAT | O_WRONLY, 0644));
	while (access("go", F_OK) < 0)
		usleep(100000);
	close(gate[1]);
	f = fopen("result", "w");
	for (size_t i = 0; i < N; i++) {
		waitpid(pids[i], &status, 0);
		fprintf(f, "%s: %s %d\n", limits[i].name, WIFSIGNALED(status) ? "signal" : "exit",
			WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	}
	fclose(f);
	return 0;
}
