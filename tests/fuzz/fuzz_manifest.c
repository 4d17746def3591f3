/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "fuzz.h"

#include "../../libcrcore/manifest.h"

/* What can be read can be written, and reads the same again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cr_manifest m = {0}, again = {0};
	char *text = NULL, *second = NULL;
	struct cr_error err = {0};

	if (cr_manifest_decode(&m, (const char *)data, size, &err) < 0) {
		fuzz_error(&err);
		FUZZ_REQUIRE(m.part == NULL && m.n_files == 0 && m.n_packs == 0 && m.n_outputs == 0);
		return 0;
	}
	FUZZ_REQUIRE(cr_manifest_encode(&m, &text, &err) == 0);
	FUZZ_REQUIRE(cr_manifest_decode(&again, text, strlen(text), &err) == 0);
	FUZZ_REQUIRE(cr_manifest_encode(&again, &second, &err) == 0);
	FUZZ_REQUIRE(strcmp(text, second) == 0);
	cr_manifest_clear(&m);
	cr_manifest_clear(&again);
	free(text);
	free(second);
	return 0;
}
