/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* oracle.c - how small the files below DIR... could be made: prints "BYTES UNIQUE ORACLE FULL"
 *
 *   BYTES    the files as they are
 *   UNIQUE   of that, blocks of 4 KiB that are no zeros and have not been seen before
 *   ORACLE   those, one after the other, as one stream of zstd level 3
 *   FULL     the files as they are, one after the other, as one stream of zstd level 1
 *
 * Nobody has to read such an oracle: it holds no index, no names and no checksums.
 */

#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

#define BLOCK 4096u

struct stream {
	ZSTD_CCtx *zstd;
	unsigned char out[1u << 17];
	unsigned long long bytes;
};

struct set {
	XXH128_hash_t *slots;
	size_t size, used;
};

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void stream_open(struct stream *s, int level)
{
	s->zstd = ZSTD_createCCtx();
	if (!s->zstd || ZSTD_isError(ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_compressionLevel, level)))
		fail("zstd");
}

static void stream_add(struct stream *s, const void *data, size_t size, ZSTD_EndDirective end)
{
	ZSTD_inBuffer in = {data, size, 0};
	size_t left;

	do {
		ZSTD_outBuffer out = {s->out, sizeof(s->out), 0};

		left = ZSTD_compressStream2(s->zstd, &out, &in, end);
		if (ZSTD_isError(left))
			fail("zstd");
		s->bytes += out.pos;
	} while (in.pos < in.size || (end == ZSTD_e_end && left));
}

static int set_empty(const XXH128_hash_t *slot)
{
	return slot->low64 == 0 && slot->high64 == 0;
}

/* Returns 1 when it was not in it yet. */
static int set_add(struct set *set, XXH128_hash_t hash)
{
	size_t i;

	if (2 * (set->used + 1) > set->size) {
		struct set bigger = {.size = set->size ? 2 * set->size : 1u << 16};

		bigger.slots = calloc(bigger.size, sizeof(*bigger.slots));
		if (!bigger.slots)
			fail("calloc");
		for (i = 0; i < set->size; i++) {
			if (!set_empty(&set->slots[i]))
				set_add(&bigger, set->slots[i]);
		}
		free(set->slots);
		*set = bigger;
	}
	for (i = hash.low64 % set->size; !set_empty(&set->slots[i]); i = (i + 1) % set->size) {
		if (XXH128_isEqual(set->slots[i], hash))
			return 0;
	}
	set->slots[i] = hash;
	set->used++;
	return 1;
}

static int is_zero(const unsigned char *data, size_t size)
{
	return data[0] == 0 && memcmp(data, data + 1, size - 1) == 0;
}

static void file_add(const char *path, struct set *set, struct stream *oracle, struct stream *full,
		     unsigned long long *bytes, unsigned long long *unique)
{
	static unsigned char data[1u << 20];
	FILE *f = fopen(path, "re");
	size_t n;

	if (!f)
		fail(path);
	while ((n = fread(data, 1, sizeof(data), f)) > 0) {
		*bytes += n;
		stream_add(full, data, n, ZSTD_e_continue);
		for (size_t at = 0; at < n; at += BLOCK) {
			size_t size = n - at < BLOCK ? n - at : BLOCK;

			if (is_zero(data + at, size) || !set_add(set, XXH3_128bits(data + at, size)))
				continue;
			*unique += size;
			stream_add(oracle, data + at, size, ZSTD_e_continue);
		}
	}
	if (ferror(f))
		fail(path);
	fclose(f);
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

int main(int argc, char **argv)
{
	static struct stream oracle, full;
	unsigned long long bytes = 0, unique = 0;
	struct set set = {0};
	FTS *fts;
	FTSENT *e;

	if (argc < 2) {
		fprintf(stderr, "usage: oracle DIR...\n");
		return 2;
	}
	stream_open(&oracle, 3);
	stream_open(&full, 1);
	fts = fts_open(argv + 1, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
	if (!fts)
		fail("fts_open");
	while ((e = fts_read(fts))) {
		if (e->fts_info == FTS_F)
			file_add(e->fts_accpath, &set, &oracle, &full, &bytes, &unique);
	}
	fts_close(fts);
	stream_add(&oracle, NULL, 0, ZSTD_e_end);
	stream_add(&full, NULL, 0, ZSTD_e_end);
	printf("%llu %llu %llu %llu\n", bytes, unique, oracle.bytes, full.bytes);
	return 0;
}
