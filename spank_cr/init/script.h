/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* script.h - the text of the batch script, which a shell reads on in after a restore */

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

/* Has the job the script that its root would read on in? Where nothing was recorded it may have any. */
int script_check(const struct job *job, const struct cr_manifest *m, struct source *source, struct cr_error *err);

#endif
