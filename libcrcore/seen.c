/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "seen.h"

#include <errno.h>
#include <sys/mman.h>

#define WAYS	 4u
#define SETS_MIN 64u

struct cr_seen_entry {
	struct cr_chunk_hash hash;
	uint64_t raw1; /* raw position plus 1; 0: free */
};

int cr_seen_open(struct cr_seen *seen, uint64_t chunks, size_t bytes, struct cr_error *err)
{
	uint64_t sets = SETS_MIN;
	void *p;

	while (sets * WAYS < chunks + chunks / 3 && 2 * sets * WAYS * sizeof(struct cr_seen_entry) <= bytes)
		sets *= 2;
	*seen = (struct cr_seen){.mask = sets - 1, .bytes = sets * WAYS * sizeof(struct cr_seen_entry)};
	p = mmap(NULL, seen->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (p == MAP_FAILED)
		return cr_error_sys(err, errno, "table of chunks");
	seen->entries = p;
	return 0;
}

void cr_seen_close(struct cr_seen *seen)
{
	if (seen->entries)
		(void)munmap(seen->entries, seen->bytes);
	*seen = (struct cr_seen){0};
}

void cr_seen_expect(const struct cr_seen *seen, struct cr_chunk_hash hash)
{
	const struct cr_seen_entry *set = seen->entries + (hash.low & seen->mask) * WAYS;

	__builtin_prefetch(set);
	__builtin_prefetch((const char *)(set + WAYS) - 1);
}

int cr_seen_find(const struct cr_seen *seen, struct cr_chunk_hash hash, uint64_t *raw)
{
	const struct cr_seen_entry *set = seen->entries + (hash.low & seen->mask) * WAYS;

	for (unsigned i = 0; i < WAYS; i++) {
		if (set[i].raw1 && cr_chunk_hash_same(set[i].hash, hash)) {
			*raw = set[i].raw1 - 1;
			return 1;
		}
	}
	return 0;
}

void cr_seen_put(struct cr_seen *seen, struct cr_chunk_hash hash, uint64_t raw)
{
	struct cr_seen_entry *set = seen->entries + (hash.low & seen->mask) * WAYS;
	unsigned way = 0;

	while (way < WAYS && set[way].raw1)
		way++;
	if (way == WAYS)
		way = seen->turn++ % WAYS;
	set[way] = (struct cr_seen_entry){.hash = hash, .raw1 = raw + 1};
}
