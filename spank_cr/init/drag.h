/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* drag.h - by how much the writing of a checkpoint slows the job down
 *
 * The measure is the processor time that the job's processes get: of that before the checkpoint, how much do they
 * still get while it is written? For cr_cost_add_drain. Times are of clockwork.h: those in which the job runs.
 */

#ifndef CR_INIT_DRAG_H
#define CR_INIT_DRAG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cost.h"

struct drag {
	int64_t at_ns; /* of the last mark; 0: none */
	uint64_t cpu;  /* clock ticks at it */
	double before; /* processors that the job used before the checkpoint; below 0: unknown */
};

/* Nothing is being made of the job rooted at root from now on. */
void drag_mark(struct drag *d, pid_t root, int64_t ran_ns);

/* A checkpoint begins; its tree runs again; it is written. */
void drag_begun(struct drag *d, pid_t root, int64_t ran_ns);
void drag_thawed(struct drag *d, pid_t root, int64_t ran_ns);
void drag_committed(struct drag *d, pid_t root, int64_t ran_ns, struct cr_cost *cost);

#endif
