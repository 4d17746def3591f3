/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "launch_env.h"

#include <stdio.h>
#include <string.h>

#include "options.h"

/* A restored program has those of its first start in its memory; it finds the new ones in the file. */
static const char *const names[] = {
	"SLURM_JOB_NODELIST",	"SLURM_NODELIST",	"SLURM_JOB_NUM_NODES",	   "SLURM_NNODES",
	"SLURM_NODEID",		"SLURM_CPUS_ON_NODE",	"SLURM_JOB_CPUS_PER_NODE", "SLURM_TASKS_PER_NODE",
	"SLURM_NTASKS",		"SLURM_CPUS_PER_TASK",	"SLURM_MEM_PER_NODE",	   "SLURM_MEM_PER_CPU",
	"SLURM_JOB_PARTITION",	"SLURM_JOB_QOS",	"SLURM_JOB_ACCOUNT",	   "SLURM_JOB_RESERVATION",
	"SLURM_JOB_GPUS",	"SLURM_GPUS_ON_NODE",	"CUDA_VISIBLE_DEVICES",	   "ROCR_VISIBLE_DEVICES",
	"SLURM_JOB_NAME",	"SLURM_ARRAY_JOB_ID",	"SLURM_ARRAY_TASK_ID",	   "SLURM_ARRAY_TASK_COUNT",
	"SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_MAX", "SLURM_ARRAY_TASK_STEP",   "SLURM_SUBMIT_DIR",
	"SLURM_TOPOLOGY_ADDR",	"SLURM_JOB_START_TIME", "SLURM_JOB_END_TIME",	   "SLURM_CLUSTER_NAME",
};

void launch_env_read(spank_t sp, char *buf, size_t size)
{
	char value[8192];
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		spank_err_t rc = spank_getenv(sp, names[i], value, sizeof(value));
		int n;

		if (rc != ESPANK_SUCCESS && rc != ESPANK_NOSPACE)
			continue;
		n = rc == ESPANK_SUCCESS && !strchr(value, '\n')
			    ? snprintf(buf + used, size - used, "%s=%s\n", names[i], value)
			    : -1;
		if (n < 0 || (size_t)n >= size - used) {
			buf[used] = '\0';
			slurm_info(LOG "%s is too long for the job's info file, or no line", names[i]);
			continue;
		}
		used += (size_t)n;
	}
}

/* What makes MPI start, and use what can be checkpointed, in a network of the job's own. */
static const struct {
	const char *name, *value;
} defaults[] = {
	/* mpiexec of MPICH starts even the ranks on its own node with srun, which does not reach Slurm from there
	 */
	{"HYDRA_LAUNCHER", "fork"},
	/* UCX, below MPICH, prefers System V shared memory, which criu cannot dump; it has other kinds */
	{"UCX_TLS", "^sysv"},
};

void launch_env_private(spank_t sp)
{
	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
		if (spank_setenv(sp, defaults[i].name, defaults[i].value, 0) == ESPANK_ERROR)
			slurm_error(LOG "setting %s for the job", defaults[i].name);
}
