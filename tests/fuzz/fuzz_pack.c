/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "fuzz.h"

#include "../../libcrcore/pack.h"

#define HEADER	     64u
#define FOOTER	     64u
#define ENTRY	     32u
#define BLOCK_HEADER 32u
#define BLOCKS	     256u /* that are looked at */

/* Blocks where the table says they are, then the table, then footer and header. */
static void repair(uint8_t *data, size_t size)
{
	uint8_t *footer;
	uint64_t at, blocks;

	if (size < HEADER + FOOTER)
		return;
	footer = data + size - FOOTER;
	blocks = cr_le64_get(footer + 8);
	at = cr_le64_get(footer + 16);
	if (at <= size - FOOTER && blocks <= (size - FOOTER - at) / ENTRY) {
		for (uint64_t i = 0; i < blocks && i < BLOCKS; i++) {
			uint8_t *entry = data + at + i * ENTRY;
			uint64_t offset = cr_le64_get(entry + 8);
			uint32_t stored = cr_le32_get(entry + 20);

			if (offset > at || at - offset < BLOCK_HEADER || at - offset - BLOCK_HEADER < stored)
				continue;
			cr_le64_put(data + offset + 24, cr_chunk_sum(data + offset + BLOCK_HEADER, stored) ^
								cr_chunk_sum(data + offset, 24));
			memcpy(entry + 24, data + offset + 24, 8);
		}
		cr_le64_put(footer + 32, cr_chunk_sum(data + at, blocks * ENTRY));
	}
	cr_le64_put(footer + 56, cr_chunk_sum(footer, 56));
	cr_le64_put(data + 56, cr_chunk_sum(data, 56));
}

static void run(const uint8_t *data, size_t size)
{
	static uint8_t block[CR_PACK_BLOCK];
	const struct cr_pack_info *info;
	struct cr_error err = {0};
	struct cr_pack *pack = NULL;
	char path[PATH_MAX + 8];
	uint64_t raw = 0;

	fuzz_begin();
	(void)snprintf(path, sizeof(path), "%s/pack", fuzz_dir);
	fuzz_write(path, data, size);
	if (cr_pack_open(&pack, path, &err) < 0) {
		fuzz_error(&err);
		FUZZ_REQUIRE(pack == NULL);
		return;
	}
	info = cr_pack_info(pack);
	FUZZ_REQUIRE(info->size == size && info->blocks <= size / ENTRY);
	for (uint64_t i = 0; i < info->blocks; i++) {
		FUZZ_REQUIRE(cr_pack_block_start(pack, (int64_t)i) == raw);
		FUZZ_REQUIRE(cr_pack_find(pack, raw) == (int64_t)i);
		raw += cr_pack_block_size(pack, (int64_t)i);
		FUZZ_REQUIRE(cr_pack_find(pack, raw - 1) == (int64_t)i);
		if (i < BLOCKS && cr_pack_read(pack, (int64_t)i, block, &err) < 0)
			fuzz_error(&err);
	}
	FUZZ_REQUIRE(raw == info->raw && cr_pack_find(pack, raw) == -1);
	cr_pack_close(pack);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_twice(data, size, repair, run);
}
