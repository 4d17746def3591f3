/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* writer.h - streams in, a generation's pack and index out
 *
 * The caller reads bytes from wherever they come (cr_writer_room, cr_writer_advance); a thread of the writer's
 * drops each chunk that is zero, refers to what is known, and stages what is new. One thread fills a
 * writer; another one may begin streams meanwhile.
 */

#ifndef CR_WRITER_H
#define CR_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "index.h"
#include "pace.h"

struct cr_writer_config {
	uint32_t job, generation;
	const char *dir;   /* where pack and index are made: the generation's temporary directory */
	const char *packs; /* directory of the packs of before */
	const char *past;  /* index of the newest committed generation, or NULL */
	uint64_t pool;	   /* bytes of the staging pool */
	uint64_t expected; /* bytes that will come, as far as one can tell */
	uint64_t tables;   /* bytes for tables of chunks, at the most; from 64 KiB on */
	int level;	   /* zstd's, 0: store raw */
	unsigned threads;
	bool eager; /* there are processors for looking at what comes while it comes */
	struct cr_pace *pace;
};

struct cr_writer_result {
	uint64_t image_bytes;	      /* of all streams */
	uint64_t chunks, zero, known; /* how many there were, and of which kind */
	uint64_t pack_bytes;	      /* of the pack file; 0: there is none, nothing was new */
	uint64_t index_bytes;
	struct cr_index_pack *packs; /* those referred to, the own one first when there is one; malloc'ed */
	uint32_t n_packs;
};

struct cr_writer;

/* A past that cannot be read is no error: everything is new then, and remark (at least 256 bytes) says why; else
 * it becomes "". */
int cr_writer_open(struct cr_writer **writer, const struct cr_writer_config *config, char *remark, size_t size,
		   struct cr_error *err);

/* Begin a stream; *id is for the calls below. archive: it is a tar archive, cut where its members begin. A name
 * that was there already is an error. */
int cr_writer_stream(struct cr_writer *writer, const char *name, bool archive, uint32_t *id, struct cr_error *err);

/* Where the next bytes are to be put, and how many fit there. Valid until the next call of this thread's. May wait
 * for the pool, and fails when the storage does, or a chunk of before could not be dealt with. */
int cr_writer_room(struct cr_writer *writer, void **at, size_t *room, struct cr_error *err);

/* n bytes of a stream were put there. */
int cr_writer_advance(struct cr_writer *writer, uint32_t id, size_t n, struct cr_error *err);

/* That was all of the stream. */
int cr_writer_end(struct cr_writer *writer, uint32_t id, struct cr_error *err);

/* Everything has been put: what has not been dealt with stays where it is until cr_writer_drain. */
void cr_writer_hold(struct cr_writer *writer);

/* Wait until all that was put has been dealt with. */
int cr_writer_settle(struct cr_writer *writer, struct cr_error *err);

/* Bytes of all streams so far; and after cr_writer_settle, how many of them are new. */
uint64_t cr_writer_bytes(const struct cr_writer *writer);
uint64_t cr_writer_new_bytes(const struct cr_writer *writer);

/* After cr_writer_hold: go on, with cr_writer_drain's manners, for more streams are to come. */
void cr_writer_go(struct cr_writer *writer, bool polite);

/* All streams have ended: deal with what came, compress, write. polite: the job runs. */
int cr_writer_drain(struct cr_writer *writer, bool polite, struct cr_error *err);

/* Wait until pack and index are written and synced. The caller frees result->packs. */
int cr_writer_finish(struct cr_writer *writer, struct cr_writer_result *result, struct cr_error *err);

/* Release everything; files that were not finished stay where they are. NULL is fine. */
void cr_writer_close(struct cr_writer *writer);

#endif
