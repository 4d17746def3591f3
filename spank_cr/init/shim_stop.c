/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "shim_stop.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MS	    2000 /* for a thread to come to its next stop */
#define SIGNAL_MS   20	 /* for a signal that may not come */
#define THREADS_MAX 4096
#define STOPS_MAX   16

#define BIT(sig) (UINT64_C(1) << ((sig) - 1))

static long call(const struct shim_stop_calls *calls, int request, pid_t pid, unsigned long addr, const void *data)
{
	return calls->ptrace(request, pid, (void *)addr, (void *)(uintptr_t)data);
}

/* The next stop of a thread; -1 when it takes too long. */
static int stop_wait(pid_t tid)
{
	for (int i = 0; i < WAIT_MS; i++) {
		int status;
		pid_t got = waitpid(tid, &status, __WALL | WNOHANG);

		if (got == tid)
			return WIFSTOPPED(status) ? status : -1;
		if (got < 0)
			return -1;
		usleep(1000);
	}
	return -1;
}

static pid_t parent_of(pid_t pid)
{
	char path[64], line[1024], *tail;
	int parent = 0, fd;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd >= 0 ? read(fd, line, sizeof(line) - 1) : 0;
	if (fd >= 0)
		close(fd);
	line[n > 0 ? n : 0] = '\0';
	tail = strrchr(line, ')');
	return tail && sscanf(tail, ") %*c %d", &parent) == 1 ? parent : 0;
}

/* Its other threads; how many. */
static int threads_of(pid_t pid, pid_t tids[THREADS_MAX])
{
	char path[64];
	struct dirent *e;
	DIR *d;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	d = opendir(path);
	while (d && n < THREADS_MAX && (e = readdir(d)))
		if (isdigit((unsigned char)e->d_name[0]) && atoi(e->d_name) != pid)
			tids[n++] = atoi(e->d_name);
	if (d)
		closedir(d);
	return n;
}

/* Is a SIGCHLD pending for the process? */
static int child_signal(const struct shim_stop_calls *calls, pid_t pid)
{
	struct __ptrace_peeksiginfo_args args = {.flags = PTRACE_PEEKSIGINFO_SHARED, .nr = 1};
	siginfo_t info = {0};

	for (; call(calls, PTRACE_PEEKSIGINFO, pid, (unsigned long)&args, &info) == 1; args.off++)
		if (info.si_signo == SIGCHLD)
			return 1;
	return 0;
}

static int mask_get(const struct shim_stop_calls *calls, pid_t pid, uint64_t *mask)
{
	*mask = 0;
	return call(calls, PTRACE_GETSIGMASK, pid, sizeof(*mask), mask) < 0 ? -1 : 0;
}

static int mask_set(const struct shim_stop_calls *calls, pid_t pid, uint64_t mask)
{
	return call(calls, PTRACE_SETSIGMASK, pid, sizeof(mask), &mask) < 0 ? -1 : 0;
}

/* ---- into the stop ---- */

/* Nothing else that is pending is to be delivered on the way. */
static int stop_enter(const struct shim_stop_calls *calls, pid_t pid, int sig)
{
	static pid_t tids[THREADS_MAX];
	int status, n = threads_of(pid, tids);
	uint64_t mask;

	if (mask_get(calls, pid, &mask) < 0 || mask_set(calls, pid, ~BIT(sig)) < 0)
		return -1;
	status = call(calls, PTRACE_CONT, pid, 0, NULL) < 0 ? -1 : stop_wait(pid);
	if (status < 0 || status >> 16 || WSTOPSIG(status) != sig ||
	    call(calls, PTRACE_CONT, pid, 0, (void *)(intptr_t)sig) < 0) {
		(void)mask_set(calls, pid, mask);
		return -1;
	}
	status = stop_wait(pid);
	for (int i = 0; i < n; i++) {
		uint64_t own;

		if (mask_get(calls, tids[i], &own) < 0 || mask_set(calls, tids[i], ~UINT64_C(0)) < 0 ||
		    call(calls, PTRACE_CONT, tids[i], 0, NULL) < 0 || stop_wait(tids[i]) < 0)
			status = -1;
		(void)mask_set(calls, tids[i], own);
	}
	(void)mask_set(calls, pid, mask);
	return status >= 0 && status >> 16 == PTRACE_EVENT_STOP && WSTOPSIG(status) == sig ? 0 : -1;
}

/* ---- a system call in the parent's name ---- */

#ifdef __x86_64__

#define INSTRUCTION "\x0f\x05"

typedef struct user_regs_struct registers;

static int registers_get(const struct shim_stop_calls *calls, pid_t pid, registers *r)
{
	/* 64-bit code only */
	return call(calls, PTRACE_GETREGS, pid, 0, r) < 0 || r->cs != 0x33 ? -1 : 0;
}

static int registers_set(const struct shim_stop_calls *calls, pid_t pid, const registers *r)
{
	return call(calls, PTRACE_SETREGS, pid, 0, r) < 0 ? -1 : 0;
}

static void registers_wait4(registers *r, unsigned long at, pid_t child)
{
	r->orig_rax = (unsigned long)-1;
	r->rax = SYS_wait4;
	r->rdi = (unsigned long)child;
	r->rsi = r->r10 = 0;
	r->rdx = WUNTRACED | WNOHANG;
	r->rip = at;
}

#else

/* nobody has tried */
#define INSTRUCTION ""

typedef struct {
	int none;
} registers;

static int registers_get(const struct shim_stop_calls *calls, pid_t pid, registers *r)
{
	(void)calls;
	(void)pid;
	(void)r;
	return -1;
}

static int registers_set(const struct shim_stop_calls *calls, pid_t pid, const registers *r)
{
	(void)calls;
	(void)pid;
	(void)r;
	return -1;
}

static void registers_wait4(registers *r, unsigned long at, pid_t child)
{
	(void)r;
	(void)at;
	(void)child;
}

#endif

/* Where the process has the instruction for a system call: in its vDSO. 0 when there is none. */
static unsigned long instruction_find(pid_t pid)
{
	static char code[65536];
	unsigned long from = 0, to = 0;
	char path[64], line[512];
	const char *at;
	ssize_t n;
	FILE *f;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, "[vdso]") && sscanf(line, "%lx-%lx", &from, &to) == 2)
			break;
	if (f)
		fclose(f);
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	fd = to > from ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	n = fd >= 0 ? pread(fd, code, to - from < sizeof(code) ? to - from : sizeof(code), (off_t)from) : -1;
	if (fd >= 0)
		close(fd);
	at = n > 0 ? memmem(code, (size_t)n, INSTRUCTION, strlen(INSTRUCTION)) : NULL;
	return at && *INSTRUCTION ? from + (unsigned long)(at - code) : 0;
}

/* Run until the system call is done. What is stopped for is SIGCHLD, which is thrown away, or the call's begin and
 * end. */
static int call_run(const struct shim_stop_calls *calls, pid_t pid)
{
	int traps = 0;

	for (int i = 0; i < STOPS_MAX; i++) {
		int status = call(calls, PTRACE_SYSCALL, pid, 0, NULL) < 0 ? -1 : stop_wait(pid);

		if (status < 0)
			return -1;
		traps += WSTOPSIG(status) == (SIGTRAP | 0x80);
		if (traps == 2)
			return 0;
	}
	return -1;
}

static int parent_wait(const struct shim_stop_calls *calls, pid_t parent, pid_t child, int swallow)
{
	unsigned long at = instruction_find(parent);
	registers were, are;
	uint64_t mask;
	int rc;

	if (!at || registers_get(calls, parent, &were) < 0 || mask_get(calls, parent, &mask) < 0 ||
	    mask_set(calls, parent, swallow ? ~BIT(SIGCHLD) : ~UINT64_C(0)) < 0)
		return -1;
	are = were;
	registers_wait4(&are, at, child);
	rc = registers_set(calls, parent, &are);
	if (rc == 0)
		rc = call_run(calls, parent);
	if (registers_set(calls, parent, &were) < 0 || mask_set(calls, parent, mask) < 0)
		rc = -1;
	return rc;
}

int shim_stop_quietly(const struct shim_stop_calls *calls, pid_t pid, int sig)
{
	pid_t parent = parent_of(pid);
	registers probe;
	int had;

	/* crinit is no process of criu's, and does not ask for stops */
	if (parent <= 1 || registers_get(calls, parent, &probe) < 0 || !instruction_find(parent))
		return -1;
	had = child_signal(calls, parent);
	if (stop_enter(calls, pid, sig) < 0)
		return -1;
	/* the kernel tells the tracer first; not at all a parent that does not want to know */
	for (int i = 0; !had && i < SIGNAL_MS && !child_signal(calls, parent); i++)
		usleep(1000);
	return parent_wait(calls, parent, pid, !had);
}
