/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* request.c - a checkpoint asked for, and what came of it
 *
 * crinit answers a request to vacate when the checkpoint is committed and keeps the job frozen for a while, so
 * that nothing the job does between the checkpoint and Slurm's signal is lost. Without a requeue it lets the job
 * go on.
 */

#include "request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "proc.h"

/* However long the checkpoint took: less than crinit waits for the requeue. */
enum { REQUEUE_MS = 30000, LOOK_MS = 15000 };

/* Is this process one of the job's own? It would be frozen together with the rest and wait for ever, its
 * connection to crinit being one that no checkpoint can keep. */
static bool is_inside(const struct job *job)
{
	cleanup_fclose FILE *file = fopen("/proc/1/comm", "re");
	const char *jobid = getenv("SLURM_JOB_ID");
	char name[32] = "";

	return file && fgets(name, sizeof(name), file) && !strcmp(name, "crinit\n") && jobid &&
	       strtoul(jobid, NULL, 10) == job->id;
}

/* What crinit says, of the kind that is expected, and nothing else that a user's process might add to it. */
static json_t *describe(const struct job *job, const json_t *reply)
{
	static const char *const numbers[] = {"generation", "freeze_ms", "image_bytes"};
	json_t *known = json_pack("{s:b, s:I, s:s, s:s, s:s}", "ok", 1, "job", (json_int_t)job->id, "step",
				  "batch", "node", job->batch_host, "state", "committed");

	for (size_t i = 0; known && i < sizeof(numbers) / sizeof(*numbers); i++) {
		json_t *value = json_object_get(reply, numbers[i]);

		if (json_is_number(value) && json_object_set(known, numbers[i], value) < 0) {
			json_decref(known);
			return NULL;
		}
	}
	return known;
}

/* Of a job that has gone meanwhile, that is what is wrong. */
static int explain(const struct cli *cli, const struct job *job, struct cr_error *err)
{
	if (err->errnum == ETIMEDOUT)
		return cr_error_set(err, ETIMEDOUT,
				    "job %s: no answer within %d s; scheckpoint list shows what came of it",
				    cli->target.name, cli->timeout);
	if (err->errnum != ENOTSUP && job_was_requeued(job, clock_ms() + LOOK_MS))
		return cr_error_set(err, ESTALE,
				    "job %s was requeued meanwhile, by another command or by Slurm; scheckpoint "
				    "list shows its checkpoints",
				    cli->target.name);
	return cr_error_prefix(err, "job %s", cli->target.name);
}

int request_checkpoint(const struct cli *cli, const struct job *job, const char *ask, json_t **reply,
		       struct cr_error *err)
{
	json_auto_t *answer = NULL;
	const char *state;

	if (is_inside(job))
		return cr_error_set(err, EINVAL,
				    "job %s cannot ask for this itself: inside of it there is 'scheckpoint create "
				    "%u', the job named by its id and alone; everything else is for outside of it",
				    cli->target.name, job->id);
	if (control_ask(job, ask, cli->deadline, &answer, err) < 0)
		return explain(cli, job, err);
	state = json_string_value(json_object_get(answer, "state"));
	if (!state || strcmp(state, "committed"))
		return cr_error_set(err, EIO, "job %s: the checkpoint is not committed", cli->target.name);
	*reply = describe(job, answer);
	return *reply ? 0 : cr_error_sys(err, ENOMEM, "answer");
}

int request_requeue(const struct cli *cli, const struct job *job, const char *ask, bool held, json_t **reply,
		    struct cr_error *err)
{
	bool again;

	if (!job->is_requeue)
		return cr_error_set(err, EPERM,
				    "job %s may not be requeued: 'scontrol update job=%s requeue=1' allows it",
				    cli->target.name, cli->target.name);
	if (request_checkpoint(cli, job, ask, reply, err) < 0)
		return -1;
	if (job_requeue(job, held, clock_ms() + REQUEUE_MS, &again, err) < 0)
		return cr_error_prefix(err, "job %s: checkpoint committed, but not %s", cli->target.name,
				       held ? "requeued and held" : "requeued; it goes on");
	if (json_object_set_new(*reply, "requeued", json_true()) < 0 ||
	    (held && json_object_set_new(*reply, "held", json_true()) < 0) ||
	    (again && json_object_set_new(*reply, "again", json_true()) < 0))
		return cr_error_sys(err, ENOMEM, "answer");
	return 0;
}
