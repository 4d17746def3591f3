/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* ran.h - how long the job has run, over all of its starts
 *
 * What earlier starts ran is in the newest checkpoint, and in the journal after that: of a start whose node was
 * lost it is what was heard of it last. Time in which Slurm had suspended the job does not count, as it does not
 * for Slurm's time limit.
 */

#ifndef CR_INIT_RAN_H
#define CR_INIT_RAN_H

#include "job.h"

/* What is known of earlier starts; before this one writes to the journal. */
void ran_read(struct job *job);

/* The job runs from here on. */
void ran_begin(struct job *job);

int64_t ran_ms(const struct job *job);

#endif
