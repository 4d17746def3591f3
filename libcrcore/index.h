/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* index.h - an index file: what the streams of a generation are made of, chunk by chunk
 *
 * A stream is what CRIU calls an image ("images/pages-1.img"), or something of ours ("files/stdout",
 * "private.tar"). The index cuts each into segments; a segment lists runs of chunks, with where they lie, and the
 * hash of each chunk that is not zero. The file's layout is in doc/store.md; it can be checked on its own.
 */

#ifndef CR_INDEX_H
#define CR_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "chunk.h"
#include "error.h"

#define CR_INDEX_VERSION  1u
#define CR_INDEX_NAME_MAX 255u
#define CR_SEGMENT_RUNS	  1024u
#define CR_SEGMENT_HASHES 4096u
#define CR_SEGMENT_HEADER 40u
#define CR_SEGMENT_RUN	  16u
#define CR_SEGMENT_MAX	  (CR_SEGMENT_HEADER + CR_SEGMENT_RUNS * CR_SEGMENT_RUN + CR_SEGMENT_HASHES * CR_CHUNK_HASH)

/* Chunks of one length behind each other, in the stream and in the raw space of one pack. */
struct cr_run {
	uint32_t pack; /* 0: zeroes, nothing is stored; else 1 + place in the index's list of packs */
	uint32_t size; /* bytes of each chunk, 1 to CR_CHUNK */
	uint32_t count;
	uint64_t raw; /* raw position of the first */
};

/* A piece of a stream. Owns its arrays; zeroed is empty. */
struct cr_segment {
	uint32_t stream;
	uint64_t start, length; /* bytes of the stream */
	struct cr_run *runs;
	uint32_t n_runs, runs_room;
	struct cr_chunk_hash *hashes; /* of the chunks that are not zero, in order */
	uint32_t n_hashes, hashes_room;
};

void cr_segment_clear(struct cr_segment *segment);

/* No room for another chunk? */
int cr_segment_full(const struct cr_segment *segment);

/* Append one chunk. For a zero one (pack 0) raw and hash are not looked at. */
int cr_segment_add(struct cr_segment *segment, uint32_t pack, uint64_t raw, uint32_t size,
		   struct cr_chunk_hash hash, struct cr_error *err);

/* As the file has it, malloc'ed. */
int cr_segment_encode(const struct cr_segment *segment, void **bytes, size_t *size, struct cr_error *err);

/* Decode what begins at bytes; everything is checked but the packs that the runs name. */
int cr_segment_decode(struct cr_segment *segment, const void *bytes, size_t size, struct cr_error *err);

/* ---- the file ---- */

struct cr_index_pack {
	uint32_t generation; /* packs/NNNNNN.pack */
	uint64_t raw;	     /* bytes of chunks in it */
	uint64_t used;	     /* bytes of those that this index refers to, each once for each reference */
	uint64_t sum;	     /* of its block table: it must be this pack and no other */
};

struct cr_index_stream {
	char *name;
	uint64_t size;
	uint32_t first, segments; /* its place in the directory, in an open index */
};

struct cr_index_writer;

/* Create path, which must not exist. */
int cr_index_create(struct cr_index_writer **writer, const char *path, uint32_t job, uint32_t generation,
		    const struct cr_chunk_key *key, struct cr_error *err);

/* Append an encoded segment of stream (its place in what cr_index_finish gets) that begins at start. The segments
 * of one stream come in order. */
int cr_index_append(struct cr_index_writer *writer, uint32_t stream, uint64_t start, const void *bytes,
		    size_t size, struct cr_error *err);

/* Write tables and footer, sync. The writer is gone afterwards. *size becomes the file's. */
int cr_index_finish(struct cr_index_writer *writer, const struct cr_index_stream *streams, uint32_t n_streams,
		    const struct cr_index_pack *packs, uint32_t n_packs, uint64_t *size, struct cr_error *err);

/* Close without finishing; the file stays. NULL is fine. */
void cr_index_discard(struct cr_index_writer *writer);

struct cr_index {
	int fd;
	char *path;
	uint32_t job, generation;
	struct cr_chunk_key key;
	struct cr_index_pack *packs;
	uint32_t n_packs;
	struct cr_index_stream *streams; /* as written */
	uint32_t *names;		 /* their places, by name */
	uint32_t n_streams;
	struct cr_index_place {
		uint32_t stream, size;
		uint64_t start, offset;
	} *places; /* the segments, by stream and start */
	uint32_t n_places;
};

/* Open and check all but the segments' content. Newer than CR_INDEX_VERSION: EPROTONOSUPPORT; damaged: EBADMSG. */
int cr_index_open(struct cr_index **index, const char *path, struct cr_error *err);
void cr_index_close(struct cr_index *index);

/* Place of the stream of that name, or -1. */
int64_t cr_index_find(const struct cr_index *index, const char *name);

/* Read and check the segment at a place of the directory. segment may hold an older one. */
int cr_index_segment(const struct cr_index *index, uint32_t place, struct cr_segment *segment,
		     struct cr_error *err);

/* ---- walking a stream ---- */

struct cr_index_chunk {
	uint64_t start; /* byte of the stream */
	uint32_t pack, size;
	uint64_t raw;
	struct cr_chunk_hash hash; /* of one that is not zero */
};

/* Stands at a chunk. Zeroed is none. */
struct cr_cursor {
	const struct cr_index *index;
	struct cr_segment segment;
	uint32_t place; /* of the segment, plus 1; 0: none is loaded */
	uint32_t run, in_run, hash;
	uint64_t at; /* byte of the stream */
};

/* Go to the chunk of stream that begins at byte start. Returns 1 when there is one, 0 when none begins there. */
int cr_cursor_seek(struct cr_cursor *cursor, const struct cr_index *index, uint32_t stream, uint64_t start,
		   struct cr_error *err);

/* Go to the hash-th chunk that is not zero of the segment at place. */
int cr_cursor_jump(struct cr_cursor *cursor, const struct cr_index *index, uint32_t place, uint32_t hash,
		   struct cr_error *err);

/* The chunk the cursor stands at. Returns 1, or 0 at the end of the stream. */
int cr_cursor_get(const struct cr_cursor *cursor, struct cr_index_chunk *chunk);

/* How many more chunks of the same run follow, this one included. */
uint32_t cr_cursor_left(const struct cr_cursor *cursor);

/* On by count chunks of this run. Returns as cr_cursor_seek. */
int cr_cursor_skip(struct cr_cursor *cursor, uint32_t count, struct cr_error *err);

void cr_cursor_clear(struct cr_cursor *cursor);

#endif
