/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* job.h - what Slurm says of a job, asked through its own commands */

#ifndef CLI_JOB_H
#define CLI_JOB_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"
#include "target.h"

/* Where Slurm's commands are. */
#ifndef CR_SLURM_BINDIR
#define CR_SLURM_BINDIR "/usr/bin"
#endif

struct job {
	uint32_t id;		/* of a task of an array: its own, not the array's */
	char name[TARGET_NAME]; /* JOBID or ARRAY_TASK: what means this job and no other */
	uid_t uid;
	bool is_batch;
	bool is_requeue; /* Slurm may start it again */
	bool is_het;	 /* the first component of a heterogeneous job */
	char state[32];	 /* "RUNNING", … */
	char user[64];
	char batch_host[256]; /* "" while it has none */
	uint32_t restarts;
	/* what it asked for; "" for nothing */
	char partitions[512], nodes[256], excluded[4096], features[256];
	uint32_t cpus; /* that it has */
};

/* Ask scontrol for the job. */
int job_query(const struct target *target, int64_t deadline, struct job *job, struct cr_error *err);

/* The same from scontrol's answer. EPROTO: it is not understood, or may be forged by a text of the job's. */
int job_read(const char *text, struct job *job, struct cr_error *err);

/* The job's own id, without asking Slurm when the target says it already. */
int job_resolve(const struct target *target, int64_t deadline, uint32_t *id, struct cr_error *err);

/* job_query, and refuse one that is not a running batch job, or one of another user's unless root asks. ENOTSUP:
 * it is none that has checkpoints. */
int job_query_running(const struct target *target, int64_t deadline, struct job *job, struct cr_error *err);

/* The ids of all jobs of uid's that Slurm runs or may still run, into a malloc'ed array that the caller frees. An
 * error when Slurm does not answer. */
int job_alive(uid_t uid, int64_t deadline, uint32_t **ids, size_t *n, struct cr_error *err);

/* The same from squeue's answer: a line "ID STATE" for each job. */
int job_alive_parse(char *text, uint32_t **ids, size_t *n, struct cr_error *err);

/* Put the running job back into the queue, once: *again is set when that has been done already, by somebody else,
 * since job was asked for. With held it does not start before it is released; by an admin, when root holds another
 * user's. */
int job_requeue(const struct job *job, bool held, int64_t deadline, bool *again, struct cr_error *err);

/* Has it been requeued since job was asked for? Not when Slurm does not answer. */
bool job_was_requeued(const struct job *job, int64_t deadline);

/* scontrol update of a job that is pending, or being ended for a requeue: setting is NAME=VALUE. */
int job_update(const struct job *job, const char *setting, int64_t deadline, struct cr_error *err);

#endif
