/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* inside.h - a process of the job's asks for the job's checkpoint
 *
 * It is frozen itself meanwhile, and no connection to crinit may be in what is frozen. So it asks, hangs up, and
 * looks at two links in the job's own tmpfs, which lead nowhere: their text is what counts, and reading it opens
 * nothing.
 *
 *   started   "JOBID RESTART GENERATION": this start of the job. Another text than before: restored since.
 *   asked     "TURN ok GENERATION FREEZE_MS" or "TURN error TEXT": what became of all that was asked up to TURN
 */

#ifndef CR_INIT_INSIDE_H
#define CR_INIT_INSIDE_H

#include "job.h"
#include "worker.h"

#define INSIDE_STARTED "started"
#define INSIDE_ASKED   "asked"

/* Before anything of the job's runs. */
void inside_started(const struct job *job);

void inside_answer(const struct job *job, unsigned turn, const struct report *r);

#endif
