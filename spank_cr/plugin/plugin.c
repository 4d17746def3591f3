/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* plugin.c - spank_cr.so: which hook of Slurm's leads where
 *
 * Loaded into sbatch, srun, salloc, slurmd, slurmstepd and the prolog's and epilog's process. Never exits the
 * host program; a job that was not submitted with --checkpoint is not touched.
 */

#include <stddef.h>

#include <slurm/spank.h>

#include "launch.h"
#include "launch_origin.h"
#include "options.h"
#include "rollback.h"
#include "script.h"

SPANK_PLUGIN(spank_cr, 1)

int slurm_spank_init(spank_t sp, int argc, char **argv)
{
	rollback_forget();
	if (options_register(sp, argc, argv) < 0)
		return ESPANK_ERROR;
	if (spank_context() == S_CTX_SLURMD)
		script_slurmd_start();
	return ESPANK_SUCCESS;
}

int slurm_spank_init_post_opt(spank_t sp, int argc, char **argv)
{
	(void)sp;
	(void)argc;
	(void)argv;
	options_warn();
	return origin_check() < 0 ? -1 : rollback_publish();
}

int slurm_spank_job_prolog(spank_t sp, int argc, char **argv)
{
	return script_prolog(sp, argc, argv);
}

int slurm_spank_job_epilog(spank_t sp, int argc, char **argv)
{
	return script_epilog(sp, argc, argv);
}

int slurm_spank_task_init_privileged(spank_t sp, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return launch_privileged(sp);
}

int slurm_spank_task_init(spank_t sp, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	rollback_hide(sp);
	return launch_task(sp);
}

int slurm_spank_task_post_fork(spank_t sp, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return launch_post_fork(sp);
}

int slurm_spank_task_exit(spank_t sp, int argc, char **argv)
{
	(void)sp;
	(void)argc;
	(void)argv;
	return launch_cleanup();
}

int slurm_spank_exit(spank_t sp, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	script_step_end(sp);
	return launch_cleanup();
}
