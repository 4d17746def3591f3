/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* serve.h - the image reader: feeds criu restore --stream, and the worker, from a generation */

#ifndef CR_INIT_SERVE_H
#define CR_INIT_SERVE_H

#include <stdint.h>

#include "error.h"
#include "ghosts.h"
#include "imgproc.h"
#include "job.h"

struct serve {
	struct imgproc proc;
};

/* Start it for the job's generation, whose manifest is m; when this returns index and packs are open and the
 * socket is there. */
int serve_start(struct serve *serve, const struct job *job, const struct cr_manifest *m, struct cr_error *err);

/* criu has been started. */
int serve_criu(struct serve *s, pid_t pid, struct cr_error *err);

/* Has criu read its images from here? It asks one process for all of them. */
int serve_served(struct serve *s, struct cr_error *err);

/* The read end of a pipe from which stream name comes; no such stream is ENOENT. Whoever has read to its end asks
 * serve_streamed whether that was all. One at a time. */
int serve_stream(struct serve *s, const char *name, struct cr_error *err);
int serve_streamed(struct serve *s, struct cr_error *err);

/* Have the files made that had no name (ghosts.h). How many, or -1. */
int serve_nameless(struct serve *s, int fds[GHOSTS_NAMELESS_MAX], uint32_t ids[GHOSTS_NAMELESS_MAX],
		   struct cr_error *err);

/* Why it failed, if it did: into err, returning 1. */
int serve_failure(struct serve *s, int wait_ms, struct cr_error *err);

void serve_end(struct serve *s);

#endif
