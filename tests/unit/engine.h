/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* engine.h - for tests of what stores images: contents, generations made of them, and what is read back */

#ifndef CR_ENGINE_H
#define CR_ENGINE_H

#include "generation.h"
#include "unit.h"

#include "../../libcrcore/chunk.h"
#include "../../libcrcore/image.h"
#include "../../libcrcore/index.h"
#include "../../libcrcore/pack.h"
#include "../../libcrcore/store.h"
#include "../../libcrcore/writer.h"

/* A stream and what is in it. */
struct content {
	const char *name;
	unsigned char *data;
	size_t size;
	bool archive;
};

/* How a generation is made; zero fields mean: plenty of memory, level 1, one thread. */
struct making {
	uint32_t generation, past; /* past 0: none */
	uint64_t pool, tables;
	int level; /* -1: store raw */
	unsigned threads;
	size_t piece;	 /* bytes that come at once; 0: of changing size */
	bool unexpected; /* nobody could tell how much would come */
	/* what came of it */
	struct cr_writer_result result;
	uint64_t new_bytes;
	char remark[1024];
};

static struct cr_store engine_store __attribute__((unused));
static uint64_t engine_random_state __attribute__((unused)) = 88172645463325252u;

static inline uint64_t engine_random(void)
{
	engine_random_state ^= engine_random_state << 13;
	engine_random_state ^= engine_random_state >> 7;
	engine_random_state ^= engine_random_state << 17;
	return engine_random_state;
}

static inline void engine_open(void)
{
	struct cr_error err = {0};

	unit_assert_ok(cr_store_open(&engine_store, unit_dir, 4711, "batch.0", geteuid(), true, &err), &err);
}

/* Path of name below the part's directory. */
static inline const char *engine_path(const char *name)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "4711/batch.0/%s", name);
	return unit_path(path);
}

static inline const char *engine_index(uint32_t generation)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "%06u/index", generation);
	return engine_path(name);
}

static inline const char *engine_pack(uint32_t generation)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "packs/%06u.pack", generation);
	return engine_path(name);
}

static inline unsigned char *engine_zero(size_t size)
{
	unsigned char *data = calloc(1, size + 1);

	ck_assert_ptr_nonnull(data);
	return data;
}

static inline void engine_fill_random(unsigned char *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		data[i] = (unsigned char)(engine_random() >> 32);
}

static inline unsigned char *engine_noise(size_t size)
{
	unsigned char *data = engine_zero(size);

	engine_fill_random(data, size);
	return data;
}

/* What compresses, with no two chunks alike. */
static inline unsigned char *engine_text(size_t size)
{
	unsigned char *data = engine_zero(size);

	for (size_t i = 0; i < size; i++)
		data[i] = (unsigned char)("it was a dark and stormy night "[i % 31]);
	for (size_t i = 0; i + 8 <= size; i += 512) {
		uint64_t r = engine_random();

		memcpy(data + i, &r, sizeof(r));
	}
	return data;
}

static inline int engine_try(struct making *m, const struct content *streams, size_t n, struct cr_error *err)
{
	char dir[PATH_MAX], packs[PATH_MAX + 8], past[PATH_MAX + 8];
	struct cr_pace pace;
	struct cr_writer_config config = {.job = 4711,
					  .generation = m->generation,
					  .dir = dir,
					  .packs = packs,
					  .pool = m->pool ? m->pool : 64u << 20,
					  .tables = m->tables ? m->tables : 8u << 20,
					  .level = m->level < 0	  ? 0
						   : m->level > 0 ? m->level
								  : 1,
					  .threads = m->threads ? m->threads : 1,
					  .pace = &pace};
	struct cr_writer *writer = NULL;
	uint32_t *ids = calloc(n + 1, sizeof(*ids));
	size_t *done = calloc(n + 1, sizeof(*done));
	bool *ended = calloc(n + 1, sizeof(*ended));
	size_t left = n;
	int rc;

	ck_assert(ids && done && ended);
	cr_pace_init(&pace, 0, 100);
	(void)snprintf(packs, sizeof(packs), "%s/packs", engine_store.dir);
	if (m->past) {
		cr_store_path(&engine_store, m->past, past);
		strcat(past, "/index");
		config.past = past;
	}
	for (size_t i = 0; i < n && !m->unexpected; i++)
		config.expected += streams[i].size;
	ck_assert_int_eq(cr_store_begin(&engine_store, m->generation, dir, err), 0);
	rc = cr_writer_open(&writer, &config, m->remark, sizeof(m->remark), err);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = cr_writer_stream(writer, streams[i].name, streams[i].archive, &ids[i], err);
	while (left > 0 && rc == 0) {
		/* one after the other, as poll would have it */
		for (size_t i = 0; i < n && rc == 0; i++) {
			size_t room, size = streams[i].size - done[i];
			size_t most = m->piece ? m->piece : engine_random() % 3 == 0 ? 700 : 150000;
			void *at;

			if (ended[i])
				continue;
			if (size == 0) {
				ended[i] = true;
				left--;
				rc = cr_writer_end(writer, ids[i], err);
				continue;
			}
			rc = cr_writer_room(writer, &at, &room, err);
			if (rc < 0)
				break;
			ck_assert_uint_gt(room, 0);
			size = size > room ? room : size;
			size = size > most ? most : size;
			memcpy(at, streams[i].data + done[i], size);
			done[i] += size;
			rc = cr_writer_advance(writer, ids[i], size, err);
		}
	}
	if (rc == 0)
		rc = cr_writer_settle(writer, err);
	if (rc == 0) {
		m->new_bytes = cr_writer_new_bytes(writer);
		rc = cr_writer_drain(writer, false, err);
	}
	if (rc == 0)
		rc = cr_writer_finish(writer, &m->result, err);
	cr_writer_close(writer);
	cr_pace_destroy(&pace);
	free(ids);
	free(done);
	free(ended);
	return rc;
}

static inline void engine_commit(uint32_t generation)
{
	struct cr_manifest m = generation_manifest(generation, 1);
	struct cr_error err = {0};
	char *text = NULL;

	unit_assert_ok(cr_manifest_encode(&m, &text, &err), &err);
	unit_assert_ok(cr_store_commit(&engine_store, &m, text, NULL, &err), &err);
	free(text);
}

/* Make a generation of streams and commit it. */
static inline void engine_make(struct making *m, const struct content *streams, size_t n)
{
	struct cr_error err = {0};

	ck_assert_msg(engine_try(m, streams, n, &err) == 0, "%s", err.text);
	engine_commit(m->generation);
	free(m->result.packs);
	m->result.packs = NULL;
}

/* All of a stream, malloc'ed; NULL with err. */
static inline unsigned char *engine_read(struct cr_image *image, size_t stream, size_t *size, struct cr_error *err)
{
	unsigned char *data = malloc((size_t)cr_image_stream_size(image, stream) + 1);
	struct cr_image_reader *reader = NULL;
	const void *piece;
	size_t n;
	int rc;

	*size = 0;
	ck_assert_ptr_nonnull(data);
	ck_assert_int_eq(cr_image_reader_open(&reader, image, stream, err), 0);
	while ((rc = cr_image_reader_next(reader, &piece, &n, err)) == 1) {
		ck_assert_uint_gt(n, 0);
		ck_assert_uint_le(*size + n, cr_image_stream_size(image, stream));
		memcpy(data + *size, piece, n);
		*size += n;
	}
	cr_image_reader_close(reader);
	if (rc == 0)
		return data;
	free(data);
	return NULL;
}

/* The generation is what it was made of. */
static inline void engine_compare(uint32_t generation, const struct content *streams, size_t n)
{
	struct cr_image *image = NULL;
	struct cr_error err = {0};

	ck_assert_msg(cr_image_open(&image, &engine_store, generation, &err) == 0, "%s", err.text);
	ck_assert_uint_eq(cr_image_streams(image), n);
	for (size_t i = 0; i < n; i++) {
		int64_t stream = cr_image_find(image, streams[i].name);
		unsigned char *data;
		size_t size;

		ck_assert_int_ge(stream, 0);
		ck_assert_uint_eq(cr_image_stream_size(image, (size_t)stream), streams[i].size);
		data = engine_read(image, (size_t)stream, &size, &err);
		ck_assert_msg(data != NULL, "%s", err.text);
		ck_assert_uint_eq(size, streams[i].size);
		ck_assert_msg(memcmp(data, streams[i].data, size) == 0, "stream %s differs", streams[i].name);
		free(data);
	}
	cr_image_close(image);
}

/* Make, commit, compare. */
static inline void engine_round(struct making *m, const struct content *streams, size_t n)
{
	engine_make(m, streams, n);
	engine_compare(m->generation, streams, n);
}

static inline void engine_free(struct content *streams, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(streams[i].data);
}

/* A whole file, malloc'ed. */
static inline unsigned char *engine_load(const char *path, size_t *size)
{
	FILE *file = fopen(path, "r");
	unsigned char *data;
	long end;

	ck_assert_msg(file != NULL, "%s", path);
	ck_assert_int_eq(fseek(file, 0, SEEK_END), 0);
	end = ftell(file);
	ck_assert_int_ge(end, 0);
	rewind(file);
	data = engine_zero((size_t)end);
	*size = fread(data, 1, (size_t)end, file);
	ck_assert_uint_eq(*size, (size_t)end);
	fclose(file);
	return data;
}

static inline void engine_save(const char *path, const void *data, size_t size)
{
	FILE *file = fopen(path, "w");

	ck_assert_msg(file != NULL, "%s", path);
	ck_assert_uint_eq(fwrite(data, 1, size, file), size);
	ck_assert_int_eq(fclose(file), 0);
}

/* A file of the store's that was made at path: cut short anywhere, or with something behind it, it is refused. */
static inline void engine_truncations(const char *path, int (*try)(const char *path, struct cr_error *err))
{
	struct cr_error err;
	size_t size;
	unsigned char *data = engine_load(path, &size);

	for (size_t n = 0; n < size; n++) {
		err = (struct cr_error){0};
		engine_save(unit_path("cut"), data, n);
		ck_assert_msg(try(unit_path("cut"), &err) == -1, "%zu of %zu bytes are taken", n, size);
		unit_assert_error(&err, EBADMSG, "cut");
	}
	engine_save(unit_path("cut"), data, size + 1);
	ck_assert_int_eq(try(unit_path("cut"), &err), -1);
	free(data);
}

/* And so it is with one bit of any byte changed; in the version's bytes that may look like a later one. */
static inline void engine_flips(const char *path, int (*try)(const char *path, struct cr_error *err))
{
	struct cr_error err;
	size_t size;
	unsigned char *data = engine_load(path, &size);

	for (size_t n = 0; n < size; n++) {
		for (unsigned bit = 1; bit < 256; bit <<= n % 3 + 2) {
			err = (struct cr_error){0};
			data[n] ^= (unsigned char)bit;
			engine_save(unit_path("flip"), data, size);
			ck_assert_msg(try(unit_path("flip"), &err) == -1, "byte %zu", n);
			ck_assert(err.errnum == EBADMSG || (err.errnum == EPROTONOSUPPORT && n >= 8 && n < 12));
			unit_assert_error(&err, err.errnum, "flip");
			data[n] ^= (unsigned char)bit;
		}
	}
	free(data);
}

#endif
