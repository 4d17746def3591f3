/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* placed.c - memory policies of processes, of a thread and of ranges, private, shared and of a file, also reserved
 * ones and such as a child has changed; ranges locked on fault, personalities: those of a parent, of a child that
 * has inherited some, of one that has none, and of one that is stopped. On a machine with one node the modes are
 * what can be told apart. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE (256ul << 10)

static unsigned long one = 1;
static char *bound, *preferred, *plain, *onfault, *locked, *reserved, *shared, *mapped;
static int of_thread = -1;

static char *map(bool fill)
{
	char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	/* not to be joined with the next one */
	(void)mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		_exit(2);
	memset(p, 1, fill ? SIZE : 4096);
	return p;
}

static int mode_of(void *at)
{
	int mode = -1;

	return syscall(SYS_get_mempolicy, &mode, NULL, 0, at, at ? MPOL_F_ADDR : 0) < 0 ? -2 : mode;
}

/* " lo lf" of the line VmFlags:, and how much of it is in memory */
static void locked_print(FILE *f, const char *name, const void *at)
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	unsigned long start, end, rss = 0;
	bool in = false;
	char line[512];

	while (smaps && fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			in = start <= (unsigned long)at && (unsigned long)at < end;
		if (in)
			(void)sscanf(line, "Rss: %lu", &rss);
		if (in && strncmp(line, "VmFlags:", 8) == 0)
			fprintf(f, "%s:%s%s, %lu KiB\n", name, strstr(line, " lo") ? " locked" : "",
				strstr(line, " lf") ? " on fault" : "", rss);
	}
	if (smaps)
		fclose(smaps);
}

static void print(FILE *f, const char *who)
{
	fprintf(f, "%s: policy %d, of ranges %d %d %d, %d %d %d, personality %#x\n", who, mode_of(NULL),
		mode_of(bound), mode_of(preferred), mode_of(plain), mode_of(reserved), mode_of(shared),
		mode_of(mapped), (unsigned)personality(0xffffffff));
}

static void gate(void)
{
	while (access("go", F_OK) < 0)
		usleep(100000);
}

static void *thread_run(void *ready)
{
	syscall(SYS_set_mempolicy, MPOL_BIND, &one, 64);
	*(volatile bool *)ready = true;
	gate();
	of_thread = mode_of(NULL);
	return NULL;
}

/* none: without any of it; stopped: and it does not go on by itself */
static pid_t child(const char *who, bool none, bool stopped)
{
	char path[64];
	pid_t pid = fork();
	FILE *f;

	if (pid)
		return pid;
	if (none) {
		syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0);
		personality(PER_LINUX);
		/* what it shares with its parent has another policy here */
		syscall(SYS_mbind, bound, SIZE, MPOL_PREFERRED, &one, 64, 0);
	}
	snprintf(path, sizeof(path), "ready.%s", who);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	if (stopped)
		raise(SIGSTOP);
	gate();
	snprintf(path, sizeof(path), "result.%s", who);
	f = fopen(path, "w");
	if (!f)
		_exit(1);
	print(f, who);
	fclose(f);
	_exit(0);
}

static void wait_for(const char *path)
{
	while (access(path, F_OK) < 0)
		usleep(10000);
}

static int places_set(void)
{
	int file = open("mapped", O_CREAT | O_RDWR | O_TRUNC, 0600);

	plain = map(true);
	bound = map(true);
	preferred = map(true);
	onfault = map(false);
	locked = map(true);
	reserved = mmap(NULL, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	shared = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (ftruncate(file, SIZE))
		return -1;
	mapped = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
	return syscall(SYS_set_mempolicy, MPOL_INTERLEAVE | MPOL_F_STATIC_NODES, &one, 64) ||
			       syscall(SYS_mbind, bound, SIZE, MPOL_BIND, &one, 64, 0) ||
			       syscall(SYS_mbind, preferred, SIZE, MPOL_PREFERRED, &one, 64, 0) ||
			       syscall(SYS_mbind, reserved, SIZE, MPOL_BIND, &one, 64, 0) ||
			       syscall(SYS_mbind, shared, SIZE, MPOL_PREFERRED, &one, 64, 0) ||
			       syscall(SYS_mbind, mapped, SIZE, MPOL_BIND, &one, 64, 0) ||
			       mlock2(onfault, SIZE, MLOCK_ONFAULT) || mlock(locked, SIZE)
		       ? -1
		       : 0;
}

static void result_write(void)
{
	FILE *f = fopen("result.parent", "w");

	if (!f)
		_exit(3);
	print(f, "parent");
	fprintf(f, "its thread: policy %d\n", of_thread);
	locked_print(f, "onfault", onfault);
	locked_print(f, "locked", locked);
	fclose(f);
}

int main(void)
{
	volatile bool ready = false;
	pthread_t thread;
	pid_t pids[3];
	int status;

	if (places_set() < 0) {
		perror("placed");
		return 2;
	}
	pids[0] = child("same", false, false);
	pids[1] = child("none", true, false);
	pids[2] = child("stopped", false, true);
	wait_for("ready.same");
	wait_for("ready.none");
	waitpid(pids[2], &status, WUNTRACED);
	pthread_create(&thread, NULL, thread_run, (void *)&ready);
	while (!ready)
		usleep(10000);
	close(open("ready", O_CREAT | O_WRONLY, 0600));
	gate();
	kill(pids[2], SIGCONT);
	for (int i = 0; i < 3; i++)
		waitpid(pids[i], NULL, 0);
	pthread_join(thread, NULL);
	result_write();
	return execlp("sh", "sh", "-c", "cat result.parent result.same result.none result.stopped >result", NULL);
}
