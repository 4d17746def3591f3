/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "scope.h"

#include <stdlib.h>

#include "options.h"

static long number(spank_t sp, const char *name)
{
	char value[16];

	return spank_getenv(sp, name, value, sizeof(value)) == ESPANK_SUCCESS ? strtol(value, NULL, 10) : 0;
}

void scope_tell(spank_t sp)
{
	static const char covered[] =
		"checkpoints cover the batch script and what it starts on its own node; what srun "
		"starts, there or elsewhere, cannot be checkpointed while it runs";
	long components = number(sp, "SLURM_HET_SIZE"), nodes = number(sp, "SLURM_JOB_NUM_NODES");

	if (components > 1)
		slurm_error(LOG "this job has %ld components: %s", components, covered);
	else if (nodes > 1)
		slurm_error(LOG "this job has %ld nodes: %s", nodes, covered);
}
