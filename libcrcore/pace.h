/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* pace.h - bytes per second and a share of the processors, kept by sleeping
 *
 * One struct is shared by all threads of one piece of work; each function but init and destroy may be called by
 * any of them at any time. Not across fork.
 */

#ifndef CR_PACE_H
#define CR_PACE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "error.h"

/* An allowance that grows with time. Below zero somebody sleeps it off. */
struct cr_pace_bucket {
	double rate;  /* units a nanosecond; 0: no limit */
	double burst; /* the most that is saved up */
	double level;
	double slack; /* how far below zero before it is worth a sleep */
	uint64_t at;  /* CLOCK_MONOTONIC, ns */
};

struct cr_pace {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct cr_pace_bucket bytes, cpu;
	uint64_t serial; /* tells a thread's last call on this one from one on another */
	unsigned int hurries;
	uint64_t slept; /* ns, of all threads together */
	bool hurry;
};

/* Storage that takes or answers nothing for so long, in seconds, is not waited for while a job stands still. */
#define CR_PACE_STALL_S 120

/* How many processors this process may run on. */
unsigned int cr_pace_processors(void);

/* bytes_per_s 0: no limit. percent is of all processors that the process may run on at this moment; 100 or more:
 * no limit; 0 counts as 1. */
void cr_pace_init(struct cr_pace *pace, uint64_t bytes_per_s, unsigned int percent);

/* Nobody may be in a call. */
void cr_pace_destroy(struct cr_pace *pace);

/* Account for bytes, moved or about to be, and sleep until the rate is kept. What is saved up while nothing moves
 * is a quarter of a second's worth, at least 1 MiB. Pass pieces of a size that the caller can stand to sleep for.
 */
void cr_pace_bytes(struct cr_pace *pace, uint64_t bytes);

/* To be called by each working thread before its first piece of work, which marks its beginning, and after each
 * piece: sleeps so that the processor time of all of them together stays within the share of the wall time. Little
 * is saved up (100 ms), so that waiting for a disk is not made good by a burst. A thread works for one pace at a
 * time. */
void cr_pace_cpu(struct cr_pace *pace);

/* From now on nobody sleeps, and who does wakes up. */
void cr_pace_hurry(struct cr_pace *pace);

/* Back to the limits, as from a fresh start: what was done in a hurry is not owed. */
void cr_pace_relax(struct cr_pace *pace);

/* How long threads have slept in it so far: ns of all of them together. */
uint64_t cr_pace_slept(struct cr_pace *pace);

/* The calling thread, and what it starts afterwards, stands back: nice 10, SCHED_BATCH, the lowest best-effort I/O
 * priority. Allowed to anybody; a thread without privilege cannot undo it. */
int cr_pace_lower(struct cr_error *err);

#endif
