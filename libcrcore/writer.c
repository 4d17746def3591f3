/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "writer.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "cut.h"
#include "drain.h"
#include "fs.h"
#include "intake.h"
#include "past.h"
#include "seen.h"

#define MISSES	    4u		/* in a row, and the walk goes on where the anchors say */
#define BLOCKS_MAX  (64u << 20) /* bytes of blocks */
#define PACK_BUFFER (4u << 20)
#define TOGETHER    16u /* chunks that are looked at before the first is dealt with */
#define OWN	    1u	/* the own pack's place in the list, plus 1 */

struct stream {
	char *name;
	uint64_t size;
	bool ended; /* by the caller's thread; the rest is the other one's */
	bool begun, archive;
	struct cr_cut cut;
	struct cr_segment segment;
	struct cr_cursor cursor; /* where the last generation stands */
	unsigned misses;
	unsigned char *tail; /* a chunk that is not whole; NULL: none */
	uint32_t tail_used;
};

struct cr_writer {
	struct cr_writer_config config;
	struct cr_pack_writer *pack;
	struct cr_index_writer *index;
	struct cr_intake *intake;
	struct cr_drain *drain;
	struct cr_past past; /* its index is NULL when there is none */
	struct cr_chunk_key key;
	struct cr_seen seen;
	struct cr_cursor probe;
	struct cr_index_pack *packs;
	uint32_t n_packs;
	uint32_t *slots;      /* of the last generation's packs in packs, plus 1; 0: not yet */
	pthread_mutex_t lock; /* the list of streams: one thread may begin them while another one fills them */
	struct stream **streams;
	uint32_t n_streams, streams_room;
	void *names;		/* of the streams: a tree of the C library's */
	struct cr_block *block; /* being filled */
	uint64_t raw;		/* end of the raw space so far */
	uint64_t bytes;		/* put so far, by the caller's thread */
	uint64_t chunks, zero, known;
	char pack_path[PATH_MAX];
};

/* ---- opening ---- */

static void past_open(struct cr_writer *w, char *remark, size_t size)
{
	struct cr_error err;

	remark[0] = '\0';
	if (!w->config.past)
		return;
	if (cr_past_open(&w->past, w->config.past, w->config.packs, w->config.tables / 4, &err) < 0) {
		snprintf(remark, size, "nothing is taken over from the last generation: %s", err.text);
		return;
	}
	w->slots = calloc((size_t)w->past.index->n_packs + 1, sizeof(*w->slots));
	if (!w->slots)
		cr_past_close(&w->past);
}

static int files_open(struct cr_writer *w, struct cr_error *err)
{
	const struct cr_writer_config *c = &w->config;
	char index_path[PATH_MAX];
	uint64_t buffer = c->pool / 4 < PACK_BUFFER ? c->pool / 4 : PACK_BUFFER;

	if (snprintf(w->pack_path, PATH_MAX, "%s/pack", c->dir) >= PATH_MAX ||
	    snprintf(index_path, PATH_MAX, "%s/index", c->dir) >= PATH_MAX)
		return cr_error_sys(err, ENAMETOOLONG, "%s", c->dir);
	if (w->past.index)
		w->key = w->past.index->key;
	else if (cr_chunk_key_make(&w->key, err) < 0)
		return -1;
	if (cr_pack_create(&w->pack, w->pack_path, c->job, c->generation, (size_t)buffer, err) < 0)
		return -1;
	w->packs = calloc((w->past.index ? w->past.index->n_packs : 0) + 1, sizeof(*w->packs));
	if (!w->packs)
		return cr_error_sys(err, ENOMEM, "list of packs");
	w->packs[0].generation = c->generation;
	w->n_packs = 1;
	return cr_index_create(&w->index, index_path, c->job, c->generation, &w->key, err);
}

static int stream_take(void *arg, void *stream, void *data, size_t n, bool end, struct cr_error *err);

static int writer_open(struct cr_writer *w, char *remark, size_t size, struct cr_error *err)
{
	const struct cr_writer_config *c = &w->config;
	/* most of it for what comes; blocks are for what is new, on its way to the compressing threads */
	uint64_t blocks = c->pool / 8 < BLOCKS_MAX ? c->pool / 8 : BLOCKS_MAX;
	struct cr_drain_config drain = {.pool = blocks, .threads = c->threads, .level = c->level, .pace = c->pace};

	past_open(w, remark, size);
	if (files_open(w, err) < 0 ||
	    cr_seen_open(&w->seen, c->expected / CR_CHUNK + 1, c->tables - c->tables / 4, err) < 0)
		return -1;
	drain.pack = w->pack;
	drain.index = w->index;
	if (cr_drain_open(&w->drain, &drain, err) < 0)
		return -1;
	return cr_intake_open(&w->intake, c->pool - blocks, c->eager ? CR_INTAKE_GO : CR_INTAKE_FULL, stream_take,
			      w, err);
}

int cr_writer_open(struct cr_writer **writer, const struct cr_writer_config *config, char *remark, size_t size,
		   struct cr_error *err)
{
	struct cr_writer *w = calloc(1, sizeof(*w));

	*writer = NULL;
	if (!w)
		return cr_error_sys(err, ENOMEM, "image writer");
	w->config = *config;
	pthread_mutex_init(&w->lock, NULL);
	if (writer_open(w, remark, size, err) < 0) {
		cr_writer_close(w);
		return -1;
	}
	*writer = w;
	return 0;
}

/* ---- streams ---- */

/* Where the last generation has it; without that all of it is new. */
static void stream_begin(const struct cr_writer *w, struct stream *s)
{
	int64_t old = w->past.index ? cr_index_find(w->past.index, s->name) : -1;

	s->begun = true;
	if (old >= 0 && cr_cursor_seek(&s->cursor, w->past.index, (uint32_t)old, 0, NULL) < 0)
		cr_cursor_clear(&s->cursor);
}

static int name_compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int stream_add(struct cr_writer *w, const char *name, bool archive, uint32_t *id, struct cr_error *err)
{
	struct stream *s;

	if (!*name || strlen(name) > CR_INDEX_NAME_MAX)
		return cr_error_set(err, EINVAL, "a stream's name has 1 to %u bytes", CR_INDEX_NAME_MAX);
	if (tfind(name, &w->names, name_compare))
		return cr_error_set(err, EEXIST, "stream %s comes twice", name);
	if (w->n_streams == w->streams_room) {
		uint32_t room = w->streams_room ? 2 * w->streams_room : 64;
		struct stream **more = reallocarray(w->streams, room, sizeof(struct stream *));

		if (!more)
			return cr_error_sys(err, ENOMEM, "stream %s", name);
		w->streams = more;
		w->streams_room = room;
	}
	s = calloc(1, sizeof(*s));
	if (s)
		s->name = strdup(name);
	if (!s || !s->name || !tsearch(s->name, &w->names, name_compare)) {
		free(s ? s->name : NULL);
		free(s);
		return cr_error_sys(err, ENOMEM, "stream %s", name);
	}
	s->archive = archive;
	s->segment.stream = w->n_streams;
	w->streams[w->n_streams] = s;
	*id = w->n_streams++;
	return 0;
}

int cr_writer_stream(struct cr_writer *w, const char *name, bool archive, uint32_t *id, struct cr_error *err)
{
	int rc;

	pthread_mutex_lock(&w->lock);
	rc = stream_add(w, name, archive, id, err);
	pthread_mutex_unlock(&w->lock);
	return rc;
}

static struct stream *stream_of(struct cr_writer *w, uint32_t id)
{
	struct stream *s;

	pthread_mutex_lock(&w->lock);
	s = w->streams[id];
	pthread_mutex_unlock(&w->lock);
	return s;
}

/* ---- the block that is being filled ---- */

/* A block with room for a whole chunk. */
static int block_ready(struct cr_writer *w, struct cr_error *err)
{
	if (w->block && w->block->used + CR_CHUNK <= CR_PACK_BLOCK)
		return 0;
	if (w->block) {
		cr_drain_put(w->drain, w->block);
		w->block = NULL;
	}
	if (cr_drain_take(w->drain, &w->block, err) < 0)
		return -1;
	w->block->raw = w->raw;
	return 0;
}

/* ---- chunks ---- */

/* The list entry of a pack of the last generation's; 0 when nothing may refer to it. */
static uint32_t slot_of(struct cr_writer *w, uint32_t pack)
{
	const struct cr_index_pack *old = &w->past.index->packs[pack - 1];

	if (w->past.stale[pack - 1])
		return 0;
	if (!w->slots[pack - 1]) {
		w->packs[w->n_packs] =
			(struct cr_index_pack){.generation = old->generation, .raw = old->raw, .sum = old->sum};
		w->slots[pack - 1] = ++w->n_packs;
	}
	return w->slots[pack - 1];
}

static int segment_put(struct cr_writer *w, struct stream *s, struct cr_error *err)
{
	struct cr_segment *g = &s->segment;
	uint64_t start = g->start;
	void *bytes;
	size_t size;

	if (g->length == 0)
		return 0;
	if (cr_segment_encode(g, &bytes, &size, err) < 0)
		return -1;
	g->start += g->length;
	g->length = 0;
	g->n_runs = g->n_hashes = 0;
	return cr_drain_segment(w->drain, g->stream, start, bytes, size, err);
}

static int chunk_emit(struct cr_writer *w, struct stream *s, uint32_t pack, uint64_t raw, uint32_t size,
		      struct cr_chunk_hash hash, struct cr_error *err)
{
	if (cr_segment_full(&s->segment) && segment_put(w, s, err) < 0)
		return -1;
	if (pack)
		w->packs[pack - 1].used += size;
	s->size += size;
	w->chunks++;
	return cr_segment_add(&s->segment, pack, raw, size, hash, err);
}

/* The walk along the last generation: one chunk on, whatever it was. What cannot be read ends it. */
static void cursor_step(struct stream *s)
{
	if (cr_cursor_left(&s->cursor) > 0 && cr_cursor_skip(&s->cursor, 1, NULL) < 0)
		cr_cursor_clear(&s->cursor);
}

/* Is it the chunk that stood here, or one that stood elsewhere in the last generation? Returns its place. */
static uint32_t past_find(struct cr_writer *w, struct stream *s, struct cr_chunk_hash hash, uint32_t size,
			  uint64_t *raw)
{
	struct cr_index_chunk old;
	bool here = cr_cursor_get(&s->cursor, &old);
	uint32_t slot = 0;

	if (here && old.pack && old.size == size && cr_chunk_hash_same(old.hash, hash)) {
		cursor_step(s);
		s->misses = 0;
		*raw = old.raw;
		return slot_of(w, old.pack);
	}
	if (here)
		cursor_step(s);
	s->misses++;
	if (cr_past_find(&w->past, hash, size, &w->probe, NULL) != 1 || !cr_cursor_get(&w->probe, &old))
		return 0;
	slot = slot_of(w, old.pack);
	*raw = old.raw;
	if (s->misses >= MISSES) {
		/* it has moved, and with it probably what follows */
		if (cr_cursor_jump(&s->cursor, w->past.index, w->probe.place - 1, w->probe.hash, NULL) != 1)
			cr_cursor_clear(&s->cursor);
		else
			cursor_step(s);
		s->misses = 0;
	}
	return slot;
}

/* What can be said of a chunk by its bytes alone. */
struct look {
	bool zero;
	struct cr_chunk_hash hash;
};

static struct look chunk_look(const struct cr_writer *w, const void *data, uint32_t size)
{
	struct look look = {.zero = cr_chunk_zero(data, size)};

	if (!look.zero) {
		look.hash = cr_chunk_hash(&w->key, data, size);
		cr_seen_expect(&w->seen, look.hash);
	}
	return look;
}

/* One chunk of stream s. Returns 1 when it is new, to be kept at the end of the block; 0 when its bytes are not
 * needed. */
static int chunk_take(struct cr_writer *w, struct stream *s, const struct look *look, uint32_t size,
		      struct cr_error *err)
{
	uint64_t raw = 0;
	uint32_t pack = 0;

	if (look->zero) {
		cursor_step(s);
		w->zero++;
		return chunk_emit(w, s, 0, 0, size, look->hash, err);
	}
	if (w->past.index)
		pack = past_find(w, s, look->hash, size, &raw);
	if (!pack && cr_seen_find(&w->seen, look->hash, &raw))
		pack = OWN;
	if (pack) {
		w->known++;
		return chunk_emit(w, s, pack, raw, size, look->hash, err);
	}
	if (block_ready(w, err) < 0)
		return -1;
	raw = w->block->raw + w->block->used;
	cr_seen_put(&w->seen, look->hash, raw);
	return chunk_emit(w, s, OWN, raw, size, look->hash, err) < 0 ? -1 : 1;
}

/* ---- filling ---- */

static int chunk_place(struct cr_writer *w, struct stream *s, const struct look *look, const unsigned char *data,
		       uint32_t size, struct cr_error *err)
{
	int rc = chunk_take(w, s, look, size, err);

	if (rc <= 0)
		return rc;
	memcpy(w->block->data + w->block->used, data, size);
	w->block->used += size;
	w->raw += size;
	return 0;
}

static int chunk_put(struct cr_writer *w, struct stream *s, const unsigned char *data, uint32_t size,
		     struct cr_error *err)
{
	const struct look look = chunk_look(w, data, size);

	return chunk_place(w, s, &look, data, size, err);
}

/* Some whole chunks: first all are looked at, so that the memory the tables lie in is on its way. */
static int chunks_put(struct cr_writer *w, struct stream *s, const unsigned char *data, size_t n,
		      struct cr_error *err)
{
	struct look looks[TOGETHER];

	for (size_t i = 0; i < n; i++)
		looks[i] = chunk_look(w, data + i * CR_CHUNK, CR_CHUNK);
	for (size_t i = 0; i < n; i++) {
		if (chunk_place(w, s, &looks[i], data + i * CR_CHUNK, CR_CHUNK, err) < 0)
			return -1;
	}
	return 0;
}

/* The next chunk of an archive: how long it is. *whole: it ends there. */
static uint32_t archive_cut(struct stream *s, const unsigned char *data, size_t n, bool *whole)
{
	uint32_t size = 0;

	*whole = false;
	while (size < n && !*whole)
		size += (uint32_t)cr_cut_next(&s->cut, data + size, n - size, whole);
	return size;
}

static int tail_keep(struct stream *s, const unsigned char *data, size_t n, struct cr_error *err)
{
	if (!s->tail)
		s->tail = malloc(CR_CHUNK);
	if (!s->tail)
		return cr_error_sys(err, ENOMEM, "stream %s", s->name);
	memmove(s->tail, data, n);
	s->tail_used = (uint32_t)n;
	return 0;
}

static int archive_put(struct cr_writer *w, struct stream *s, const unsigned char *data, size_t n,
		       struct cr_error *err)
{
	while (n > 0) {
		bool whole;
		uint32_t size = archive_cut(s, data, n, &whole);

		if (!whole)
			return tail_keep(s, data, n, err);
		if (chunk_put(w, s, data, size, err) < 0)
			return -1;
		data += size;
		n -= size;
	}
	return 0;
}

/* n bytes at data, none of which is in a chunk yet. */
static int bytes_put(struct cr_writer *w, struct stream *s, const unsigned char *data, size_t n,
		     struct cr_error *err)
{
	while (n > 0) {
		size_t whole = n / CR_CHUNK < TOGETHER ? n / CR_CHUNK : TOGETHER;

		if (s->archive)
			return archive_put(w, s, data, n, err);
		if (whole == 0)
			return tail_keep(s, data, n, err);
		if (chunks_put(w, s, data, whole, err) < 0)
			return -1;
		data += whole * CR_CHUNK;
		n -= whole * CR_CHUNK;
	}
	return 0;
}

/* n bytes were put behind the tail: one chunk at the most, or less of it. */
static int tail_advance(struct cr_writer *w, struct stream *s, size_t n, struct cr_error *err)
{
	unsigned char *more = s->tail + s->tail_used;
	bool whole = s->tail_used + n == CR_CHUNK;
	uint32_t size, end;

	size = s->archive ? archive_cut(s, more, n, &whole) : (uint32_t)n;
	end = s->tail_used + size;
	if (!whole) {
		s->tail_used = end;
		return 0;
	}
	s->tail_used = 0;
	if (chunk_put(w, s, s->tail, end, err) < 0)
		return -1;
	/* of an archive there may be more: it is short enough for the tail again, or for chunks of their own */
	return size < n ? bytes_put(w, s, more + size, n - size, err) : 0;
}

static int stream_end(struct cr_writer *w, struct stream *s, struct cr_error *err)
{
	int rc = 0;

	if (s->tail_used > 0)
		rc = chunk_put(w, s, s->tail, s->tail_used, err);
	s->tail_used = 0;
	if (rc == 0)
		rc = segment_put(w, s, err);
	cr_segment_clear(&s->segment);
	cr_cursor_clear(&s->cursor);
	free(s->tail);
	s->tail = NULL;
	return rc;
}

/* What the reading thread has handed on. */
static int stream_take(void *arg, void *stream, void *data, size_t n, bool end, struct cr_error *err)
{
	struct cr_writer *w = arg;
	struct stream *s = stream;
	const unsigned char *p = data;

	if (!s->begun)
		stream_begin(w, s);
	while (n > 0 && s->tail_used > 0) {
		size_t more = CR_CHUNK - s->tail_used < n ? CR_CHUNK - s->tail_used : n;

		memcpy(s->tail + s->tail_used, p, more);
		if (tail_advance(w, s, more, err) < 0)
			return -1;
		p += more;
		n -= more;
	}
	if (bytes_put(w, s, p, n, err) < 0)
		return -1;
	cr_pace_cpu(w->config.pace);
	return end ? stream_end(w, s, err) : 0;
}

int cr_writer_room(struct cr_writer *w, void **at, size_t *room, struct cr_error *err)
{
	*room = CR_INTAKE_BUFFER;
	return cr_intake_room(w->intake, at, err);
}

int cr_writer_advance(struct cr_writer *w, uint32_t id, size_t n, struct cr_error *err)
{
	w->bytes += n;
	return n > 0 ? cr_intake_put(w->intake, stream_of(w, id), n, false, err) : 0;
}

int cr_writer_end(struct cr_writer *w, uint32_t id, struct cr_error *err)
{
	struct stream *s = stream_of(w, id);

	if (s->ended)
		return 0;
	s->ended = true;
	return cr_intake_put(w->intake, s, 0, true, err);
}

void cr_writer_hold(struct cr_writer *w)
{
	cr_intake_set(w->intake, CR_INTAKE_HOLD);
}

void cr_writer_go(struct cr_writer *w, bool polite)
{
	cr_drain_go(w->drain, polite);
	cr_intake_set(w->intake, CR_INTAKE_GO);
}

int cr_writer_settle(struct cr_writer *w, struct cr_error *err)
{
	return cr_intake_settle(w->intake, err);
}

uint64_t cr_writer_bytes(const struct cr_writer *w)
{
	return w->bytes;
}

uint64_t cr_writer_new_bytes(const struct cr_writer *w)
{
	return w->raw;
}

/* ---- the end ---- */

int cr_writer_drain(struct cr_writer *w, bool polite, struct cr_error *err)
{
	for (uint32_t i = 0; i < w->n_streams; i++) {
		if (!w->streams[i]->ended)
			return cr_error_set(err, EPIPE, "stream %s has not come to its end", w->streams[i]->name);
	}
	cr_drain_go(w->drain, polite);
	if (cr_intake_settle(w->intake, err) < 0)
		return -1;
	if (w->block)
		cr_drain_put(w->drain, w->block);
	w->block = NULL;
	return 0;
}

static int pack_finish(struct cr_writer *w, struct cr_writer_result *result, struct cr_error *err)
{
	struct cr_pack_writer *pack = w->pack;
	struct cr_pack_info info;

	w->pack = NULL;
	if (cr_pack_finish(pack, &info, err) < 0)
		return -1;
	w->packs[0].raw = info.raw;
	w->packs[0].sum = info.sum;
	result->pack_bytes = info.size;
	if (info.raw > 0)
		return 0;
	/* nothing was new: the list keeps its first entry, for the places of the others are written already */
	result->pack_bytes = 0;
	return cr_fs_unlink(w->pack_path, err);
}

static int index_finish(struct cr_writer *w, struct cr_writer_result *result, struct cr_error *err)
{
	cleanup_free struct cr_index_stream *streams = calloc((size_t)w->n_streams + 1, sizeof(*streams));
	struct cr_index_writer *index = w->index;

	if (!streams)
		return cr_error_sys(err, ENOMEM, "index");
	for (uint32_t i = 0; i < w->n_streams; i++)
		streams[i] = (struct cr_index_stream){.name = w->streams[i]->name, .size = w->streams[i]->size};
	w->index = NULL;
	return cr_index_finish(index, streams, w->n_streams, w->packs, w->n_packs, &result->index_bytes, err);
}

int cr_writer_finish(struct cr_writer *w, struct cr_writer_result *result, struct cr_error *err)
{
	*result = (struct cr_writer_result){
		.image_bytes = w->bytes, .chunks = w->chunks, .zero = w->zero, .known = w->known};
	if (cr_drain_finish(w->drain, err) < 0 || pack_finish(w, result, err) < 0 ||
	    index_finish(w, result, err) < 0)
		return -1;
	result->packs = w->packs;
	result->n_packs = w->n_packs;
	w->packs = NULL;
	return 0;
}

/* The streams own their names. */
static void name_keep(void *name)
{
	(void)name;
}

void cr_writer_close(struct cr_writer *w)
{
	if (!w)
		return;
	cr_intake_close(w->intake);
	cr_drain_close(w->drain);
	cr_pack_discard(w->pack);
	cr_index_discard(w->index);
	tdestroy(w->names, name_keep);
	for (uint32_t i = 0; i < w->n_streams; i++) {
		struct stream *s = w->streams[i];

		cr_segment_clear(&s->segment);
		cr_cursor_clear(&s->cursor);
		free(s->tail);
		free(s->name);
		free(s);
	}
	free(w->streams);
	pthread_mutex_destroy(&w->lock);
	free(w->packs);
	free(w->slots);
	cr_cursor_clear(&w->probe);
	cr_past_close(&w->past);
	cr_seen_close(&w->seen);
	free(w);
}
