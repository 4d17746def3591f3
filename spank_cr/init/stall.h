/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* stall.h - a worker that storage does not answer, and a job that must not wait for it */

#ifndef CR_INIT_STALL_H
#define CR_INIT_STALL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "pace.h"

/* What is waited for when Slurm has sent a SIGTERM that is to be passed on unless a checkpoint comes of it. */
#define STALL_TERM_S  15
/* More than what the worker itself waits for the image writer. */
#define STALL_FINAL_S (CR_PACE_STALL_S + 30)

struct stall {
	int64_t since, looked; /* CLOCK_MONOTONIC, ns; 0: not yet */
	uint64_t cpu;
	int term;
	bool over; /* it was given up, and goes as soon as the tree runs again */
	/* what the worker says of itself */
	bool frozen, staged;
	uint32_t generation;
	char doing[128];
	char text[256]; /* once it is given up: why */
};

/* Processor time of a process and all that it has started. *cpu is a sum to compare with: any other is progress.
 */
int stall_cpu(pid_t pid, uint64_t *cpu);

/* Account for a look at time now. Returns the seconds without progress. */
int64_t stall_look(struct stall *stall, uint64_t cpu, int term, int64_t now);

/* How many of those are too many. */
int64_t stall_limit(const struct stall *stall, int term);

/* Have criu give the tree back, should the worker have kept it from that: its hook ends without an answer. Returns
 * whether there was one. */
bool stall_release(pid_t worker);

/* Kill the worker and what it has forked; one that hangs in storage dies when that answers. */
void stall_kill(pid_t worker);

#endif
