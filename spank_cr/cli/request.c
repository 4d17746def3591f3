/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* request.c - a checkpoint asked for, and what came of it */

#include "request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "output.h"

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

int request_checkpoint(const struct cli *cli, const struct job *job, const char *verb, json_t **reply,
		       struct cr_error *err)
{
	const char *state;

	if (is_inside(job))
		return cr_error_set(err, EINVAL,
				    "job %s cannot ask for its own checkpoint: run scheckpoint outside of it",
				    cli->target.name);
	if (control_ask(job, verb, cli->deadline, reply, err) < 0) {
		if (err->errnum == ETIMEDOUT)
			return cr_error_set(
				err, ETIMEDOUT,
				"job %s: no answer within %d s; scheckpoint list shows what came of it",
				cli->target.name, cli->timeout);
		return cr_error_prefix(err, "job %s", cli->target.name);
	}
	state = json_string_value(json_object_get(*reply, "state"));
	if (!state || strcmp(state, "committed"))
		return cr_error_set(err, EIO, "job %s: the checkpoint is not committed: crinit says %.40s",
				    cli->target.name, state ? state : "nothing of its state");
	return 0;
}

int request_report(const struct cli *cli, const struct job *job, const char *done, json_t *reply,
		   struct cr_error *err)
{
	json_t *freeze = json_object_get(reply, "freeze_ms");

	if (json_object_set_new(reply, "job", json_integer(job->id)) < 0 ||
	    json_object_set_new(reply, "step", json_string("batch")) < 0 ||
	    json_object_set_new(reply, "node", json_string(job->batch_host)) < 0)
		return cr_error_sys(err, ENOMEM, "answer");
	if (cli->json)
		return output_json(reply, err);
	printf("job %s: generation %lld committed", cli->target.name,
	       (long long)json_integer_value(json_object_get(reply, "generation")));
	if (json_is_number(freeze))
		printf(", frozen %.0f ms", json_number_value(freeze));
	printf("%s\n", done);
	return 0;
}
