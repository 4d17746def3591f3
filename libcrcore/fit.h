/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* fit.h - can a node go on with a generation? doc/fit.md says what is compared and why */

#ifndef CR_FIT_H
#define CR_FIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "manifest.h"

/* A file as it is on this node. */
struct cr_fit_file {
	bool found;  /* a regular file is there; but for shared nothing else is set otherwise */
	bool shared; /* the path is on storage that other nodes have as well */
	uint64_t size;
	int64_t mtime_ns;
	char build_id[2 * 64 + 1]; /* "" when it has none */
};

/* What this node is. */
struct cr_fit_node {
	const char *kernel;    /* release and machine */
	const char *cpu_flags; /* as in /proc/cpuinfo */
	uint32_t xsave_bytes;  /* 0: not known */
	const char *criu;
	const char *glibc;
	/* Fill *file for path; may not fail: what cannot be looked at is not found. */
	void (*file)(const char *path, struct cr_fit_file *file, void *arg);
	void *arg;
};

/* Why not, in words. */
struct cr_fit {
	unsigned reasons;
	unsigned shared; /* of them, those that hold on every node: files on shared storage */
	unsigned said;	 /* of them, in text; the rest is "and N more" there */
	char text[600];	 /* "the processor has no avx2; /usr/bin/x is missing; and 3 more"; "" when it fits */
};

/* Compare. What the manifest does not say (older formats) counts as fitting. */
void cr_fit_compare(struct cr_fit *fit, const struct cr_manifest *m, const struct cr_fit_node *node);

/* One reason more, of the node's. */
void cr_fit_add(struct cr_fit *fit, const char *reason);

/* Two versions: numbers separated by dots, compared number by number for as many as there are in the first; what
 * follows the numbers does not count. Returns <0, 0, >0 as strcmp; 0 too when either is none. */
int cr_fit_versions(const char *a, const char *b, int numbers);

#endif
