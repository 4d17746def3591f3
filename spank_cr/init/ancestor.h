/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* ancestor.h - the job whose checkpoint this one begins from: --restart-from */

#ifndef CR_INIT_ANCESTOR_H
#define CR_INIT_ANCESTOR_H

#include <stddef.h>

#include "job.h"
#include "manifest.h"

/* This job as far as the other's checkpoints are concerned: with its id, its store, and what is to become of files
 * that it had open. Whoever gets it writes nothing there. */
int ancestor_open(const struct job *job, struct job *ancestor, struct cr_error *err);

/* Can this job begin from it, whatever the node? That job may still own the files that are to be put back. */
int ancestor_check(const struct job *job, const struct cr_manifest *m, struct cr_error *err);

/* "scheckpoint gc" counts its age from now on again. */
void ancestor_touch(const struct job *ancestor);

/* The run that this start of the job is. */
uint32_t ancestor_run(const struct job *job);

/* The journal says that a run began, and what with. */
void ancestor_journal(const struct job *job, uint32_t generation, int64_t ms);

#endif
