/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* edits.h - what the image reader changes in criu's images while criu gets them
 *
 * The table is in edits.c, an edit in edit_NAME.c; how one looks is in criuedit.h. They run in the reader's
 * filling thread, each time criu asks for an image; the image may be read there by other means, too
 * (cr_criuedit_read_image), for what an edit must know of others.
 */

#ifndef CR_INIT_EDITS_H
#define CR_INIT_EDITS_H

#include "criuedit.h"
#include "ghosts.h"
#include "image.h"
#include "job.h"
#include "manifest.h"

/* The arg of every edit. */
struct edits {
	const struct job *job; /* without its log: edits_remark() */
	int control;	       /* the worker's socket */
	unsigned remarks;      /* so far */
	const struct cr_manifest *m;
	struct cr_image *image;
	struct ghosts ghosts;
	bool ghosts_known;
	const char **binaries, **outputs; /* edit_files.c's: names, sorted */
	struct mm_plan *mm;		  /* edit_mm.c's */
};

/* The edits that are for a stream of the generation, *run, reading from reader; NULL when there are none. */
int edits_open(struct cr_criuedit_run **run, struct edits *edits, const char *stream,
	       struct cr_image_reader *reader, struct cr_error *err);

/* A line for the job's log, if there are not too many. */
void edits_remark(struct edits *edits, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ghosts_nameless(), before criu has asked for anything. */
int edits_nameless(struct edits *edits, size_t i, int *fd, uint32_t *id, struct cr_error *err);

/* What criu compares of files: modes and sizes that are no reason. */
int edit_files(ProtobufCMessage *file, struct cr_criuedit_entry *at, struct cr_error *err);

/* What criu sets as limits of the job's processes is no limit: crinit puts theirs back itself. */
bool edit_limits_wanted(void *edits);
int edit_limits(ProtobufCMessage *core, struct cr_criuedit_entry *at, struct cr_error *err);

/* A POSIX timer that is to signal a thread which has ended signals nobody, and cannot be made again as it is: it
 * becomes one that signals nobody. One of a thread's processor time, which signals that thread, gets its clock. */
int edit_timers(ProtobufCMessage *core, struct cr_criuedit_entry *at, struct cr_error *err);

/* What was removed while it was open gets a place of the job's own, and an owner that the user can give it. */
bool edit_ghosts_wanted(void *edits);
int edit_ghost_names(ProtobufCMessage *file, struct cr_criuedit_entry *at, struct cr_error *err);
int edit_ghost_remap(ProtobufCMessage *remap, struct cr_criuedit_entry *at, struct cr_error *err);
int edit_ghost(ProtobufCMessage *head, struct cr_criuedit_entry *at, struct cr_error *err);

/* Sockets bound to an address that this node has not are bound to all of its own; those whose name was removed get
 * no owner. */
int edit_sockets(ProtobufCMessage *file, struct cr_criuedit_entry *at, struct cr_error *err);

/* Memory areas: reservations, and what a forked process shares with its parent (areas.h). */
int edit_mm(ProtobufCMessage *mm, struct cr_criuedit_entry *at, struct cr_error *err);
void edit_mm_clear(struct edits *edits);

#endif
