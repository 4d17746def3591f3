/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* high.c - files at the top of the hard limit, in a process without a vDSO and in one that has none of that */

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct rlimit limit;

/* libc's own sleeping would call the vDSO */
static void gate(void)
{
	struct timespec pause = {.tv_nsec = 100000000};

	while (access("go", F_OK) < 0)
		syscall(SYS_nanosleep, &pause, NULL);
}

static void vdso_remove(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long from[8], to[8];
	char line[512];
	int n = 0;

	while (f && fgets(line, sizeof(line), f)) {
		if ((strstr(line, "[vdso]") || strstr(line, "[vvar")) && n < 8)
			n += sscanf(line, "%lx-%lx", &from[n], &to[n]) == 2;
	}
	if (f)
		fclose(f);
	for (int i = 0; i < n; i++)
		munmap((void *)from[i], to[i] - from[i]);
}

static int work(const char *who)
{
	char name[32], text[32] = "", link[64];
	struct rlimit now;
	int fds[3] = {(int)limit.rlim_max - 1, (int)limit.rlim_max - 2, (int)limit.rlim_max - 17};
	FILE *f;

	snprintf(name, sizeof(name), "file.%s", who);
	for (int i = 0; i < 3; i++) {
		int fd = open(name, O_RDWR | O_CREAT | O_APPEND, 0600);

		if (dup2(fd, fds[i]) < 0)
			return 2;
		close(fd);
	}
	snprintf(name, sizeof(name), "ready.%s", who);
	close(open(name, O_CREAT | O_WRONLY, 0600));
	gate();
	for (int i = 0; i < 3; i++) {
		if (write(fds[i], who, 1) != 1)
			return 3;
	}
	if (pread(fds[0], text, sizeof(text) - 1, 0) < 0 || getrlimit(RLIMIT_NOFILE, &now) < 0)
		return 4;
	snprintf(link, sizeof(link), "result.%s", who);
	f = fopen(link, "w");
	if (!f)
		return 5;
	fprintf(f, "%s, limits %llu and %llu\n", text, (unsigned long long)now.rlim_cur,
		(unsigned long long)now.rlim_max);
	return fclose(f);
}

int main(void)
{
	int status;
	pid_t pid;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	pid = fork();
	if (pid == 0)
		_exit(work("plain"));
	vdso_remove();
	while (access("ready.plain", F_OK) < 0)
		usleep(10000);
	pid = fork();
	if (pid == 0)
		_exit(work("bare"));
	while (access("ready.bare", F_OK) < 0)
		usleep(10000);
	close(open("ready", O_CREAT | O_WRONLY, 0600));
	for (int i = 0; i < 2; i++) {
		if (wait(&status) < 0 || status)
			return 1;
	}
	return execlp("sh", "sh", "-c", "cat result.plain result.bare >result", NULL);
}
