/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "chunk.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <xxhash.h>

int cr_chunk_key_make(struct cr_chunk_key *key, struct cr_error *err)
{
	/* up to 256 bytes come whole or not at all */
	if (getrandom(key->secret, sizeof(key->secret), 0) != (ssize_t)sizeof(key->secret))
		return cr_error_sys(err, errno, "getrandom");
	return 0;
}

struct cr_chunk_hash cr_chunk_hash(const struct cr_chunk_key *key, const void *data, size_t size)
{
	XXH128_hash_t h = XXH3_128bits_withSecret(data, size, key->secret, sizeof(key->secret));

	return (struct cr_chunk_hash){.low = h.low64, .high = h.high64};
}

bool cr_chunk_zero(const void *data, size_t size)
{
	const unsigned char *p = data;
	uint64_t word[8];

	/* most chunks that are not zero say so in their first words */
	for (; size >= sizeof(word); p += sizeof(word), size -= sizeof(word)) {
		memcpy(word, p, sizeof(word));
		if (word[0] | word[1] | word[2] | word[3] | word[4] | word[5] | word[6] | word[7])
			return false;
	}
	for (; size > 0; p++, size--) {
		if (*p)
			return false;
	}
	return true;
}

uint64_t cr_chunk_sum(const void *data, size_t size)
{
	return XXH3_64bits(data, size);
}

uint16_t cr_le16_get(const void *at)
{
	uint16_t v;

	memcpy(&v, at, sizeof(v));
	return le16toh(v);
}

uint32_t cr_le32_get(const void *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return le32toh(v);
}

uint64_t cr_le64_get(const void *at)
{
	uint64_t v;

	memcpy(&v, at, sizeof(v));
	return le64toh(v);
}

void cr_le16_put(void *at, uint16_t value)
{
	value = htole16(value);
	memcpy(at, &value, sizeof(value));
}

void cr_le32_put(void *at, uint32_t value)
{
	value = htole32(value);
	memcpy(at, &value, sizeof(value));
}

void cr_le64_put(void *at, uint64_t value)
{
	value = htole64(value);
	memcpy(at, &value, sizeof(value));
}
