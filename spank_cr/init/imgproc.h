/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* imgproc.h - a process beside the worker that handles images: the writer (capture.h) or the reader (serve.h)
 *
 * It is forked from the worker, has no capability, cannot be traced, and dies with the worker. What the job's user
 * may have put into images and packs is parsed there and nowhere else.
 */

#ifndef CR_INIT_IMGPROC_H
#define CR_INIT_IMGPROC_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"
#include "job.h"

struct imgproc {
	pid_t pid; /* 0: none */
	int fd;
	const char *what;      /* to call it by in errors; NULL: the image process */
	const struct job *job; /* in whose log its remarks are; NULL: in none */
};

enum imgproc_type {
	IMGPROC_READY = 1, /* ← it listens for criu */
	IMGPROC_CRIU,	   /* → criu's pid is value[0]: take its connection and no other */
	IMGPROC_STREAM,	   /* → text names a stream, the descriptor that comes along is its other end */
	IMGPROC_STREAMED,  /* ← reader: all of stream text was written; value[0] bytes */
	IMGPROC_BARRIER,   /* → writer: criu has written everything */
	IMGPROC_STAGED,	   /* ← all of it has been copied; value[0]: image bytes */
	IMGPROC_LATE,	   /* → writer: more streams come, then BARRIER again; value[0] as in DRAIN */
	IMGPROC_DRAIN,	   /* → write it; value[0]: politely, for the job runs */
	IMGPROC_DONE,	   /* ← durable; value: image, pack and index bytes, ms that it has stood back */
	IMGPROC_FAILED,	   /* ← text says why; it ends */
	IMGPROC_REMARK,	   /* ← text is for the log */
	IMGPROC_LIST,	   /* → rollback: look at directory value[0]; value[1]: clone its files */
	IMGPROC_LISTED,	   /* ← value: names, bytes, whether they were cloned */
	IMGPROC_NAMELESS,  /* → reader: make the files without a name. ← value[0] is the id of one, its descriptor
			    * comes along; 0: that was all */
	IMGPROC_SERVED,	   /* → reader: has criu come? ← value[0]: how many images it has asked for, here */
	IMGPROC_HURRY,	   /* → writer, after DRAIN: no politeness from now on */
};

struct imgproc_message {
	uint32_t type;
	uint64_t value[4];
	char text[768];
};

#define IMGPROC_KEPT 4

/* Fork; the child calls run(fd, arg) and ends. keep: a descriptor that is IMGPROC_KEPT there, or -1; all others
 * but fd are closed. */
int imgproc_start(struct imgproc *p, int keep, void (*run)(int fd, void *arg), void *arg, struct cr_error *err);

/* Send a message, with a descriptor (-1: none) that stays the caller's. */
int imgproc_send(int fd, const struct imgproc_message *m, int pass, struct cr_error *err);

/* Receive one. *pass gets a descriptor that came along, or -1; NULL: none is taken. timeout_ms -1: for ever.
 * Returns 1, 0 at the timeout, -1 on error (EPIPE: the other end is gone). */
int imgproc_receive(int fd, struct imgproc_message *m, int *pass, int timeout_ms, struct cr_error *err);

/* The same, and what it remarks on the way is in the job's log. */
int imgproc_next(const struct imgproc *p, struct imgproc_message *m, int *pass, int timeout_ms,
		 struct cr_error *err);

/* Nobody may have begun to trace it before that was forbidden: what it writes is sealed, what it reads is
 * restored. */
int imgproc_untraced(const struct imgproc *p, struct cr_error *err);

/* Is it a message of that type? Any other is an error, and FAILED says which. */
int imgproc_want(const struct imgproc_message *m, enum imgproc_type type, struct cr_error *err);

#define IMGPROC_WORDS_MS 200 /* for the last words of one that something has just failed for */

/* Wait for a message of a type; any other but a remark, and the end of the process, are errors. */
int imgproc_expect(struct imgproc *p, enum imgproc_type type, struct imgproc_message *m, struct cr_error *err);

/* If it has said why it failed, or was killed, put that into err and return 1. It may still be about to do so for
 * wait_ms. */
int imgproc_failure(struct imgproc *p, int wait_ms, struct cr_error *err);

/* criu has been started. */
int imgproc_criu(const struct imgproc *p, pid_t pid, struct cr_error *err);

/* Begin stream name over a pipe. Returns our end of it: 0 to read, 1 to write (ours). */
int imgproc_stream(const struct imgproc *p, const char *name, int ours, struct cr_error *err);

/* Kill and reap. */
void imgproc_end(struct imgproc *p);

/* ---- for the process itself ---- */

/* Say why it ends. */
void imgproc_fail(int fd, const struct cr_error *err);

/* Something for the job's log, which this process has not. Lost when the worker has not read many. */
void imgproc_remark(int fd, const char *text);

/* Take the connection of the process criu, and of nobody else, from a listening socket, which is closed here then
 * and becomes -1; others have it still. *fd is -1 when it was somebody else. */
int imgproc_accept(int *listening, pid_t criu, int *fd, struct cr_error *err);

/* Room for one more of n elements in an array, and in the polls of as many descriptors and own ones. */
int imgproc_room(void **array, size_t element, struct pollfd **polls, size_t own, size_t n, size_t *room,
		 struct cr_error *err);

#endif
