/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* fuzz.h - what the fuzz targets share: a store to read from, and what must hold whatever the input is
 *
 * Checksums would keep a fuzzer out. So each target reads its input twice: as it is, and with all sums made good.
 */

#ifndef CR_FUZZ_H
#define CR_FUZZ_H

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../libcrcore/chunk.h"
#include "../../libcrcore/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char fuzz_dir[PATH_MAX] __attribute__((unused));

static inline void fuzz_require(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "this does not hold: %s\n", what);
	abort();
}
#define FUZZ_REQUIRE(condition) fuzz_require(condition, #condition)

/* An error is set, and one line. */
static inline void fuzz_error(const struct cr_error *err)
{
	FUZZ_REQUIRE(err->errnum != 0);
	FUZZ_REQUIRE(err->text[0] && !strchr(err->text, '\n'));
}

static inline void fuzz_end(void)
{
	char command[PATH_MAX + 16];

	(void)snprintf(command, sizeof(command), "rm -rf '%s'", fuzz_dir);
	if (system(command) != 0)
		fprintf(stderr, "%s is left behind\n", fuzz_dir);
}

/* A directory of this process's own, in memory where there is such a place. Made once. */
static inline void fuzz_begin(void)
{
	if (fuzz_dir[0])
		return;
	(void)snprintf(fuzz_dir, sizeof(fuzz_dir), "%s/cr-fuzz.XXXXXX",
		       access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	FUZZ_REQUIRE(mkdtemp(fuzz_dir) != NULL);
	FUZZ_REQUIRE(atexit(fuzz_end) == 0);
}

static inline void fuzz_write(const char *path, const void *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	FUZZ_REQUIRE(fd >= 0);
	FUZZ_REQUIRE(write(fd, data, size) == (ssize_t)size);
	FUZZ_REQUIRE(close(fd) == 0);
}

/* Read the input, and once more after repair has changed a copy of it. */
static inline int fuzz_twice(const uint8_t *data, size_t size, void (*repair)(uint8_t *data, size_t size),
			     void (*run)(const uint8_t *data, size_t size))
{
	uint8_t *copy = malloc(size + 1);

	if (!copy)
		return -1;
	memcpy(copy, data, size);
	repair(copy, size);
	run(data, size);
	if (memcmp(copy, data, size) != 0)
		run(copy, size);
	free(copy);
	return 0;
}

#endif
