/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* cpus.h - sets of processors: as text, and from one allocation to another */

#ifndef CR_CPUS_H
#define CR_CPUS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"

#define CR_CPUS_MAX  8192 /* the most a kernel is built for */
#define CR_CPUS_TEXT (CR_CPUS_MAX * 5)

/* The layout is the kernel's. */
struct cr_cpus {
	unsigned long bits[CR_CPUS_MAX / (8 * sizeof(unsigned long))];
};

bool cr_cpus_has(const struct cr_cpus *cpus, unsigned cpu);
void cr_cpus_add(struct cr_cpus *cpus, unsigned cpu);
unsigned cr_cpus_count(const struct cr_cpus *cpus);
bool cr_cpus_equal(const struct cr_cpus *a, const struct cr_cpus *b);

/* "0-3,7" as in /proc/PID/status; "" is the empty set. Only written on success. */
int cr_cpus_parse(struct cr_cpus *cpus, const char *text, struct cr_error *err);

/* The same the other way; returns buf. size: CR_CPUS_TEXT holds every set. */
const char *cr_cpus_format(const struct cr_cpus *cpus, char *buf, size_t size);

/* Where a thread belongs in the allocation now that was allowed on mask while its job had the allocation before.
 * The whole of before becomes the whole of now; else the i-th processor of before becomes the i-th of now, counted
 * round when now has fewer. What of mask is outside of before has no counterpart. Never empty unless now is. */
void cr_cpus_map(const struct cr_cpus *mask, const struct cr_cpus *before, const struct cr_cpus *now,
		 struct cr_cpus *mapped);

/* A thread's processors; 0 is the caller. */
int cr_cpus_get(pid_t tid, struct cr_cpus *cpus, struct cr_error *err);
int cr_cpus_set(pid_t tid, const struct cr_cpus *cpus, struct cr_error *err);

#endif
