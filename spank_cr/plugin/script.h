/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* script.h - the job's prolog and epilog on a node, and the start of slurmd; all as root */

#ifndef CR_PLUGIN_SCRIPT_H
#define CR_PLUGIN_SCRIPT_H

#include <slurm/spank.h>

/* Return ESPANK_SUCCESS always: what goes wrong is logged and must not drain a node or hold up a job. */
int script_prolog(spank_t sp, int argc, char **argv);
int script_epilog(spank_t sp, int argc, char **argv);

/* Remove what jobs left behind that no longer run. */
void script_slurmd_start(void);

/* slurmstepd, at the end of the batch step: what the job has on this node goes now. Slurm runs no epilog for a job
 * that it has started again elsewhere, and that was over here when this node came back. */
void script_step_end(spank_t sp);

#endif
