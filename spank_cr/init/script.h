/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* script.h - the batch script, which the shell reads as it goes: a restored job reads on in what it began with
 *
 * Slurm writes its own copy of it to the node at each start. Nothing of Slurm's changes that copy, but root can.
 * A shell that reads on in another text, in the middle of it, would run anything.
 */

#ifndef CR_INIT_SCRIPT_H
#define CR_INIT_SCRIPT_H

#include "capture.h"
#include "error.h"
#include "job.h"
#include "manifest.h"
#include "source.h"

#define SCRIPT_STREAM "files/script"

/* While frozen: where the job's root reads in the script, and the whole of it. Nothing when it does not have it
 * open: another interpreter, or a program that took the shell's place. */
int script_record(const struct job *job, struct cr_manifest *m, struct capture *capture, struct cr_error *err);

/* A job that is started again: when what Slurm has put on this node is not what it has begun with, say so, and put
 * that there. A new one (--restart-from): an error then. Where nothing was recorded any script will do. */
int script_restore(const struct job *job, const struct cr_manifest *m, struct source *source,
		   struct cr_error *err);

#endif
