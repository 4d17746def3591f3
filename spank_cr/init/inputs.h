/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* inputs.h - what the job has open, and its owner has closed since: opened up until criu has it
 *
 * A chmod after the checkpoint changes nothing for a program that runs, and is no reason not to go on with it. All
 * files are looked at that criu will open: descriptors, mappings, programs, working directories, and the
 * directories on the way. What belongs to the job's user gets the permission that is missing (opened.h), and its
 * mode back.
 */

#ifndef CR_INIT_INPUTS_H
#define CR_INIT_INPUTS_H

#include <stddef.h>

#include "error.h"
#include "job.h"
#include "manifest.h"
#include "opened.h"
#include "source.h"

struct inputs {
	struct input {
		char *path;
		int access; /* R_OK, W_OK, X_OK */
	} *list;
	size_t n, room;
	struct opened opened;
};

/* Read what criu will open, and open up the directories on the way. inputs_close is called in any case. */
int inputs_read(struct inputs *inputs, const struct job *job, const struct cr_manifest *m, struct source *source,
		struct cr_error *err);

/* Open up the files themselves; when the job's files have been put back. */
int inputs_open(struct inputs *inputs, struct cr_error *err);

/* All modes as they were; once more does nothing. */
void inputs_close(struct inputs *inputs);

#endif
