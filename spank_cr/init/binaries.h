/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* binaries.h - the programs and libraries that the job's processes run, for the manifest
 *
 * criu does not keep their content: it maps the files again. So the next node must have the same ones. Which they
 * are is only certain while the job stands still; what takes time, looking into them, is done before and after
 * that, and not again for what the last generation's manifest knows already.
 */

#ifndef CR_INIT_BINARIES_H
#define CR_INIT_BINARIES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "manifest.h"

struct binary {
	char *path;
	uint64_t size;
	int64_t mtime_ns;
	char *build_id; /* NULL: not looked into yet */
	bool used;	/* by a process that is frozen */
};

struct binaries {
	struct binary *list; /* each path once */
	size_t n, room, hint;
	size_t more; /* times that one was met for which there was no place */
};

/* Before the freeze: see what root's tree runs, and look into it. past: the last generation's manifest, or zeroed.
 */
int binaries_begin(struct binaries *b, pid_t root, const struct cr_manifest *past, struct cr_error *err);

/* While frozen: what it really runs. */
int binaries_frozen(struct binaries *b, pid_t root, struct cr_error *err);

/* Look into what has come since, and put all that the frozen tree ran into the manifest. Fails with E2BIG when
 * that were too many; the first are in it. */
int binaries_record(struct binaries *b, struct cr_manifest *m, struct cr_error *err);

void binaries_clear(struct binaries *b);

#endif
