/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* unfit.h - T on a node that cannot go on with the newest checkpoint: back to Slurm with the job, if that may be
 */

#ifndef CR_PLUGIN_UNFIT_H
#define CR_PLUGIN_UNFIT_H

#include "launch_job.h"
#include "plan.h"
#include "relay.h"

/* Have Slurm requeue the job without this node. Signals must be blocked, in relay. Says in the job's stderr what
 * is lacking and what comes of it. Does not return when the job was requeued: then T waits to be ended; nor when
 * it was cancelled meanwhile. */
void unfit_requeue(const struct launch_job *job, const struct unfit *unfit, struct relay *relay);

#endif
