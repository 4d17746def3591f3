/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* beat.h - the file through which a workload and the benchmark see each other
 *
 * The file named by BENCH_BEAT lies on a tmpfs of the node, outside of what a checkpoint holds, and is mapped
 * by both: what is written here after a checkpoint is still here after a restore from it. All members are native
 * words of 64 bits, so that a script can read them by index; beat.py knows the same indices.
 */

#ifndef BENCH_BEAT_H
#define BENCH_BEAT_H

#include <stdint.h>

#define BEAT_MAGIC	0x7461656273726373ull
#define BEAT_PERIOD_NS	500000
#define BEAT_GAP_NS	5000000
#define BEAT_GAPS	1024  /* power of 2: a ring */
#define BEAT_TRACE	65536 /* power of 2: a ring, about half a minute */
#define BEAT_COMMAND_NS 2000000

enum beat_command {
	BEAT_FILL = 1,	 /* write all of the heap anew; arg: the seed */
	BEAT_TOUCH = 2,	 /* rewrite arg thousandths of the heap, in one piece */
	BEAT_SPREAD = 3, /* rewrite arg thousandths of the heap's pages, spread over it */
};

/* A time in which the thread did not run, longer than BEAT_GAP_NS. */
struct beat_gap {
	uint64_t from_real, to_real; /* last beat before, first beat after: CLOCK_REALTIME, ns */
	uint64_t mono;		     /* its length by CLOCK_MONOTONIC, ns */
};

struct beat_trace {
	uint64_t real, work;
};

struct beat {
	uint64_t magic;
	uint64_t beats;
	uint64_t real, mono; /* of the newest beat */
	uint64_t n_gaps;     /* ever; the newest is gaps[(n_gaps - 1) % BEAT_GAPS] */
	uint64_t n_trace;    /* likewise */
	uint64_t work;	     /* units of work done, see load.c */
	uint64_t ready;	     /* 1: the workload has built its heap */
	uint64_t seq;	     /* the benchmark counts it up when command and arg are set */
	uint64_t command, arg;
	uint64_t done; /* seq of the last command that has ended */
	uint64_t reserved[52];
	struct beat_gap gaps[BEAT_GAPS];
	struct beat_trace trace[BEAT_TRACE];
};

#endif
