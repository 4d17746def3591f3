/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "shim_call.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MS	  2000 /* for a thread to come to its next stop */
#define WAIT_SOON 200  /* it is most often there at once */
#define STOPS_MAX 16
#define DATA_MAX  256
#define RED_ZONE  128 /* below the stack pointer, and in use */

long shim_trace(const struct shim_calls *calls, int request, pid_t pid, unsigned long addr, const void *data)
{
	return calls->ptrace(request, pid, (void *)addr, (void *)(uintptr_t)data);
}

int shim_trace_wait(pid_t tid)
{
	for (int i = 0; i < WAIT_MS + WAIT_SOON; i++) {
		int status;
		pid_t got = waitpid(tid, &status, __WALL | WNOHANG);

		if (got == tid)
			return WIFSTOPPED(status) ? status : -1;
		if (got < 0)
			return -1;
		if (i < WAIT_SOON)
			sched_yield();
		else
			usleep(1000);
	}
	return -1;
}

int shim_mask_get(const struct shim_calls *calls, pid_t pid, uint64_t *mask)
{
	*mask = 0;
	return shim_trace(calls, PTRACE_GETSIGMASK, pid, sizeof(*mask), mask) < 0 ? -1 : 0;
}

int shim_mask_set(const struct shim_calls *calls, pid_t pid, uint64_t mask)
{
	return shim_trace(calls, PTRACE_SETSIGMASK, pid, sizeof(mask), &mask) < 0 ? -1 : 0;
}

#ifdef __x86_64__

#define INSTRUCTION "\x0f\x05"

typedef struct user_regs_struct registers;

static int registers_get(const struct shim_calls *calls, pid_t pid, registers *r)
{
	/* 64-bit code only */
	return shim_trace(calls, PTRACE_GETREGS, pid, 0, r) < 0 || r->cs != 0x33 ? -1 : 0;
}

static int registers_set(const struct shim_calls *calls, pid_t pid, const registers *r)
{
	return shim_trace(calls, PTRACE_SETREGS, pid, 0, r) < 0 ? -1 : 0;
}

static void registers_call(registers *r, unsigned long at, const struct shim_call *call)
{
	r->orig_rax = (unsigned long)-1;
	r->rax = (unsigned long)call->number;
	r->rdi = call->args[0];
	r->rsi = call->args[1];
	r->rdx = call->args[2];
	r->r10 = call->args[3];
	r->r8 = call->args[4];
	r->r9 = call->args[5];
	r->rip = at;
}

static unsigned long registers_stack(const registers *r)
{
	return r->rsp;
}

static long registers_result(const registers *r)
{
	return (long)r->rax;
}

#else

/* nobody has tried */
#define INSTRUCTION ""

typedef struct {
	int none;
} registers;

static int registers_get(const struct shim_calls *calls, pid_t pid, registers *r)
{
	(void)calls;
	(void)pid;
	(void)r;
	return -1;
}

static int registers_set(const struct shim_calls *calls, pid_t pid, const registers *r)
{
	(void)calls;
	(void)pid;
	(void)r;
	return -1;
}

static void registers_call(registers *r, unsigned long at, const struct shim_call *call)
{
	(void)r;
	(void)at;
	(void)call;
}

static unsigned long registers_stack(const registers *r)
{
	(void)r;
	return 0;
}

static long registers_result(const registers *r)
{
	(void)r;
	return -1;
}

#endif

/* Its vDSO's. */
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

unsigned long shim_call_at(const struct shim_calls *calls, pid_t pid)
{
	registers probe;

	return registers_get(calls, pid, &probe) < 0 ? 0 : instruction_find(pid);
}

/* Run until the system call is done. What is stopped for are signals, which are thrown away, or the call's begin
 * and end. */
static int call_run(const struct shim_calls *calls, pid_t tid)
{
	int traps = 0;

	for (int i = 0; i < STOPS_MAX; i++) {
		int status = shim_trace(calls, PTRACE_SYSCALL, tid, 0, NULL) < 0 ? -1 : shim_trace_wait(tid);

		if (status < 0)
			return -1;
		traps += WSTOPSIG(status) == (SIGTRAP | 0x80);
		if (traps == 2)
			return 0;
	}
	return -1;
}

/* Exchange what is at an address with data, both of that size. */
static int memory_swap(pid_t tid, unsigned long at, char *data, size_t size)
{
	char path[64], was[DATA_MAX];
	int fd, rc = -1;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)tid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0 && pread(fd, was, size, (off_t)at) == (ssize_t)size &&
	    pwrite(fd, data, size, (off_t)at) == (ssize_t)size)
		rc = 0;
	if (fd >= 0)
		close(fd);
	if (rc == 0)
		memcpy(data, was, size);
	return rc;
}

static int call_masked(const struct shim_calls *calls, pid_t tid, uint64_t mask, const registers *are)
{
	uint64_t was;
	int rc;

	if (shim_mask_get(calls, tid, &was) < 0 || shim_mask_set(calls, tid, mask) < 0)
		return -1;
	rc = registers_set(calls, tid, are);
	if (rc == 0)
		rc = call_run(calls, tid);
	return shim_mask_set(calls, tid, was) < 0 ? -1 : rc;
}

int shim_call_make(const struct shim_calls *calls, pid_t tid, unsigned long at, uint64_t mask,
		   const struct shim_call *call, long *result)
{
	struct shim_call made = *call;
	unsigned long place = 0;
	registers were, are;
	char data[DATA_MAX];
	int rc;

	if (registers_get(calls, tid, &were) < 0 || (call->data && call->size > sizeof(data)))
		return -1;
	if (call->data) {
		place = (registers_stack(&were) - RED_ZONE - call->size) & ~63ul;
		memcpy(data, call->data, call->size);
		if (memory_swap(tid, place, data, call->size) < 0)
			return -1;
		made.args[call->where] = place;
	}
	are = were;
	registers_call(&are, at, &made);
	rc = call_masked(calls, tid, mask, &are);
	if (rc == 0 && (rc = registers_get(calls, tid, &are)) == 0)
		*result = registers_result(&are);
	if (registers_set(calls, tid, &were) < 0 || (call->data && memory_swap(tid, place, data, call->size) < 0))
		rc = -1;
	return rc;
}
