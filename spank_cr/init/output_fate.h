/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* output_fate.h - look at the files that the job had open, and decide what is to be done with each; nothing is
 * changed
 *
 * What each case comes to is in doc/files.md.
 */

#ifndef CR_INIT_OUTPUT_FATE_H
#define CR_INIT_OUTPUT_FATE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "directories.h"
#include "error.h"
#include "job.h"
#include "manifest.h"

/* What is to be done with a file, by its first name in the manifest. */
struct output_fate {
	size_t at;  /* the name under which it still is, or OUTPUT_NONE */
	bool leave; /* as it was: another user's and not changed, or put back with its directory */
	bool fresh; /* a new file takes its place */
};

struct output_restore {
	const struct job *job;
	const struct cr_manifest *m;
	const struct directories *directories;
	size_t *next; /* name of the same file, or OUTPUT_NONE */
	bool *first;  /* no name of this file comes before; never of stdout and stderr */
	struct output_fate *fates;
	bool rolled; /* the directories of --checkpoint-rollback are as they were */
};

/* directories: those that will have been made when output_change is called. */
int output_restore_open(struct output_restore *r, const struct job *job, const struct cr_manifest *m,
			const struct directories *directories, struct cr_error *err);

/* Changes nothing, may be called again. An error names the file that cannot be put back, or may not. */
int output_check(struct output_restore *r, struct cr_error *err);

void output_restore_close(struct output_restore *r);

/* There is a copy of the file, and it is wanted. */
bool output_has_copy(const struct output_restore *r, size_t first);

/* By size and time. */
bool output_changed(const struct cr_manifest_output *o, const struct stat *st);

#endif
