/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* capture.h - the image writer: takes what criu dump --stream sends, and what the worker adds, into a generation
 */

#ifndef CR_INIT_CAPTURE_H
#define CR_INIT_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "imgproc.h"
#include "job.h"

struct capture {
	struct imgproc proc;
	uint64_t image_bytes; /* what criu and the worker handed over */
	uint64_t pack_bytes, index_bytes;
	uint64_t paused_ms; /* that the drain stood back for the running job */
};

/* Start it for generation, whose temporary directory is dir; past: the newest committed one, or 0, and the
 * bytes of its images; more_bytes: that the caller's own streams will have. When this returns the staging pool has
 * been touched and the socket is there, in the job's home. */
int capture_start(struct capture *c, const struct job *job, uint32_t generation, const char *dir, uint32_t past,
		  uint64_t past_bytes, uint64_t more_bytes, struct cr_error *err);

/* criu has been started. */
int capture_criu(struct capture *c, pid_t pid, struct cr_error *err);

/* Begin a stream of our own; the caller writes it to the returned pipe and closes that. */
int capture_stream(struct capture *c, const char *name, struct cr_error *err);

/* While the job is frozen: wait until all that was sent has been copied. */
int capture_barrier(struct capture *c, struct cr_error *err);

/* After the barrier: more streams of our own are to come, whose content does not change with the thaw. Behind the
 * last of them comes another barrier. */
int capture_late(struct capture *c, bool polite, struct cr_error *err);

/* Write it; polite: the job runs. Then wait for the end with capture_wait. */
int capture_drain(struct capture *c, bool polite, struct cr_error *err);

/* The drain is to be over soon: the job is about to end. */
int capture_hurry(struct capture *c, struct cr_error *err);

/* Returns 1 when pack and index are durable, 0 after timeout_ms, -1. */
int capture_wait(struct capture *c, int timeout_ms, struct cr_error *err);

/* To be called every few seconds while the job stands still: has the writer done nothing at all for
 * CR_PACE_STALL_S? */
struct capture_progress {
	uint64_t cpu;  /* clock ticks it has used */
	int64_t since; /* CLOCK_MONOTONIC, ns, of the last change; 0: not looked yet */
};
bool capture_stalled(const struct capture *c, struct capture_progress *progress);

/* End the process, whatever it does; fine when there is none. */
void capture_end(struct capture *c);

#endif
