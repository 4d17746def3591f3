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
#include <sys/wait.h>
#include <unistd.h>

#define SIGNAL_MS   20 /* for a signal that may not come */
#define THREADS_MAX 4096

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
static int child_signal(const struct shim_calls *calls, pid_t pid)
{
	struct __ptrace_peeksiginfo_args args = {.flags = PTRACE_PEEKSIGINFO_SHARED, .nr = 1};
	siginfo_t info = {0};

	for (; shim_trace(calls, PTRACE_PEEKSIGINFO, pid, (unsigned long)&args, &info) == 1; args.off++)
		if (info.si_signo == SIGCHLD)
			return 1;
	return 0;
}

/* ---- into the stop ---- */

/* Nothing else that is pending is to be delivered on the way. */
static int stop_enter(const struct shim_calls *calls, pid_t pid, int sig)
{
	static pid_t tids[THREADS_MAX];
	int status, n = threads_of(pid, tids);
	uint64_t mask;

	if (shim_mask_get(calls, pid, &mask) < 0 || shim_mask_set(calls, pid, ~SHIM_CALL_BIT(sig)) < 0)
		return -1;
	status = shim_trace(calls, PTRACE_CONT, pid, 0, NULL) < 0 ? -1 : shim_trace_wait(pid);
	if (status < 0 || status >> 16 || WSTOPSIG(status) != sig ||
	    shim_trace(calls, PTRACE_CONT, pid, 0, (void *)(intptr_t)sig) < 0) {
		(void)shim_mask_set(calls, pid, mask);
		return -1;
	}
	status = shim_trace_wait(pid);
	for (int i = 0; i < n; i++) {
		uint64_t own;

		if (shim_mask_get(calls, tids[i], &own) < 0 || shim_mask_set(calls, tids[i], SHIM_CALL_ALL) < 0 ||
		    shim_trace(calls, PTRACE_CONT, tids[i], 0, NULL) < 0 || shim_trace_wait(tids[i]) < 0)
			status = -1;
		(void)shim_mask_set(calls, tids[i], own);
	}
	(void)shim_mask_set(calls, pid, mask);
	return status >= 0 && status >> 16 == PTRACE_EVENT_STOP && WSTOPSIG(status) == sig ? 0 : -1;
}

/* ---- a system call in the parent's name ---- */

static int parent_wait(const struct shim_calls *calls, pid_t parent, pid_t child, int swallow)
{
	const struct shim_call call = {.number = SYS_wait4,
				       .args = {(unsigned long)child, 0, WUNTRACED | WNOHANG}};
	unsigned long at = shim_call_at(calls, parent);
	long result;

	return at ? shim_call_make(calls, parent, at, swallow ? ~SHIM_CALL_BIT(SIGCHLD) : SHIM_CALL_ALL, &call,
				   &result)
		  : -1;
}

int shim_stop_quietly(const struct shim_calls *calls, pid_t pid, int sig)
{
	pid_t parent = parent_of(pid);
	int had;

	/* crinit is no process of criu's, and does not ask for stops */
	if (parent <= 1 || !shim_call_at(calls, parent))
		return -1;
	had = child_signal(calls, parent);
	if (stop_enter(calls, pid, sig) < 0)
		return -1;
	/* the kernel tells the tracer first; not at all a parent that does not want to know */
	for (int i = 0; !had && i < SIGNAL_MS && !child_signal(calls, parent); i++)
		usleep(1000);
	return parent_wait(calls, parent, pid, !had);
}
