/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* handover.h - a job that stands still with its last checkpoint committed is put back into the queue by itself */

#ifndef CR_INIT_HANDOVER_H
#define CR_INIT_HANDOVER_H

#include "job.h"

/* Have Slurm requeue the job, for a worker. 0 also when Slurm is ending the job already, for whatever reason. -1
 * when it goes on, as it does when by slurmctld's clock much more than lead_ms is left of its time limit. */
int handover_requeue(const struct job *job, int64_t lead_ms, struct cr_error *err);

#endif
