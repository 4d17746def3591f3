/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* drain.h - what is new, staged in a pool of blocks, and the threads that compress and write it
 *
 * One thread (the caller) fills blocks and makes segments; threads of our own turn blocks into a pack and segments
 * into an index. While the job is frozen they keep still unless the pool may not hold all that is to come: the
 * processors are better used for emptying criu's pipes.
 */

#ifndef CR_DRAIN_H
#define CR_DRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "index.h"
#include "pace.h"
#include "pack.h"

#define CR_DRAIN_THREADS 4u
#define CR_DRAIN_BLOCKS	 4u /* the smallest pool */

struct cr_block {
	unsigned char *data; /* CR_PACK_BLOCK bytes */
	uint32_t used;
	uint64_t raw; /* raw position of its first byte */
	struct cr_block *next;
};

struct cr_drain_config {
	uint64_t pool;		     /* bytes; at least CR_DRAIN_BLOCKS blocks are taken */
	unsigned threads;	     /* 1 to CR_DRAIN_THREADS */
	int level;		     /* zstd's, 0: store raw */
	struct cr_pace *pace;	     /* outlives the drain */
	struct cr_pack_writer *pack; /* stay the caller's; not to be used before cr_drain_finish */
	struct cr_index_writer *index;
};

struct cr_drain;

/* Make pool and threads. All of the pool's memory is touched before this returns. */
int cr_drain_open(struct cr_drain **drain, const struct cr_drain_config *config, struct cr_error *err);

/* Bytes of the pool that are free now. */
uint64_t cr_drain_free(struct cr_drain *drain);

/* An empty block; waits for one when there is none, and fails when the drain has failed or stalls. */
int cr_drain_take(struct cr_drain *drain, struct cr_block **block, struct cr_error *err);

/* A block to be written, or given back when it is empty. */
void cr_drain_put(struct cr_drain *drain, struct cr_block *block);

/* A segment to be written; bytes is malloc'ed and the drain's from now on. May wait as cr_drain_take. */
int cr_drain_segment(struct cr_drain *drain, uint32_t stream, uint64_t start, void *bytes, size_t size,
		     struct cr_error *err);

/* Begin to write. polite: with little processor time and at the pace that was set, for the job runs. */
void cr_drain_go(struct cr_drain *drain, bool polite);

/* Everything is put: wait until all is in the writers, end the threads. Returns the first error there was. */
int cr_drain_finish(struct cr_drain *drain, struct cr_error *err);

/* End the threads and release everything; what was not written is dropped. NULL is fine. */
void cr_drain_close(struct cr_drain *drain);

#endif
