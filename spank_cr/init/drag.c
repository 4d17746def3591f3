/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "drag.h"

#include <unistd.h>

#include "cleanup.h"
#include "proc.h"

#define SECOND INT64_C(1000000000)

/* Processor time of the tree and of those whose end was waited for in it. Returns -1 when it cannot be told. */
static int tree_cpu(pid_t root, uint64_t *cpu)
{
	cleanup_free pid_t *pids = NULL;
	struct cr_error err;
	size_t n;

	*cpu = 0;
	if (cr_proc_tree(root, &pids, &n, &err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		*cpu += cr_proc_cpu_family(pids[i]);
	return 0;
}

void drag_mark(struct drag *d, pid_t root, int64_t ran_ns)
{
	d->at_ns = tree_cpu(root, &d->cpu) < 0 ? 0 : ran_ns;
}

/* Processors used since the mark, or -1: less processor time than before is that of a process whose parent does
 * not want to know of its end. */
static double since_mark(const struct drag *d, pid_t root, int64_t ran_ns)
{
	int64_t passed = ran_ns - d->at_ns;
	uint64_t cpu;

	if (d->at_ns == 0 || passed <= 0 || tree_cpu(root, &cpu) < 0 || cpu < d->cpu)
		return -1;
	return (double)(cpu - d->cpu) / (double)sysconf(_SC_CLK_TCK) / ((double)passed / SECOND);
}

void drag_begun(struct drag *d, pid_t root, int64_t ran_ns)
{
	/* two marks too close to each other say nothing */
	d->before = ran_ns - d->at_ns < SECOND ? -1 : since_mark(d, root, ran_ns);
	d->at_ns = 0;
}

void drag_thawed(struct drag *d, pid_t root, int64_t ran_ns)
{
	drag_mark(d, root, ran_ns);
}

void drag_committed(struct drag *d, pid_t root, int64_t ran_ns, struct cr_cost *cost)
{
	if (d->before >= 0 && d->at_ns != 0)
		cr_cost_add_drain(cost, d->before, since_mark(d, root, ran_ns), (ran_ns - d->at_ns) / 1000000);
	drag_mark(d, root, ran_ns);
}
