/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* unfit.h - T on a node that cannot go on with the newest checkpoint: back to Slurm with the job, if that may be
 */

#ifndef CR_PLUGIN_UNFIT_H
#define CR_PLUGIN_UNFIT_H

#include "launch_job.h"
#include "relay.h"

/* The newest sound generation, and why it does not fit; generation 0: nothing of that kind. */
struct unfit {
	uint32_t generation;
	char why[640];
};

/* Read what follows "unfit " in a line of the plan. */
void unfit_read(struct unfit *unfit, const char *text);

/* Have Slurm requeue the job without this node. Signals must be blocked, in relay. Says in the job's stderr what
 * is lacking and what comes of it. Does not return when the job was requeued: then T waits to be ended. */
void unfit_requeue(const struct launch_job *job, const struct unfit *unfit, struct relay *relay);

#endif
