/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* setback.h - "crinit setback": this start comes to nothing, and Slurm has to hear of it
 *
 *   hold    the job is requeued and held, until somebody releases it; its comment says why when it has no other
 *   delay   the job is requeued, and not to start again before so many seconds
 *   fail    it ends: written down and no more
 *
 * As the job's user, with scontrol. The store may be what hangs: the journal is written in a process of its own.
 */

#ifndef CR_INIT_SETBACK_H
#define CR_INIT_SETBACK_H

#include "job.h"

/* Prints "asking" as soon as slurmctld may have heard of it, then "requeued" or "refused WHY", and notes before;
 * for fail "refused" alone. Every signal must be blocked. Returns the exit status. */
int setback_main(struct job *job);

#endif
