/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* output_restore.h - put the files that the job had open back to how they were: first look at all, then change
 *
 * What each case comes to is in doc/files.md.
 */

#ifndef CR_INIT_OUTPUT_RESTORE_H
#define CR_INIT_OUTPUT_RESTORE_H

#include <stdbool.h>
#include <stddef.h>

#include "directories.h"
#include "error.h"
#include "job.h"
#include "manifest.h"

/* What is to be done with a file, by its first name in the manifest. */
struct output_fate {
	size_t at;  /* the name under which it still is, or OUTPUT_NONE */
	bool leave; /* another user's, and not changed */
	bool fresh; /* a new file takes its place */
};

struct output_restore {
	const struct job *job;
	const struct cr_manifest *m;
	const struct directories *directories;
	size_t *next; /* name of the same file, or OUTPUT_NONE */
	bool *first;  /* no name of this file comes before; never of stdout and stderr */
	struct output_fate *fates;
};

/* directories: those that will have been made when output_change is called. */
int output_restore_open(struct output_restore *r, const struct job *job, const struct cr_manifest *m,
			const struct directories *directories, struct cr_error *err);

/* Changes nothing. An error names the file that cannot be put back, or may not. */
int output_check(struct output_restore *r, struct cr_error *err);

/* in: the stream OUTPUT_STREAM, or -1 when nothing was copied. */
int output_change(struct output_restore *r, int in, struct cr_error *err);

void output_restore_close(struct output_restore *r);

#endif
