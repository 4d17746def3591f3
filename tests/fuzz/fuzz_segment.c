/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "fuzz.h"

#include "../../libcrcore/index.h"

static void repair(uint8_t *data, size_t size)
{
	if (size >= CR_SEGMENT_HEADER)
		cr_le64_put(data + 32, cr_chunk_sum(data, 32) ^
					       cr_chunk_sum(data + CR_SEGMENT_HEADER, size - CR_SEGMENT_HEADER));
}

/* What can be read is written the same again. */
static void run(const uint8_t *data, size_t size)
{
	struct cr_segment segment = {0};
	struct cr_error err = {0};
	void *bytes = NULL;
	size_t n = 0;

	if (cr_segment_decode(&segment, data, size, &err) == 0) {
		FUZZ_REQUIRE(segment.n_runs <= CR_SEGMENT_RUNS && segment.n_hashes <= CR_SEGMENT_HASHES);
		FUZZ_REQUIRE(cr_segment_encode(&segment, &bytes, &n, &err) == 0);
		FUZZ_REQUIRE(n == size && memcmp(bytes, data, size) == 0);
		free(bytes);
	} else {
		fuzz_error(&err);
	}
	cr_segment_clear(&segment);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_twice(data, size, repair, run);
}
