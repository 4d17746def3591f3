/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "stall.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include "cleanup.h"
#include "proc.h"

#define SECOND INT64_C(1000000000)

int stall_cpu(pid_t pid, uint64_t *cpu)
{
	cleanup_free pid_t *pids = NULL;
	struct cr_error err;
	size_t n;

	*cpu = 0;
	if (cr_proc_tree(pid, &pids, &n, &err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		*cpu += cr_proc_cpu(pids[i]);
	return 0;
}

int64_t stall_look(struct stall *stall, uint64_t cpu, int term, int64_t now)
{
	/* a signal of Slurm's wakes the worker up: it has its time from then on */
	if (stall->since == 0 || cpu != stall->cpu || term != stall->term)
		stall->since = now;
	stall->cpu = cpu;
	stall->term = term;
	return (now - stall->since) / SECOND;
}

int64_t stall_limit(const struct stall *stall, int term)
{
	if (stall->staged)
		return STALL_FINAL_S;
	return term ? STALL_TERM_S : CR_PACE_STALL_S;
}

static bool process_is(pid_t pid, const char *name)
{
	char path[64], comm[32] = "";
	cleanup_fclose FILE *f = NULL;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	f = fopen(path, "re");
	if (!f || !fgets(comm, sizeof(comm), f))
		return false;
	comm[strcspn(comm, "\n")] = '\0';
	return strcmp(comm, name) == 0;
}

/* End those of the worker's processes that are called so. */
static bool processes_kill(pid_t worker, const char *name)
{
	cleanup_free pid_t *pids = NULL;
	struct cr_error err;
	bool any = false;
	size_t n;

	if (cr_proc_tree(worker, &pids, &n, &err) < 0)
		return false;
	for (size_t i = 1; i < n; i++)
		any = (process_is(pids[i], name) && kill(pids[i], SIGKILL) == 0) || any;
	return any;
}

bool stall_release(pid_t worker)
{
	return processes_kill(worker, "crhook");
}

void stall_kill(pid_t worker)
{
	/* criu is none of them: it ends by itself, and a tree that it let go of in between would not live */
	processes_kill(worker, "crwriter");
	processes_kill(worker, "crrollback");
	kill(worker, SIGKILL);
}
