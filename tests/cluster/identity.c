/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* identity.c - a process with odd limits, priorities and processors in each of its threads
 *
 * "identity THREADS" says what it is, "ready", waits for the file stop.JOBID, and says it again, then "end". Lines
 * that begin with "first" and "again" are to be the same otherwise.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define THREADS 2000

static cpu_set_t all;
static pid_t tids[THREADS];
static int n_threads;
static pthread_barrier_t barrier;

static void must(int rc, const char *what)
{
	if (rc >= 0)
		return;
	printf("%s: %s\n", what, strerror(errno));
	exit(1);
}

static void file_write(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (!f || fputs(text, f) < 0 || fflush(f) < 0)
		must(-1, path);
	else
		fclose(f);
}

static void file_say(const char *when, const char *path)
{
	char line[256] = "";
	FILE *f = fopen(path, "r");

	if (!f || !fgets(line, sizeof(line), f)) {
		must(-1, path);
		return;
	}
	line[strcspn(line, "\n")] = '\0';
	printf("%s %s %s\n", when, path, line);
	fclose(f);
}

/* The processor that thread i has to itself. */
static cpu_set_t processor(int i)
{
	cpu_set_t one;
	int cpu = 0;

	CPU_ZERO(&one);
	for (i %= CPU_COUNT(&all); i >= 0; cpu++)
		i -= CPU_ISSET(cpu, &all) != 0;
	CPU_SET(cpu - 1, &one);
	return one;
}

static void *thread(void *arg)
{
	int i = (int)(long)arg;
	struct sched_param param = {0};
	cpu_set_t one = processor(i);
	char name[16];

	tids[i] = (pid_t)syscall(SYS_gettid);
	snprintf(name, sizeof(name), "odd-%d", i);
	prctl(PR_SET_NAME, name);
	if (i % 5 == 1)
		must(sched_setscheduler(0, SCHED_BATCH, &param), "SCHED_BATCH");
	if (i % 5 == 2)
		must(sched_setscheduler(0, SCHED_IDLE, &param), "SCHED_IDLE");
	must(setpriority(PRIO_PROCESS, 0, 5 + i % 7), "setpriority");
	must((int)syscall(SYS_ioprio_set, 1, 0, i % 3 ? 2 << 13 | i % 8 : 3 << 13), "ioprio_set");
	if (i % 4)
		must(sched_setaffinity(0, sizeof(one), &one), "sched_setaffinity");
	pthread_barrier_wait(&barrier);
	for (;;)
		pause();
	return NULL;
}

static void thread_say(const char *when, const char *name, pid_t tid)
{
	cpu_set_t set;

	must(sched_getaffinity(tid, sizeof(set), &set), "sched_getaffinity");
	printf("%s thread %s policy %d nice %d ioprio %#lx processors", when, name, sched_getscheduler(tid),
	       getpriority(PRIO_PROCESS, (id_t)tid), syscall(SYS_ioprio_get, 1, tid));
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &set))
			printf(" %d", cpu);
	}
	puts("");
}

static void say(const char *when)
{
	char name[32], cwd[4096];
	gid_t groups[64];
	int n = getgroups(64, groups);
	mode_t mask = umask(0);

	umask(mask);
	for (int r = 0; r < (int)RLIM_NLIMITS; r++) {
		struct rlimit limit;

		must(getrlimit((__rlimit_resource_t)r, &limit), "getrlimit");
		printf("%s limit %d %lld %lld\n", when, r, (long long)limit.rlim_cur, (long long)limit.rlim_max);
	}
	file_say(when, "/proc/self/oom_score_adj");
	file_say(when, "/proc/self/coredump_filter");
	printf("%s umask %03o cwd %s\n", when, mask, getcwd(cwd, sizeof(cwd)));
	printf("%s dumpable %d huge-pages %d no-new-privs %d\n", when, prctl(PR_GET_DUMPABLE),
	       prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	printf("%s groups", when);
	for (int i = 0; i < n; i++)
		printf(" %u", (unsigned)groups[i]);
	puts("");
	thread_say(when, "main", getpid());
	for (int i = 0; i < n_threads; i++) {
		snprintf(name, sizeof(name), "%d", i);
		thread_say(when, name, tids[i]);
	}
}

static void limit(__rlimit_resource_t resource, rlim_t soft, rlim_t hard)
{
	const struct rlimit limit = {soft, hard};

	must(setrlimit(resource, &limit), "setrlimit");
}

static void odd(void)
{
	limit(RLIMIT_NOFILE, 123, 4567);
	limit(RLIMIT_CORE, 0, 1000000);
	limit(RLIMIT_STACK, 4 << 20, 32 << 20);
	limit(RLIMIT_MSGQUEUE, 12345, 23456);
	limit(RLIMIT_CPU, 100000, 200000);
	file_write("/proc/self/oom_score_adj", "456");
	file_write("/proc/self/coredump_filter", "0x15");
	must(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), "PR_SET_THP_DISABLE");
	must(mkdir("/tmp/odd place", 0711), "mkdir");
	must(chdir("/tmp/odd place"), "chdir");
	umask(0137);
	must(setpriority(PRIO_PROCESS, 0, 3), "setpriority");
}

int main(int argc, char *argv[])
{
	char stop[4096], home[2048];
	pthread_attr_t attr;
	pthread_t one;

	n_threads = argc > 1 ? atoi(argv[1]) : 8;
	setvbuf(stdout, NULL, _IOLBF, 0);
	snprintf(stop, sizeof(stop), "%s/stop.%s", getcwd(home, sizeof(home)), getenv("SLURM_JOB_ID"));
	must(sched_getaffinity(0, sizeof(all), &all), "sched_getaffinity");
	pthread_barrier_init(&barrier, NULL, (unsigned)n_threads + 1);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	for (int i = 0; i < n_threads; i++)
		must(-pthread_create(&one, &attr, thread, (void *)(long)i), "pthread_create");
	pthread_barrier_wait(&barrier);
	odd();
	say("first");
	puts("ready");
	while (access(stop, F_OK) < 0)
		usleep(100000);
	say("again");
	puts("end");
	return 0;
}
