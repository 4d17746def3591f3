/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* streams.h - stdout and stderr of the job, which Slurm opens, and truncates when it starts the job again */

#ifndef CR_INIT_STREAMS_H
#define CR_INIT_STREAMS_H

#include "capture.h"
#include "error.h"
#include "job.h"
#include "manifest.h"
#include "outputs.h"
#include "source.h"

/* Add those that are files to m, with a copy of their content as a stream. */
int streams_record(const struct job *job, struct cr_manifest *m, struct capture *capture, struct cr_error *err);

/* Are they files yet? */
int streams_check(const struct cr_manifest *m, struct cr_error *err);

/* Write their content to where Slurm has them now. */
int streams_restore(const struct cr_manifest *m, struct source *source, struct outputs_restored *restored,
		    struct cr_error *err);

/* Without their content: whatever Slurm has given the job takes their place. */
int streams_begin(const struct cr_manifest *m, struct outputs_restored *restored, struct cr_error *err);

/* As Slurm made them. */
void streams_undo(const struct job *job, const struct outputs_restored *restored);

#endif
