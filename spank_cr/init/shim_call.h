/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* shim_call.h - a system call in the name of a process that criu holds by ptrace
 *
 * At the end of a restore all threads are in the stop after rt_sigreturn, and are what they were in all but what
 * criu does not put back. Some of that nobody can set from outside. The instruction is the one in the vDSO, data
 * goes below the stack for the while; registers, signal mask and stack are as before then. On x86-64, for 64-bit
 * code.
 */

#ifndef CR_INIT_SHIM_CALL_H
#define CR_INIT_SHIM_CALL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What this needs of libc, past the wrappers. */
struct shim_calls {
	long (*ptrace)(int request, pid_t pid, void *addr, void *data);
};

struct shim_call {
	long number;
	unsigned long args[6];
	const void *data; /* NULL: none; else args[where] becomes its address there */
	size_t size;
	int where;
};

#define SHIM_CALL_BIT(sig) (UINT64_C(1) << ((sig) - 1))
#define SHIM_CALL_ALL	   (~UINT64_C(0))

/* ptrace(2), past the wrapper. */
long shim_trace(const struct shim_calls *calls, int request, pid_t pid, unsigned long addr, const void *data);

/* The next stop of a thread; -1 when it takes too long. */
int shim_trace_wait(pid_t tid);

int shim_mask_get(const struct shim_calls *calls, pid_t pid, uint64_t *mask);
int shim_mask_set(const struct shim_calls *calls, pid_t pid, uint64_t mask);

/* Where process pid has the instruction for a system call; 0: none can be made in its name, or it is not held. */
unsigned long shim_call_at(const struct shim_calls *calls, pid_t pid);

/* Have thread tid make the call with the instruction at that address. Signals of mask wait meanwhile, others are
 * thrown away. Returns 0 and its result (-errno), or -1: it was not made, or nobody knows. */
int shim_call_make(const struct shim_calls *calls, pid_t tid, unsigned long at, uint64_t mask,
		   const struct shim_call *call, long *result);

#endif
