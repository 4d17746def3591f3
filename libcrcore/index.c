/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "index.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "fs.h"
#include "outfile.h"

static const char index_magic[8] = {'C', 'R', 'I', 'N', 'D', 'E', 'X', '\n'};
static const char end_magic[8] = {'C', 'R', 'I', 'X', 'E', 'N', 'D', '\n'};

#define HEADER	  256u
#define KEY_AT	  32u
#define SUM_AT	  248u
#define FOOTER	  64u
#define PACK	  32u
#define STREAM	  16u /* and the name */
#define PLACE	  24u
#define BUFFER	  (1u << 20)
#define TABLE_MAX (1u << 30)

/* ---- writing ---- */

struct cr_index_writer {
	struct cr_outfile out;
	struct cr_index_place *places;
	uint32_t n_places, room;
};

void cr_index_discard(struct cr_index_writer *w)
{
	if (!w)
		return;
	cr_outfile_release(&w->out);
	free(w->places);
	free(w);
}

int cr_index_create(struct cr_index_writer **writer, const char *path, uint32_t job, uint32_t generation,
		    const struct cr_chunk_key *key, struct cr_error *err)
{
	unsigned char header[HEADER] = {0};
	struct cr_index_writer *w = calloc(1, sizeof(*w));

	*writer = NULL;
	if (!w)
		return cr_error_sys(err, ENOMEM, "%s", path);
	if (cr_outfile_create(&w->out, path, BUFFER, err) < 0) {
		free(w);
		return -1;
	}
	memcpy(header, index_magic, sizeof(index_magic));
	cr_le32_put(header + 8, CR_INDEX_VERSION);
	cr_le32_put(header + 16, job);
	cr_le32_put(header + 20, generation);
	memcpy(header + KEY_AT, key->secret, CR_CHUNK_KEY);
	cr_le64_put(header + SUM_AT, cr_chunk_sum(header, SUM_AT));
	if (cr_outfile_put(&w->out, header, sizeof(header), err) < 0) {
		cr_index_discard(w);
		return -1;
	}
	*writer = w;
	return 0;
}

int cr_index_append(struct cr_index_writer *w, uint32_t stream, uint64_t start, const void *bytes, size_t size,
		    struct cr_error *err)
{
	if (w->n_places == w->room) {
		uint32_t room = w->room ? 2 * w->room : 64;
		struct cr_index_place *places = reallocarray(w->places, room, sizeof(*places));

		if (!places)
			return cr_error_sys(err, ENOMEM, "%s", w->out.path);
		w->places = places;
		w->room = room;
	}
	w->places[w->n_places++] = (struct cr_index_place){
		.stream = stream, .size = (uint32_t)size, .start = start, .offset = cr_outfile_size(&w->out)};
	return cr_outfile_put(&w->out, bytes, size, err);
}

static int place_compare(const void *a, const void *b)
{
	const struct cr_index_place *x = a, *y = b;

	if (x->stream != y->stream)
		return x->stream < y->stream ? -1 : 1;
	return (x->start > y->start) - (x->start < y->start);
}

/* All three tables behind each other, malloc'ed. */
static unsigned char *tables_encode(const struct cr_index_writer *w, const struct cr_index_stream *streams,
				    uint32_t n_streams, const struct cr_index_pack *packs, uint32_t n_packs,
				    size_t *size)
{
	unsigned char *bytes, *p;

	*size = (size_t)n_packs * PACK + (size_t)w->n_places * PLACE;
	for (uint32_t i = 0; i < n_streams; i++)
		*size += STREAM + strlen(streams[i].name);
	bytes = p = calloc(1, *size + 1);
	if (!bytes)
		return NULL;
	for (uint32_t i = 0; i < n_packs; i++, p += PACK) {
		cr_le32_put(p, packs[i].generation);
		cr_le64_put(p + 8, packs[i].raw);
		cr_le64_put(p + 16, packs[i].used);
		cr_le64_put(p + 24, packs[i].sum);
	}
	for (uint32_t i = 0; i < w->n_places; i++, p += PLACE) {
		cr_le32_put(p, w->places[i].stream);
		cr_le32_put(p + 4, w->places[i].size);
		cr_le64_put(p + 8, w->places[i].start);
		cr_le64_put(p + 16, w->places[i].offset);
	}
	for (uint32_t i = 0; i < n_streams; i++) {
		size_t length = strlen(streams[i].name);

		cr_le64_put(p, streams[i].size);
		cr_le32_put(p + 8, (uint32_t)length);
		memcpy(p + STREAM, streams[i].name, length);
		p += STREAM + length;
	}
	return bytes;
}

static int writer_close(struct cr_index_writer *w, const struct cr_index_stream *streams, uint32_t n_streams,
			const struct cr_index_pack *packs, uint32_t n_packs, uint64_t *size, struct cr_error *err)
{
	cleanup_free unsigned char *tables = NULL;
	uint64_t at = cr_outfile_size(&w->out);
	unsigned char footer[FOOTER] = {0};
	size_t length;

	if (w->n_places > 0)
		qsort(w->places, w->n_places, sizeof(*w->places), place_compare);
	tables = tables_encode(w, streams, n_streams, packs, n_packs, &length);
	if (!tables)
		return cr_error_sys(err, ENOMEM, "%s", w->out.path);
	memcpy(footer, end_magic, sizeof(end_magic));
	cr_le32_put(footer + 8, n_packs);
	cr_le32_put(footer + 12, n_streams);
	cr_le32_put(footer + 16, w->n_places);
	cr_le64_put(footer + 24, at);
	cr_le64_put(footer + 32, length);
	cr_le64_put(footer + 40, cr_chunk_sum(tables, length));
	cr_le64_put(footer + 56, cr_chunk_sum(footer, 56));
	if (cr_outfile_put(&w->out, tables, length, err) < 0 ||
	    cr_outfile_put(&w->out, footer, sizeof(footer), err) < 0)
		return -1;
	*size = cr_outfile_size(&w->out);
	return cr_outfile_finish(&w->out, err);
}

int cr_index_finish(struct cr_index_writer *w, const struct cr_index_stream *streams, uint32_t n_streams,
		    const struct cr_index_pack *packs, uint32_t n_packs, uint64_t *size, struct cr_error *err)
{
	int rc = writer_close(w, streams, n_streams, packs, n_packs, size, err);

	cr_index_discard(w);
	return rc;
}

/* ---- reading ---- */

void cr_index_close(struct cr_index *index)
{
	if (!index)
		return;
	if (index->fd >= 0)
		close(index->fd);
	for (uint32_t i = 0; index->streams && i < index->n_streams; i++)
		free(index->streams[i].name);
	free(index->streams);
	free(index->names);
	free(index->packs);
	free(index->places);
	free(index->path);
	free(index);
}

static int damaged(const struct cr_index *index, const char *what, uint64_t offset, struct cr_error *err)
{
	return cr_error_set(err, EBADMSG, "%s: %s (offset %" PRIu64 ")", index->path, what, offset);
}

static int header_read(struct cr_index *index, uint64_t size, struct cr_error *err)
{
	unsigned char header[HEADER];
	uint32_t version;

	if (size < HEADER + FOOTER)
		return damaged(index, "too short for an index", size, err);
	if (cr_fs_pread_all(index->fd, header, sizeof(header), 0, err) < 0)
		return cr_error_prefix(err, "%s", index->path);
	if (memcmp(header, index_magic, sizeof(index_magic)) != 0)
		return damaged(index, "not an index", 0, err);
	version = cr_le32_get(header + 8);
	if (version > CR_INDEX_VERSION)
		return cr_error_set(err, EPROTONOSUPPORT,
				    "%s: index version %u is newer than %u, the newest that this spank_cr reads: "
				    "use the version that wrote it, or a later one",
				    index->path, version, CR_INDEX_VERSION);
	if (version < 1 || cr_le64_get(header + SUM_AT) != cr_chunk_sum(header, SUM_AT))
		return damaged(index, "its header is damaged", 0, err);
	index->job = cr_le32_get(header + 16);
	index->generation = cr_le32_get(header + 20);
	memcpy(index->key.secret, header + KEY_AT, CR_CHUNK_KEY);
	return 0;
}

static int packs_decode(struct cr_index *index, const unsigned char **p, struct cr_error *err)
{
	index->packs = calloc((size_t)index->n_packs + 1, sizeof(*index->packs));
	if (!index->packs)
		return cr_error_sys(err, ENOMEM, "%s", index->path);
	for (uint32_t i = 0; i < index->n_packs; i++, *p += PACK)
		index->packs[i] = (struct cr_index_pack){.generation = cr_le32_get(*p),
							 .raw = cr_le64_get(*p + 8),
							 .used = cr_le64_get(*p + 16),
							 .sum = cr_le64_get(*p + 24)};
	return 0;
}

static int places_decode(struct cr_index *index, const unsigned char **p, uint64_t tables_at, struct cr_error *err)
{
	index->places = calloc((size_t)index->n_places + 1, sizeof(*index->places));
	if (!index->places)
		return cr_error_sys(err, ENOMEM, "%s", index->path);
	for (uint32_t i = 0; i < index->n_places; i++, *p += PLACE) {
		struct cr_index_place *place = &index->places[i];

		*place = (struct cr_index_place){.stream = cr_le32_get(*p),
						 .size = cr_le32_get(*p + 4),
						 .start = cr_le64_get(*p + 8),
						 .offset = cr_le64_get(*p + 16)};
		if (place->size < CR_SEGMENT_HEADER || place->size > CR_SEGMENT_MAX || place->offset < HEADER ||
		    place->offset > tables_at || tables_at - place->offset < place->size ||
		    place->stream >= index->n_streams || (i > 0 && place_compare(place - 1, place) >= 0))
			return damaged(index, "its directory makes no sense", tables_at, err);
	}
	return 0;
}

static int streams_decode(struct cr_index *index, const unsigned char *p, const unsigned char *end,
			  uint64_t tables_at, struct cr_error *err)
{
	uint32_t place = 0;

	index->streams = calloc((size_t)index->n_streams + 1, sizeof(*index->streams));
	if (!index->streams)
		return cr_error_sys(err, ENOMEM, "%s", index->path);
	for (uint32_t i = 0; i < index->n_streams; i++) {
		struct cr_index_stream *s = &index->streams[i];
		uint32_t length;

		if (end - p < (ptrdiff_t)STREAM)
			return damaged(index, "its list of streams is cut short", tables_at, err);
		s->size = cr_le64_get(p);
		length = cr_le32_get(p + 8);
		p += STREAM;
		if (length < 1 || length > CR_INDEX_NAME_MAX || end - p < (ptrdiff_t)length ||
		    memchr(p, '\0', length))
			return damaged(index, "the name of a stream makes no sense", tables_at, err);
		s->name = strndup((const char *)p, length);
		if (!s->name)
			return cr_error_sys(err, ENOMEM, "%s", index->path);
		p += length;
		s->first = place;
		while (place < index->n_places && index->places[place].stream == i)
			place++;
		s->segments = place - s->first;
		if ((s->size > 0) != (s->segments > 0) || (s->segments > 0 && index->places[s->first].start != 0))
			return damaged(index, "a stream has not the segments it needs", tables_at, err);
	}
	if (p != end)
		return damaged(index, "something follows the list of streams", tables_at, err);
	return 0;
}

static int name_compare(const void *a, const void *b, void *arg)
{
	const struct cr_index_stream *streams = arg;

	return strcmp(streams[*(const uint32_t *)a].name, streams[*(const uint32_t *)b].name);
}

/* In order, and each once. */
static int names_sort(struct cr_index *index, uint64_t tables_at, struct cr_error *err)
{
	index->names = calloc((size_t)index->n_streams + 1, sizeof(*index->names));
	if (!index->names)
		return cr_error_sys(err, ENOMEM, "%s", index->path);
	for (uint32_t i = 0; i < index->n_streams; i++)
		index->names[i] = i;
	qsort_r(index->names, index->n_streams, sizeof(*index->names), name_compare, index->streams);
	for (uint32_t i = 1; i < index->n_streams; i++) {
		if (name_compare(&index->names[i - 1], &index->names[i], index->streams) == 0)
			return damaged(index, "two streams have one name", tables_at, err);
	}
	return 0;
}

static int tables_read(struct cr_index *index, uint64_t size, struct cr_error *err)
{
	cleanup_free unsigned char *tables = NULL;
	unsigned char footer[FOOTER];
	const unsigned char *p;
	uint64_t at, length;

	if (cr_fs_pread_all(index->fd, footer, sizeof(footer), size - FOOTER, err) < 0)
		return cr_error_prefix(err, "%s", index->path);
	index->n_packs = cr_le32_get(footer + 8);
	index->n_streams = cr_le32_get(footer + 12);
	index->n_places = cr_le32_get(footer + 16);
	at = cr_le64_get(footer + 24);
	length = cr_le64_get(footer + 32);
	if (memcmp(footer, end_magic, sizeof(end_magic)) != 0 ||
	    cr_le64_get(footer + 56) != cr_chunk_sum(footer, 56) || at < HEADER || length > TABLE_MAX ||
	    at > size - FOOTER || at + length != size - FOOTER || index->n_packs >= UINT16_MAX ||
	    (uint64_t)index->n_packs * PACK + (uint64_t)index->n_places * PLACE +
			    (uint64_t)index->n_streams * STREAM >
		    length) {
		index->n_streams = 0;
		return damaged(index, "its end is missing or damaged", size - FOOTER, err);
	}
	p = tables = malloc((size_t)length + 1);
	if (!tables)
		return cr_error_sys(err, ENOMEM, "%s", index->path);
	if (cr_fs_pread_all(index->fd, tables, (size_t)length, at, err) < 0)
		return cr_error_prefix(err, "%s", index->path);
	if (cr_chunk_sum(tables, (size_t)length) != cr_le64_get(footer + 40))
		return damaged(index, "its tables are damaged", at, err);
	if (packs_decode(index, &p, err) < 0 || places_decode(index, &p, at, err) < 0)
		return -1;
	if (streams_decode(index, p, tables + length, at, err) < 0)
		return -1;
	return names_sort(index, at, err);
}

static int index_load(struct cr_index *index, const char *path, struct cr_error *err)
{
	struct stat st;

	index->path = strdup(path);
	if (!index->path)
		return cr_error_sys(err, ENOMEM, "%s", path);
	index->fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (index->fd < 0 || fstat(index->fd, &st) < 0)
		return cr_error_sys(err, errno, "cannot open %s", path);
	if (!S_ISREG(st.st_mode))
		return cr_error_set(err, EBADMSG, "%s is not a regular file", path);
	if (header_read(index, (uint64_t)st.st_size, err) < 0)
		return -1;
	return tables_read(index, (uint64_t)st.st_size, err);
}

int cr_index_open(struct cr_index **index, const char *path, struct cr_error *err)
{
	*index = calloc(1, sizeof(**index));
	if (!*index)
		return cr_error_sys(err, ENOMEM, "%s", path);
	(*index)->fd = -1;
	if (index_load(*index, path, err) < 0) {
		cr_index_close(*index);
		*index = NULL;
		return -1;
	}
	return 0;
}

int64_t cr_index_find(const struct cr_index *index, const char *name)
{
	uint32_t low = 0, high = index->n_streams;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order = strcmp(name, index->streams[index->names[middle]].name);

		if (order == 0)
			return index->names[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return -1;
}

/* The segment is where the directory says, joins the next one, and refers to what the packs have. */
static int segment_check(const struct cr_index *index, uint32_t n, const struct cr_segment *s,
			 struct cr_error *err)
{
	const struct cr_index_place *place = &index->places[n];
	const struct cr_index_stream *stream = &index->streams[place->stream];
	uint64_t end = n + 1 < stream->first + stream->segments ? index->places[n + 1].start : stream->size;

	if (s->stream != place->stream || s->start != place->start || end < s->start ||
	    s->length != end - s->start)
		return damaged(index, "a segment is not the one the directory names", place->offset, err);
	for (uint32_t i = 0; i < s->n_runs; i++) {
		const struct cr_run *r = &s->runs[i];

		if (r->pack > index->n_packs ||
		    (r->pack && (r->raw > index->packs[r->pack - 1].raw ||
				 (uint64_t)r->count * r->size > index->packs[r->pack - 1].raw - r->raw)))
			return damaged(index, "a segment refers to what no pack has", place->offset, err);
	}
	return 0;
}

int cr_index_segment(const struct cr_index *index, uint32_t n, struct cr_segment *segment, struct cr_error *err)
{
	const struct cr_index_place *place = &index->places[n];
	cleanup_free unsigned char *bytes = malloc((size_t)place->size + 1);

	if (!bytes)
		return cr_error_sys(err, ENOMEM, "%s", index->path);
	if (cr_fs_pread_all(index->fd, bytes, place->size, place->offset, err) < 0)
		return cr_error_prefix(err, "%s", index->path);
	if (cr_segment_decode(segment, bytes, place->size, err) < 0)
		return cr_error_prefix(err, "%s (offset %" PRIu64 ")", index->path, place->offset);
	return segment_check(index, n, segment, err);
}

/* ---- walking a stream ---- */

static int segment_load(struct cr_cursor *c, const struct cr_index *index, uint32_t place, struct cr_error *err)
{
	if (c->place != place + 1 || c->index != index) {
		c->place = 0;
		if (cr_index_segment(index, place, &c->segment, err) < 0)
			return -1;
		c->index = index;
		c->place = place + 1;
	}
	c->run = c->in_run = c->hash = 0;
	c->at = c->segment.start;
	return 0;
}

int cr_cursor_seek(struct cr_cursor *c, const struct cr_index *index, uint32_t stream, uint64_t start,
		   struct cr_error *err)
{
	const struct cr_index_stream *s = &index->streams[stream];
	uint32_t low = s->first, high = s->first + s->segments;

	if (start >= s->size)
		return 0;
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (index->places[middle].start <= start)
			low = middle;
		else
			high = middle;
	}
	if (segment_load(c, index, low, err) < 0)
		return -1;
	for (; c->run < c->segment.n_runs; c->run++) {
		const struct cr_run *r = &c->segment.runs[c->run];
		uint64_t bytes = (uint64_t)r->count * r->size;

		if (start - c->at < bytes) {
			uint64_t n = (start - c->at) / r->size;

			c->in_run = (uint32_t)n;
			c->hash += r->pack ? (uint32_t)n : 0;
			c->at += n * r->size;
			return c->at == start;
		}
		c->at += bytes;
		c->hash += r->pack ? r->count : 0;
	}
	return 0;
}

int cr_cursor_jump(struct cr_cursor *c, const struct cr_index *index, uint32_t place, uint32_t hash,
		   struct cr_error *err)
{
	if (place >= index->n_places)
		return 0;
	if (segment_load(c, index, place, err) < 0)
		return -1;
	for (; c->run < c->segment.n_runs; c->run++) {
		const struct cr_run *r = &c->segment.runs[c->run];

		if (r->pack && hash - c->hash < r->count) {
			c->in_run = hash - c->hash;
			c->at += (uint64_t)c->in_run * r->size;
			c->hash = hash;
			return 1;
		}
		c->at += (uint64_t)r->count * r->size;
		c->hash += r->pack ? r->count : 0;
	}
	return 0;
}

int cr_cursor_get(const struct cr_cursor *c, struct cr_index_chunk *chunk)
{
	const struct cr_run *r;

	if (!c->place || c->run >= c->segment.n_runs)
		return 0;
	r = &c->segment.runs[c->run];
	chunk->start = c->at;
	chunk->pack = r->pack;
	chunk->size = r->size;
	chunk->raw = r->raw + (uint64_t)c->in_run * r->size;
	if (r->pack)
		chunk->hash = c->segment.hashes[c->hash];
	return 1;
}

uint32_t cr_cursor_left(const struct cr_cursor *c)
{
	return c->place && c->run < c->segment.n_runs ? c->segment.runs[c->run].count - c->in_run : 0;
}

int cr_cursor_skip(struct cr_cursor *c, uint32_t count, struct cr_error *err)
{
	const struct cr_run *r = &c->segment.runs[c->run];
	uint32_t stream = c->segment.stream;

	c->in_run += count;
	c->at += (uint64_t)count * r->size;
	c->hash += r->pack ? count : 0;
	if (c->in_run < r->count)
		return 1;
	c->in_run = 0;
	if (++c->run < c->segment.n_runs)
		return 1;
	/* the next segment of the same stream lies behind in the directory */
	if (c->place >= c->index->n_places || c->index->places[c->place].stream != stream)
		return 0;
	return segment_load(c, c->index, c->place, err) < 0 ? -1 : 1;
}

void cr_cursor_clear(struct cr_cursor *c)
{
	cr_segment_clear(&c->segment);
	*c = (struct cr_cursor){0};
}
