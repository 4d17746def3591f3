/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "pack.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <zstd.h>

#include "chunk.h"
#include "cleanup.h"
#include "fs.h"
#include "outfile.h"

static const char pack_magic[8] = {'C', 'R', 'P', 'A', 'C', 'K', '\r', '\n'};
static const char end_magic[8] = {'C', 'R', 'P', 'K', 'E', 'N', 'D', '\n'};
#define BLOCK_MAGIC 0x314b4c42u /* "BLK1" */

#define HEADER	     64u
#define BLOCK_HEADER 32u
#define FOOTER	     64u
#define ENTRY	     32u

struct entry {
	uint64_t raw_start, offset;
	uint32_t raw_size, stored;
	uint64_t sum;
};

/* ---- writing ---- */

struct cr_pack_writer {
	struct cr_outfile out;
	struct entry *table;
	size_t n, n_room;
};

void cr_pack_discard(struct cr_pack_writer *w)
{
	if (!w)
		return;
	cr_outfile_release(&w->out);
	free(w->table);
	free(w);
}

int cr_pack_create(struct cr_pack_writer **writer, const char *path, uint32_t job, uint32_t generation,
		   size_t buffer, struct cr_error *err)
{
	unsigned char header[HEADER] = {0};
	struct cr_pack_writer *w = calloc(1, sizeof(*w));

	*writer = NULL;
	if (!w)
		return cr_error_sys(err, ENOMEM, "%s", path);
	if (cr_outfile_create(&w->out, path, buffer, err) < 0) {
		free(w);
		return -1;
	}
	memcpy(header, pack_magic, sizeof(pack_magic));
	cr_le32_put(header + 8, CR_PACK_VERSION);
	cr_le32_put(header + 16, job);
	cr_le32_put(header + 20, generation);
	cr_le64_put(header + 56, cr_chunk_sum(header, 56));
	if (cr_outfile_put(&w->out, header, sizeof(header), err) < 0) {
		cr_pack_discard(w);
		return -1;
	}
	*writer = w;
	return 0;
}

static int table_add(struct cr_pack_writer *w, const struct entry *entry, struct cr_error *err)
{
	if (w->n == w->n_room) {
		size_t room = w->n_room ? 2 * w->n_room : 64;
		struct entry *table = reallocarray(w->table, room, sizeof(*table));

		if (!table)
			return cr_error_sys(err, ENOMEM, "%s: block table", w->out.path);
		w->table = table;
		w->n_room = room;
	}
	w->table[w->n++] = *entry;
	return 0;
}

int cr_pack_append(struct cr_pack_writer *w, uint64_t raw_start, uint32_t raw_size, enum cr_pack_codec codec,
		   const void *payload, uint32_t stored, struct cr_error *err)
{
	struct entry entry = {.raw_start = raw_start,
			      .offset = cr_outfile_size(&w->out),
			      .raw_size = raw_size,
			      .stored = stored};
	unsigned char header[BLOCK_HEADER];

	if (raw_size == 0 || raw_size > CR_PACK_BLOCK || stored == 0 || stored > raw_size)
		return cr_error_set(err, EINVAL, "%s: a block of %u bytes stored as %u", w->out.path, raw_size,
				    stored);
	cr_le32_put(header, BLOCK_MAGIC);
	cr_le32_put(header + 4, codec);
	cr_le32_put(header + 8, raw_size);
	cr_le32_put(header + 12, stored);
	cr_le64_put(header + 16, raw_start);
	entry.sum = cr_chunk_sum(payload, stored) ^ cr_chunk_sum(header, 24);
	cr_le64_put(header + 24, entry.sum);
	if (cr_outfile_put(&w->out, header, sizeof(header), err) < 0 ||
	    cr_outfile_put(&w->out, payload, stored, err) < 0)
		return -1;
	return table_add(w, &entry, err);
}

static int entry_compare(const void *a, const void *b)
{
	uint64_t x = ((const struct entry *)a)->raw_start, y = ((const struct entry *)b)->raw_start;

	return (x > y) - (x < y);
}

static int table_put(struct cr_pack_writer *w, unsigned char *bytes, uint64_t *raw, struct cr_error *err)
{
	*raw = 0;
	if (w->n > 0)
		qsort(w->table, w->n, sizeof(*w->table), entry_compare);
	for (size_t i = 0; i < w->n; i++) {
		const struct entry *e = &w->table[i];

		if (e->raw_start != *raw)
			return cr_error_set(err, EINVAL, "%s: blocks do not join at %" PRIu64, w->out.path, *raw);
		*raw += e->raw_size;
		cr_le64_put(bytes + i * ENTRY, e->raw_start);
		cr_le64_put(bytes + i * ENTRY + 8, e->offset);
		cr_le32_put(bytes + i * ENTRY + 16, e->raw_size);
		cr_le32_put(bytes + i * ENTRY + 20, e->stored);
		cr_le64_put(bytes + i * ENTRY + 24, e->sum);
	}
	return cr_outfile_put(&w->out, bytes, w->n * ENTRY, err);
}

static int writer_close(struct cr_pack_writer *w, struct cr_pack_info *info, struct cr_error *err)
{
	cleanup_free unsigned char *bytes = malloc(w->n * ENTRY + 1);
	unsigned char footer[FOOTER] = {0};
	uint64_t at = cr_outfile_size(&w->out), raw;

	if (!bytes)
		return cr_error_sys(err, ENOMEM, "%s: block table", w->out.path);
	if (table_put(w, bytes, &raw, err) < 0)
		return -1;
	*info = (struct cr_pack_info){.size = at + w->n * ENTRY + FOOTER,
				      .raw = raw,
				      .blocks = w->n,
				      .sum = cr_chunk_sum(bytes, w->n * ENTRY)};
	memcpy(footer, end_magic, sizeof(end_magic));
	cr_le64_put(footer + 8, w->n);
	cr_le64_put(footer + 16, at);
	cr_le64_put(footer + 24, raw);
	cr_le64_put(footer + 32, info->sum);
	cr_le64_put(footer + 56, cr_chunk_sum(footer, 56));
	if (cr_outfile_put(&w->out, footer, sizeof(footer), err) < 0)
		return -1;
	return cr_outfile_finish(&w->out, err);
}

int cr_pack_finish(struct cr_pack_writer *w, struct cr_pack_info *info, struct cr_error *err)
{
	int rc = writer_close(w, info, err);

	cr_pack_discard(w);
	return rc;
}

/* ---- reading ---- */

struct cr_pack {
	int fd;
	char *path;
	struct cr_pack_info info;
	uint64_t table_at;
	struct entry *table;
	unsigned char *scratch; /* a stored block with its header */
	ZSTD_DCtx *zstd;
};

void cr_pack_close(struct cr_pack *pack)
{
	if (!pack)
		return;
	if (pack->fd >= 0)
		close(pack->fd);
	free(pack->path);
	free(pack->table);
	free(pack->scratch);
	ZSTD_freeDCtx(pack->zstd);
	free(pack);
}

static int header_check(struct cr_pack *pack, struct cr_error *err)
{
	unsigned char header[HEADER];
	uint32_t version;

	if (pack->info.size < HEADER + FOOTER)
		return cr_error_set(err, EBADMSG, "%s: too short for a pack", pack->path);
	if (cr_fs_pread_all(pack->fd, header, sizeof(header), 0, err) < 0)
		return cr_error_prefix(err, "%s", pack->path);
	if (memcmp(header, pack_magic, sizeof(pack_magic)) != 0)
		return cr_error_set(err, EBADMSG, "%s: not a pack", pack->path);
	version = cr_le32_get(header + 8);
	if (version > CR_PACK_VERSION)
		return cr_error_set(
			err, EPROTONOSUPPORT,
			"%s: pack version %u is newer than %u, the newest that this spank_cr reads: use "
			"the version that wrote it, or a later one",
			pack->path, version, CR_PACK_VERSION);
	if (version < 1 || cr_le64_get(header + 56) != cr_chunk_sum(header, 56))
		return cr_error_set(err, EBADMSG, "%s: its header is damaged (offset 0)", pack->path);
	return 0;
}

static int footer_read(struct cr_pack *pack, struct cr_error *err)
{
	struct cr_pack_info *info = &pack->info;
	uint64_t at = info->size - FOOTER, most = (info->size - HEADER - FOOTER) / (ENTRY + BLOCK_HEADER);
	unsigned char footer[FOOTER];

	if (cr_fs_pread_all(pack->fd, footer, sizeof(footer), at, err) < 0)
		return cr_error_prefix(err, "%s", pack->path);
	info->blocks = cr_le64_get(footer + 8);
	pack->table_at = cr_le64_get(footer + 16);
	info->raw = cr_le64_get(footer + 24);
	info->sum = cr_le64_get(footer + 32);
	if (memcmp(footer, end_magic, sizeof(end_magic)) != 0 ||
	    cr_le64_get(footer + 56) != cr_chunk_sum(footer, 56) || info->blocks > most ||
	    pack->table_at != at - info->blocks * ENTRY)
		return cr_error_set(err, EBADMSG, "%s: its end is missing or damaged (offset %" PRIu64 ")",
				    pack->path, at);
	return 0;
}

static int table_read(struct cr_pack *pack, struct cr_error *err)
{
	const struct cr_pack_info *info = &pack->info;
	size_t size = (size_t)info->blocks * ENTRY;
	cleanup_free unsigned char *bytes = malloc(size + 1);
	uint64_t raw = 0;

	pack->table = calloc((size_t)info->blocks + 1, sizeof(*pack->table));
	if (!bytes || !pack->table)
		return cr_error_sys(err, ENOMEM, "%s: block table", pack->path);
	if (cr_fs_pread_all(pack->fd, bytes, size, pack->table_at, err) < 0)
		return cr_error_prefix(err, "%s", pack->path);
	if (cr_chunk_sum(bytes, size) != info->sum)
		return cr_error_set(err, EBADMSG, "%s: its block table is damaged (offset %" PRIu64 ")",
				    pack->path, pack->table_at);
	for (uint64_t i = 0; i < info->blocks; i++) {
		struct entry *e = &pack->table[i];

		e->raw_start = cr_le64_get(bytes + i * ENTRY);
		e->offset = cr_le64_get(bytes + i * ENTRY + 8);
		e->raw_size = cr_le32_get(bytes + i * ENTRY + 16);
		e->stored = cr_le32_get(bytes + i * ENTRY + 20);
		e->sum = cr_le64_get(bytes + i * ENTRY + 24);
		if (e->raw_start != raw || e->raw_size == 0 || e->raw_size > CR_PACK_BLOCK || e->stored == 0 ||
		    e->stored > e->raw_size || e->offset < HEADER || e->offset > pack->table_at ||
		    pack->table_at - e->offset < BLOCK_HEADER + e->stored)
			return cr_error_set(err, EBADMSG, "%s: block %" PRIu64 " of its table makes no sense",
					    pack->path, i);
		raw += e->raw_size;
	}
	if (raw != info->raw)
		return cr_error_set(err, EBADMSG, "%s: its blocks hold %" PRIu64 " bytes, not %" PRIu64,
				    pack->path, raw, info->raw);
	return 0;
}

static int pack_load(struct cr_pack *pack, const char *path, struct cr_error *err)
{
	struct stat st;

	pack->path = strdup(path);
	pack->scratch = malloc(BLOCK_HEADER + CR_PACK_BLOCK);
	pack->zstd = ZSTD_createDCtx();
	if (!pack->path || !pack->scratch || !pack->zstd)
		return cr_error_sys(err, ENOMEM, "%s", path);
	pack->fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (pack->fd < 0 || fstat(pack->fd, &st) < 0)
		return cr_error_sys(err, errno, "cannot open %s", path);
	if (!S_ISREG(st.st_mode))
		return cr_error_set(err, EBADMSG, "%s is not a regular file", path);
	pack->info.size = (uint64_t)st.st_size;
	if (header_check(pack, err) < 0 || footer_read(pack, err) < 0)
		return -1;
	return table_read(pack, err);
}

int cr_pack_open(struct cr_pack **pack, const char *path, struct cr_error *err)
{
	*pack = calloc(1, sizeof(**pack));
	if (!*pack)
		return cr_error_sys(err, ENOMEM, "%s", path);
	(*pack)->fd = -1;
	if (pack_load(*pack, path, err) < 0) {
		cr_pack_close(*pack);
		*pack = NULL;
		return -1;
	}
	return 0;
}

const struct cr_pack_info *cr_pack_info(const struct cr_pack *pack)
{
	return &pack->info;
}

int64_t cr_pack_find(const struct cr_pack *pack, uint64_t raw)
{
	uint64_t low = 0, high = pack->info.blocks;

	if (raw >= pack->info.raw)
		return -1;
	while (high - low > 1) {
		uint64_t middle = low + (high - low) / 2;

		if (pack->table[middle].raw_start <= raw)
			low = middle;
		else
			high = middle;
	}
	return (int64_t)low;
}

uint64_t cr_pack_block_start(const struct cr_pack *pack, int64_t block)
{
	return pack->table[block].raw_start;
}

uint32_t cr_pack_block_size(const struct cr_pack *pack, int64_t block)
{
	return pack->table[block].raw_size;
}

static int block_damaged(const struct cr_pack *pack, const struct entry *e, const char *what, struct cr_error *err)
{
	return cr_error_set(err, EBADMSG, "%s: the block at offset %" PRIu64 " is damaged: %s", pack->path,
			    e->offset, what);
}

int cr_pack_read(struct cr_pack *pack, int64_t block, void *to, struct cr_error *err)
{
	const struct entry *e = &pack->table[block];
	unsigned char *header = pack->scratch, *payload = header + BLOCK_HEADER;
	size_t n;

	if (cr_fs_pread_all(pack->fd, header, BLOCK_HEADER + e->stored, e->offset, err) < 0)
		return cr_error_prefix(err, "%s", pack->path);
	if (cr_le32_get(header) != BLOCK_MAGIC || cr_le32_get(header + 8) != e->raw_size ||
	    cr_le32_get(header + 12) != e->stored || cr_le64_get(header + 16) != e->raw_start ||
	    cr_le64_get(header + 24) != e->sum)
		return block_damaged(pack, e, "its header is not what the table says", err);
	if (e->sum != (cr_chunk_sum(payload, e->stored) ^ cr_chunk_sum(header, 24)))
		return block_damaged(pack, e, "its checksum differs", err);
	switch (cr_le32_get(header + 4)) {
	case CR_PACK_RAW:
		if (e->stored != e->raw_size)
			return block_damaged(pack, e, "its sizes differ", err);
		memcpy(to, payload, e->raw_size);
		return 0;
	case CR_PACK_ZSTD:
		n = ZSTD_decompressDCtx(pack->zstd, to, e->raw_size, payload, e->stored);
		if (ZSTD_isError(n) || n != e->raw_size)
			return block_damaged(pack, e, "it does not decompress", err);
		return 0;
	default:
		return block_damaged(pack, e, "it is compressed in an unknown way", err);
	}
}

void cr_pack_ahead(struct cr_pack *pack, int64_t block, uint64_t bytes)
{
	if (block >= 0 && (uint64_t)block < pack->info.blocks)
		(void)posix_fadvise(pack->fd, (off_t)pack->table[block].offset, (off_t)bytes, POSIX_FADV_WILLNEED);
}
