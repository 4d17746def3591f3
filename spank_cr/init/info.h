/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* info.h - the file in which a program finds what a restart has changed for good
 *
 * In the tmpfs that each job has for itself, so that its path, which SPANK_CR_INFO tells the program, is the same
 * for every job. Lines NAME='value' that a shell can source.
 */

#ifndef CR_INIT_INFO_H
#define CR_INIT_INFO_H

#include <stdint.h>

#include "error.h"
#include "job.h"

struct info {
	const char *event;	     /* start, checkpoint, restore */
	uint32_t generation;	     /* to be made, or restored from; 0: none */
	const char *reason;	     /* of the checkpoint; NULL: none */
	const char *checkpoint_time; /* of the generation restored from; NULL: none */
};

/* All of the file's text, malloc'ed. */
char *info_text(const struct job *job, const struct info *info);

/* Replace the file. A failure is logged: no reason for anything. */
void info_write(const struct job *job, const struct info *info);

#endif
