/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* crash.h - what a power cut may leave of a directory
 *
 * Bytes of a file are durable once it was synced, a name is once its directory was, and neither helps the other. A
 * name moved from one directory to another is two changes. A sync that failed has lost what it was for, and no
 * later one brings that back.
 */

#ifndef CR_UNIT_CRASH_H
#define CR_UNIT_CRASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "faults.h"

struct crash;

/* The directory as it is, all of it durable. */
struct crash *crash_import(const char *dir);
void crash_free(struct crash *crash);

/* One step of the log further. */
void crash_step(struct crash *crash, const struct fault_log *step);

/* Of bytes that were not synced. */
enum crash_data {
	CRASH_LOST,
	CRASH_HALF,
	CRASH_ZERO, /* the file is as long as it was, with zeroes there */
	CRASH_HOLE, /* the second half arrived */
	CRASH_KEPT,
	CRASH_DATA
};

/* Of changes of names that were not synced, in their order: those before from and at or after until are there,
 * those between are not. crash_changes is how many there are. */
struct crash_names {
	size_t from, until;
};
size_t crash_changes(const struct crash *crash);

/* A hash of such a state, without making it. */
uint64_t crash_hash(struct crash *crash, enum crash_data data, struct crash_names names);

/* Make it, in dir, which is replaced. */
void crash_make(struct crash *crash, enum crash_data data, struct crash_names names, const char *dir);

#endif
