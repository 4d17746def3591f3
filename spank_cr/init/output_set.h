/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* output_set.h - find a manifest's outputs by inode: a job may have ten thousand files open, in many processes */

#ifndef CR_INIT_OUTPUT_SET_H
#define CR_INIT_OUTPUT_SET_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "manifest.h"

#define OUTPUT_NONE SIZE_MAX

struct output_set {
	size_t *slots; /* number of an output + 1, or 0; an inode's outputs in their order */
	size_t room;   /* a power of two */
	size_t n;
};

/* Take in all that m has beyond those that were taken in. */
int output_set_update(struct output_set *set, const struct cr_manifest *m, struct cr_error *err);

/* The first output that is this inode, by the name path; NULL: by any name. */
size_t output_set_find(const struct output_set *set, const struct cr_manifest *m, uint64_t dev, uint64_t ino,
		       const char *path);

void output_set_clear(struct output_set *set);

#endif
