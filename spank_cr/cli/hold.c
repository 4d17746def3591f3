/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* hold.c - scheckpoint hold: take a checkpoint, then put the job back into the queue, where it waits for a release
 */

#include "cli.h"
#include "request.h"
#include "several.h"

static int hold(const struct cli *cli, json_t **reply, struct cr_error *err)
{
	struct job job;

	if (job_query_running(&cli->target, cli->deadline, &job, err) < 0)
		return -1;
	return request_requeue(cli, &job, "vacate", true, reply, err);
}

int cli_hold(const struct cli *cli, struct cr_error *err)
{
	return several_run(cli, hold, "held", err);
}
