/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* source.h - what a restore reads: the streams of a generation, whichever format it has
 *
 * Since format 2 they come from the image reader (serve.h), verified as they are read. In format 1 each was a file
 * of the generation, and all are verified first.
 */

#ifndef CR_INIT_SOURCE_H
#define CR_INIT_SOURCE_H

#include <limits.h>
#include <stdbool.h>

#include "error.h"
#include "job.h"
#include "manifest.h"
#include "serve.h"

struct source {
	struct serve serve;
	bool files; /* format 1 */
	char dir[PATH_MAX];
	char images[PATH_MAX + 16];
	char nameless[GHOSTS_NAMELESS_MAX][64];
};

/* dir: of the generation; m is its manifest, which the caller has checked with its seal. */
int source_open(struct source *source, const struct job *job, const struct cr_manifest *m, const char *dir,
		struct cr_error *err);

/* A descriptor to read stream name from. After its end source_streamed tells whether that was all. */
int source_stream(struct source *source, const char *name, struct cr_error *err);
int source_streamed(struct source *source, struct cr_error *err);

/* criu's --images-dir, or NULL when it is to take the stream; and its pid, once it was started. */
const char *source_images(const struct source *source);
int source_criu(struct source *source, pid_t pid, struct cr_error *err);

/* The socket of the process that it comes from, which hangs up when that ends; -1: there is none. */
int source_peer(const struct source *source);

/* Has criu read its images from this source, and not from somebody who has put himself in its place? */
int source_served(struct source *source, struct cr_error *err);

/* Descriptors for criu of files that had no name, with what it calls them: each is given to add. */
int source_nameless(struct source *source, int (*add)(void *arg, int fd, const char *name, struct cr_error *err),
		    void *arg, struct cr_error *err);

/* Has it failed meanwhile? To criu that looks like the end of a file, which some images may have anywhere. */
int source_failed(struct source *source, struct cr_error *err);

/* Something failed: if it was the source that did, put its reason into err, instead of what followed from it. */
void source_blame(struct source *source, struct cr_error *err);

void source_close(struct source *source);

#endif
