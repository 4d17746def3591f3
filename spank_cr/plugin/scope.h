/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* scope.h - what of a job is not covered by its checkpoints, said when it starts */

#ifndef CR_PLUGIN_SCOPE_H
#define CR_PLUGIN_SCOPE_H

#include <slurm/spank.h>

/* In the task, before the job: one line on its stderr when it has more than one node, or more than one component.
 */
void scope_tell(spank_t sp);

#endif
