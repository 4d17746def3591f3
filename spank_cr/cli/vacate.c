/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* vacate.c - scheckpoint vacate JOBID: take a checkpoint, then put the job back into the queue
 *
 * crinit answers when the checkpoint is committed and keeps the job frozen for a while, so that nothing the
 * job does between the checkpoint and Slurm's signal is lost. Without a requeue it lets the job go on.
 */

#include <errno.h>

#include "cli.h"
#include "proc.h"
#include "request.h"

/* However long the checkpoint took: less than crinit waits for the requeue. */
enum { REQUEUE_MS = 30000 };

int cli_vacate(const struct cli *cli, struct cr_error *err)
{
	json_auto_t *reply = NULL;
	struct job job;

	if (job_query_running(&cli->target, cli->deadline, &job, err) < 0)
		return -1;
	if (!job.is_requeue)
		return cr_error_set(err, EPERM,
				    "job %s may not be requeued: 'scontrol update job=%s requeue=1' allows it",
				    cli->target.name, cli->target.name);
	if (request_checkpoint(cli, &job, "vacate", &reply, err) < 0)
		return -1;
	if (job_requeue(&job, clock_ms() + REQUEUE_MS, err) < 0)
		return cr_error_prefix(err, "job %s: checkpoint committed, but not requeued; it goes on",
				       cli->target.name);
	if (json_object_set_new(reply, "requeued", json_true()) < 0)
		return cr_error_sys(err, ENOMEM, "answer");
	return request_report(cli, &job, ", requeued", reply, err);
}
