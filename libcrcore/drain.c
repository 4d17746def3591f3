/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "drain.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <zstd.h>

#include "cleanup.h"
#include "memory.h"

#define SEGMENTS_MAX (8u << 20)	 /* bytes of segments that wait */
#define SAMPLE	     (16u << 10) /* bytes, taken together from so many places */
#define SAMPLES	     8u
#define WAIT_S	     1

struct segment {
	struct segment *next;
	void *bytes;
	size_t size;
	uint64_t start;
	uint32_t stream;
};

struct cr_drain {
	struct cr_drain_config config;
	unsigned char *memory;
	size_t memory_size;
	struct cr_block *blocks;
	uint32_t n_blocks;

	pthread_mutex_t lock; /* all below */
	pthread_cond_t work, room;
	struct cr_block *free, *ready, **ready_end;
	uint32_t n_free;
	struct segment *segments, **segments_end;
	size_t segment_bytes;
	uint64_t moved; /* blocks and segments that were written */
	bool go, polite, closing, dropping, failed;
	struct cr_error err;

	pthread_mutex_t pack_lock, index_lock; /* one each for the writers */
	pthread_t threads[CR_DRAIN_THREADS];
	unsigned n_threads;
};

/* A thread's own. */
struct packer {
	struct cr_drain *drain;
	ZSTD_CCtx *zstd;
	void *out;
	unsigned char *sample;
};

/* ---- one block, one segment ---- */

static void drain_fail(struct cr_drain *d, const struct cr_error *err)
{
	pthread_mutex_lock(&d->lock);
	if (!d->failed)
		d->err = *err;
	d->failed = true;
	pthread_cond_broadcast(&d->work);
	pthread_cond_broadcast(&d->room);
	pthread_mutex_unlock(&d->lock);
}

/* From all over the block: it may hold pieces of several streams. */
static void sample_take(const struct cr_block *b, unsigned char *to)
{
	for (uint32_t i = 0; i < SAMPLES; i++)
		memcpy(to + i * (SAMPLE / SAMPLES), b->data + (uint64_t)(b->used - SAMPLE) * i / (SAMPLES - 1),
		       SAMPLE / SAMPLES);
}

/* Compressed size, or 0 when it is better stored as it is. A sample tells what is not worth the whole effort. */
static size_t block_compress(const struct packer *p, const struct cr_block *b)
{
	size_t n;

	if (p->drain->config.level == 0)
		return 0;
	if (b->used > 4 * SAMPLE) {
		sample_take(b, p->sample);
		n = ZSTD_compress2(p->zstd, p->out, CR_PACK_BLOCK, p->sample, SAMPLE);
		if (ZSTD_isError(n) || n > SAMPLE - SAMPLE / 32)
			return 0;
	}
	n = ZSTD_compress2(p->zstd, p->out, b->used - b->used / 64, b->data, b->used);
	return ZSTD_isError(n) ? 0 : n;
}

static int block_write(const struct packer *p, const struct cr_block *b, struct cr_error *err)
{
	struct cr_drain *d = p->drain;
	size_t n = block_compress(p, b);
	int rc;

	cr_pace_cpu(d->config.pace);
	cr_pace_bytes(d->config.pace, n ? n : b->used);
	pthread_mutex_lock(&d->pack_lock);
	rc = cr_pack_append(d->config.pack, b->raw, b->used, n ? CR_PACK_ZSTD : CR_PACK_RAW, n ? p->out : b->data,
			    n ? (uint32_t)n : b->used, err);
	pthread_mutex_unlock(&d->pack_lock);
	return rc;
}

static int segments_write(struct cr_drain *d, struct segment *list, struct cr_error *err)
{
	int rc = 0;

	while (list) {
		struct segment *next = list->next;

		if (rc == 0)
			rc = cr_index_append(d->config.index, list->stream, list->start, list->bytes, list->size,
					     err);
		free(list->bytes);
		free(list);
		list = next;
	}
	return rc;
}

/* ---- the threads ---- */

static struct segment *segments_steal(struct cr_drain *d)
{
	struct segment *list = d->segments;

	d->segments = NULL;
	d->segments_end = &d->segments;
	d->segment_bytes = 0;
	return list;
}

static void block_release(struct cr_drain *d, struct cr_block *b)
{
	b->used = 0;
	b->next = d->free;
	d->free = b;
	d->n_free++;
	pthread_cond_broadcast(&d->room);
}

/* With the lock held, and again on return. Whoever takes the segments has the index before he lets the lock go, so
 * that they stay in order. */
static void segments_serve(struct cr_drain *d)
{
	struct segment *list;
	struct cr_error err;
	int rc;

	pthread_mutex_unlock(&d->lock);
	pthread_mutex_lock(&d->index_lock);
	pthread_mutex_lock(&d->lock);
	list = segments_steal(d);
	pthread_mutex_unlock(&d->lock);
	rc = segments_write(d, list, &err);
	pthread_mutex_unlock(&d->index_lock);
	if (rc < 0)
		drain_fail(d, &err);
	pthread_mutex_lock(&d->lock);
	d->moved++;
	pthread_cond_broadcast(&d->room);
}

static void block_serve(struct packer *p)
{
	struct cr_drain *d = p->drain;
	struct cr_block *b = d->ready;
	struct cr_error err;
	int rc;

	d->ready = b->next;
	if (!d->ready)
		d->ready_end = &d->ready;
	pthread_mutex_unlock(&d->lock);
	rc = block_write(p, b, &err);
	if (rc < 0)
		drain_fail(d, &err);
	pthread_mutex_lock(&d->lock);
	d->moved++;
	block_release(d, b);
}

static void *thread_main(void *arg)
{
	struct packer *p = arg;
	struct cr_drain *d = p->drain;
	bool lowered = false;

	pthread_mutex_lock(&d->lock);
	while (!d->failed && !d->dropping) {
		/* A courtesy to the job, once it runs. It cannot be taken back, and as long as the job stands
		 * still for us its neighbours on the node must not come first. */
		if (d->polite && !lowered) {
			lowered = true;
			(void)cr_pace_lower(NULL);
		}
		if (d->segments && (d->go || d->segment_bytes > SEGMENTS_MAX / 2))
			segments_serve(d);
		else if (d->ready && d->go)
			block_serve(p);
		else if (d->closing)
			break;
		else
			pthread_cond_wait(&d->work, &d->lock);
	}
	pthread_mutex_unlock(&d->lock);
	ZSTD_freeCCtx(p->zstd);
	free(p->out);
	free(p->sample);
	free(p);
	return NULL;
}

static int thread_start(struct cr_drain *d, struct cr_error *err)
{
	struct packer *p = calloc(1, sizeof(*p));
	pthread_attr_t attr;
	int rc = ENOMEM;

	if (p) {
		p->drain = d;
		p->zstd = ZSTD_createCCtx();
		p->out = malloc(CR_PACK_BLOCK);
		p->sample = malloc(SAMPLE);
	}
	if (p && p->zstd && p->out && p->sample) {
		ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_compressionLevel, d->config.level);
		ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_checksumFlag, 0);
		pthread_attr_init(&attr);
		pthread_attr_setstacksize(&attr, 256u << 10);
		rc = pthread_create(&d->threads[d->n_threads], &attr, thread_main, p);
		pthread_attr_destroy(&attr);
	}
	if (rc == 0) {
		d->n_threads++;
		return 0;
	}
	if (p) {
		ZSTD_freeCCtx(p->zstd);
		free(p->out);
		free(p->sample);
		free(p);
	}
	return cr_error_sys(err, rc, "starting a thread");
}

/* ---- opening ---- */

static int pool_open(struct cr_drain *d, struct cr_error *err)
{
	uint64_t n = d->config.pool / CR_PACK_BLOCK;

	d->n_blocks = n < CR_DRAIN_BLOCKS ? CR_DRAIN_BLOCKS : n > 1u << 24 ? 1u << 24 : (uint32_t)n;
	d->memory_size = (size_t)d->n_blocks * CR_PACK_BLOCK;
	d->blocks = calloc(d->n_blocks, sizeof(*d->blocks));
	d->memory = mmap(NULL, d->memory_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!d->blocks || d->memory == MAP_FAILED)
		return cr_error_sys(err, ENOMEM, "a staging pool of %zu MiB", d->memory_size >> 20);
	if (cr_memory_touch(d->memory, d->memory_size, err) < 0)
		return -1;
	for (uint32_t i = d->n_blocks; i-- > 0;) {
		d->blocks[i].data = d->memory + (size_t)i * CR_PACK_BLOCK;
		block_release(d, &d->blocks[i]);
	}
	return 0;
}

int cr_drain_open(struct cr_drain **drain, const struct cr_drain_config *config, struct cr_error *err)
{
	struct cr_drain *d = calloc(1, sizeof(*d));
	pthread_condattr_t attr;

	*drain = NULL;
	if (!d)
		return cr_error_sys(err, ENOMEM, "drain");
	d->config = *config;
	d->memory = MAP_FAILED;
	d->ready_end = &d->ready;
	d->segments_end = &d->segments;
	pthread_mutex_init(&d->lock, NULL);
	pthread_mutex_init(&d->pack_lock, NULL);
	pthread_mutex_init(&d->index_lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&d->work, &attr);
	pthread_cond_init(&d->room, &attr);
	pthread_condattr_destroy(&attr);
	if (pool_open(d, err) < 0) {
		cr_drain_close(d);
		return -1;
	}
	while (d->n_threads < config->threads && d->n_threads < CR_DRAIN_THREADS) {
		if (thread_start(d, err) < 0) {
			cr_drain_close(d);
			return -1;
		}
	}
	*drain = d;
	return 0;
}

/* ---- for the one that fills it ---- */

uint64_t cr_drain_free(struct cr_drain *d)
{
	uint64_t n;

	pthread_mutex_lock(&d->lock);
	n = d->n_free;
	pthread_mutex_unlock(&d->lock);
	return n * CR_PACK_BLOCK;
}

/* With the lock held: wait until something was written. */
static int room_wait(struct cr_drain *d, uint64_t *moved, time_t *since, struct cr_error *err)
{
	struct timespec until;

	if (d->failed) {
		*err = d->err;
		return -1;
	}
	d->go = true;
	pthread_cond_broadcast(&d->work);
	clock_gettime(CLOCK_MONOTONIC, &until);
	if (d->moved != *moved) {
		*moved = d->moved;
		*since = until.tv_sec;
	}
	/* a job that runs loses nothing by waiting */
	if (!d->polite && until.tv_sec - *since > CR_PACE_STALL_S)
		return cr_error_set(err, ETIMEDOUT, "the storage has taken nothing for %d s", CR_PACE_STALL_S);
	until.tv_sec += WAIT_S;
	(void)pthread_cond_timedwait(&d->room, &d->lock, &until);
	return 0;
}

int cr_drain_take(struct cr_drain *d, struct cr_block **block, struct cr_error *err)
{
	struct timespec now;
	uint64_t moved;
	int rc = 0;

	clock_gettime(CLOCK_MONOTONIC, &now);
	pthread_mutex_lock(&d->lock);
	moved = d->moved;
	while (rc == 0 && !d->free)
		rc = room_wait(d, &moved, &now.tv_sec, err);
	if (rc == 0) {
		*block = d->free;
		d->free = d->free->next;
		d->n_free--;
		(*block)->used = 0;
	}
	pthread_mutex_unlock(&d->lock);
	return rc;
}

void cr_drain_put(struct cr_drain *d, struct cr_block *b)
{
	pthread_mutex_lock(&d->lock);
	b->next = NULL;
	if (b->used == 0) {
		block_release(d, b);
	} else {
		*d->ready_end = b;
		d->ready_end = &b->next;
		pthread_cond_signal(&d->work);
	}
	pthread_mutex_unlock(&d->lock);
}

int cr_drain_segment(struct cr_drain *d, uint32_t stream, uint64_t start, void *bytes, size_t size,
		     struct cr_error *err)
{
	struct segment *s = malloc(sizeof(*s));
	struct timespec now;
	uint64_t moved;
	int rc = 0;

	if (!s) {
		free(bytes);
		return cr_error_sys(err, ENOMEM, "index segment");
	}
	*s = (struct segment){.bytes = bytes, .size = size, .start = start, .stream = stream};
	clock_gettime(CLOCK_MONOTONIC, &now);
	pthread_mutex_lock(&d->lock);
	*d->segments_end = s;
	d->segments_end = &s->next;
	d->segment_bytes += size;
	if (d->segment_bytes > SEGMENTS_MAX / 2)
		pthread_cond_signal(&d->work);
	moved = d->moved;
	while (rc == 0 && d->segment_bytes > SEGMENTS_MAX)
		rc = room_wait(d, &moved, &now.tv_sec, err);
	pthread_mutex_unlock(&d->lock);
	return rc;
}

void cr_drain_go(struct cr_drain *d, bool polite)
{
	if (polite)
		cr_pace_relax(d->config.pace);
	else
		cr_pace_hurry(d->config.pace);
	pthread_mutex_lock(&d->lock);
	d->go = true;
	d->polite = polite;
	pthread_cond_broadcast(&d->work);
	pthread_mutex_unlock(&d->lock);
}

static void threads_end(struct cr_drain *d, bool drop)
{
	pthread_mutex_lock(&d->lock);
	d->closing = true;
	d->go = true;
	d->dropping = drop;
	pthread_cond_broadcast(&d->work);
	pthread_mutex_unlock(&d->lock);
	if (drop)
		cr_pace_hurry(d->config.pace);
	while (d->n_threads > 0)
		pthread_join(d->threads[--d->n_threads], NULL);
}

int cr_drain_finish(struct cr_drain *d, struct cr_error *err)
{
	threads_end(d, false);
	if (d->failed) {
		*err = d->err;
		return -1;
	}
	return 0;
}

void cr_drain_close(struct cr_drain *d)
{
	struct segment *s;

	if (!d)
		return;
	threads_end(d, true);
	s = segments_steal(d);
	while (s) {
		struct segment *next = s->next;

		free(s->bytes);
		free(s);
		s = next;
	}
	if (d->memory != MAP_FAILED)
		(void)munmap(d->memory, d->memory_size);
	free(d->blocks);
	pthread_cond_destroy(&d->work);
	pthread_cond_destroy(&d->room);
	pthread_mutex_destroy(&d->lock);
	pthread_mutex_destroy(&d->pack_lock);
	pthread_mutex_destroy(&d->index_lock);
	free(d);
}
