/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* loop.h - crinit's loop: pid 1 of the job's namespaces */

#ifndef CR_INIT_LOOP_H
#define CR_INIT_LOOP_H

#include "job.h"

/* Runs until the job is over; the kernel ends the namespace with the process. Returns the exit status. */
int loop_run(struct job *job);

/* "crinit restore": bring the tree back first, tell T, then the loop. */
int loop_restore(struct job *job);

#endif
