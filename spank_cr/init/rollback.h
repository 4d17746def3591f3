/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* rollback.h - the directories of --checkpoint-rollback: saved with a checkpoint, put back before a restore
 *
 * A process of its own does it, with no capability, as the image writer and reader are: what the job's user has
 * put into files and archives is looked at there. It knows the directories from its fork.
 */

#ifndef CR_INIT_ROLLBACK_H
#define CR_INIT_ROLLBACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture.h"
#include "error.h"
#include "imgproc.h"
#include "job.h"
#include "manifest.h"
#include "source.h"
#include "token.h"

/* What their streams' names begin with; the number of the directory follows. */
#define ROLLBACK_STREAMS "rollback/"
#define ROLLBACK_MOST	 32
#define ROLLBACK_NAMES	 1000000 /* of all together: each takes some 250 bytes while they are looked at */

struct rollback {
	struct imgproc proc;
	const struct job *job;
	const char *list; /* the job's, as it was given */
	uint64_t bytes;	  /* of all directories, before the freeze */
	uint32_t late;	  /* bit by directory: cloned, and not read yet */
	uint32_t differs; /* bit by directory: not as the checkpoint has it */
};

/* Before the freeze: start the process. It looks at all directories; what cannot be saved, for one because there
 * is more than the site allows, is said now. dir: the temporary one of the generation. running: the job will go
 * on, its files may be cloned; so their pages are written back meanwhile. */
int rollback_start(struct rollback *r, const struct job *job, const char *dir, bool running, struct cr_error *err);

/* While frozen: into streams of capture and the manifest. With clones it is tried to clone the files, and to leave
 * the reading for rollback_late. */
int rollback_record(struct rollback *r, const struct job *job, struct cr_manifest *m, struct capture *capture,
		    bool clones, struct cr_error *err);

/* After the thaw, before the drain. token: to be kept alive meanwhile. */
int rollback_late(struct rollback *r, struct capture *capture, struct cr_token *token, struct cr_error *err);

/* End the process; fine when there is none. */
void rollback_end(struct rollback *r);

/* Restore: compare all of them, and check that they can be put back; nothing is changed. Then rollback_apply, or
 * rollback_end at once. */
int rollback_compare(struct rollback *r, const struct job *job, const struct cr_manifest *m, struct source *source,
		     struct cr_error *err);

/* Put them back. */
int rollback_apply(struct rollback *r, const struct cr_manifest *m, struct source *source, struct cr_error *err);

#endif
