/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* handover.h - a job that stands still with its last checkpoint committed is put back into the queue by itself */

#ifndef CR_INIT_HANDOVER_H
#define CR_INIT_HANDOVER_H

#include "job.h"

/* Have Slurm requeue the job, for a worker. 0 also when Slurm is ending the job already, for whatever reason. -1
 * when it goes on. */
int handover_requeue(const struct job *job, struct cr_error *err);

#endif
