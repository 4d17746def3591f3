/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* pack.h - a pack file: the chunks that one generation added to the store, in compressed blocks
 *
 * Chunks lie behind each other in the pack's raw space, bytes 0 to raw; a chunk is found by its raw position. The
 * raw space is cut into blocks, each compressed and checked by itself; no chunk crosses from one into another. The
 * file's layout is in doc/store.md. Neither writer nor reader is thread-safe.
 */

#ifndef CR_PACK_H
#define CR_PACK_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

#define CR_PACK_VERSION 1u
#define CR_PACK_BLOCK	(256u << 10) /* raw bytes of a block at the most */

enum cr_pack_codec { CR_PACK_RAW = 0, CR_PACK_ZSTD = 1 };

struct cr_pack_info {
	uint64_t size;	 /* bytes of the file */
	uint64_t raw;	 /* bytes of chunks */
	uint64_t blocks; /* number of them */
	uint64_t sum;	 /* of the block table: tells this pack from any other */
};

/* ---- writing ---- */

struct cr_pack_writer;

/* Create path, which must not exist. buffer: bytes that are collected before they are written. */
int cr_pack_create(struct cr_pack_writer **writer, const char *path, uint32_t job, uint32_t generation,
		   size_t buffer, struct cr_error *err);

/* Append a block whose chunks begin at raw_start: stored bytes at payload that codec turns into raw_size ones.
 * Blocks may come in any order; in the end they must cover the raw space without a gap. */
int cr_pack_append(struct cr_pack_writer *writer, uint64_t raw_start, uint32_t raw_size, enum cr_pack_codec codec,
		   const void *payload, uint32_t stored, struct cr_error *err);

/* Write table and footer, sync. The writer is gone afterwards, whatever is returned. */
int cr_pack_finish(struct cr_pack_writer *writer, struct cr_pack_info *info, struct cr_error *err);

/* Close without finishing; the file stays. NULL is fine. */
void cr_pack_discard(struct cr_pack_writer *writer);

/* ---- reading ---- */

struct cr_pack;

/* Open a pack and check its header, footer and table; a version newer than CR_PACK_VERSION is refused
 * (EPROTONOSUPPORT), anything else that is not as written is EBADMSG. */
int cr_pack_open(struct cr_pack **pack, const char *path, struct cr_error *err);
void cr_pack_close(struct cr_pack *pack);

const struct cr_pack_info *cr_pack_info(const struct cr_pack *pack);

/* The block that holds raw position raw, or -1 when there is none. */
int64_t cr_pack_find(const struct cr_pack *pack, uint64_t raw);

/* Where block begins in the raw space, and its raw size. */
uint64_t cr_pack_block_start(const struct cr_pack *pack, int64_t block);
uint32_t cr_pack_block_size(const struct cr_pack *pack, int64_t block);

/* Read block into to (at least CR_PACK_BLOCK bytes), checked and decompressed. What is wrong with it is told with
 * the file and the offset in it. */
int cr_pack_read(struct cr_pack *pack, int64_t block, void *to, struct cr_error *err);

/* Tell the kernel that the blocks from block on, some bytes of them, will be read soon. */
void cr_pack_ahead(struct cr_pack *pack, int64_t block, uint64_t bytes);

#endif
