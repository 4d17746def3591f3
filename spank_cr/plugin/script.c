/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "script.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#include <slurm/slurm.h>

#include "error.h"
#include "options.h"
#include "runtime.h"

static int job_runtime(spank_t sp, struct cr_runtime *rt)
{
	uint32_t job = 0;

	if (!options.configured || spank_get_item(sp, S_JOB_ID, &job) != ESPANK_SUCCESS || job == 0)
		return -1;
	cr_runtime_paths(rt, options.config.scratch, job);
	return 0;
}

int script_prolog(spank_t sp, int argc, char **argv)
{
	struct cr_runtime rt;
	struct cr_error err;
	uid_t uid = 0;

	options_recall(sp, argc, argv);
	if (!options.wanted || job_runtime(sp, &rt) < 0)
		return ESPANK_SUCCESS;
	if (spank_get_item(sp, S_JOB_UID, &uid) != ESPANK_SUCCESS || uid == 0)
		return ESPANK_SUCCESS;
	/* what an earlier run of this job left on the node when it was lost */
	if (cr_runtime_remove(&rt, &err) < 0)
		slurm_error(LOG "prolog: %s", err.text);
	/* the group is set at the launch, where it is known */
	if (cr_runtime_create(&rt, uid, (gid_t)0, &err) < 0)
		slurm_error(LOG "prolog: %s", err.text);
	return ESPANK_SUCCESS;
}

int script_epilog(spank_t sp, int argc, char **argv)
{
	struct cr_runtime rt;
	struct cr_error err;

	options_recall(sp, argc, argv);
	if (job_runtime(sp, &rt) < 0)
		return ESPANK_SUCCESS;
	if (cr_runtime_remove(&rt, &err) < 0)
		slurm_error(LOG "epilog: %s", err.text);
	return ESPANK_SUCCESS;
}

void script_step_end(spank_t sp)
{
	struct cr_runtime rt;
	struct cr_error err;
	uint32_t step = 0;
	int lock;

	if (!options.wanted || spank_remote(sp) != 1 ||
	    spank_get_item(sp, S_JOB_STEPID, &step) != ESPANK_SUCCESS || step != SLURM_BATCH_SCRIPT ||
	    job_runtime(sp, &rt) < 0)
		return;
	/* a lock that is held is that of a later start, here */
	lock = cr_runtime_lock(&rt, &err);
	if (lock < 0)
		return;
	if (cr_runtime_remove(&rt, &err) < 0)
		slurm_error(LOG "%s", err.text);
	close(lock);
}

void script_slurmd_start(void)
{
	struct cr_error err;

	if (options.configured && cr_runtime_sweep(options.config.scratch, &err) < 0)
		slurm_error(LOG "cleaning up after a crash: %s", err.text);
}
