/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* vacate.c - scheckpoint vacate: take a checkpoint, then put the job back into the queue */

#include "cli.h"
#include "drain.h"
#include "move.h"
#include "proc.h"
#include "request.h"
#include "several.h"

enum { REMARK_MS = 15000 };

static int vacate(const struct cli *cli, json_t **reply, struct cr_error *err)
{
	struct job job;

	if (job_query_running(&cli->target, cli->deadline, &job, err) < 0)
		return -1;
	if (cli->to)
		return move_job(cli, &job, reply, err);
	return request_requeue(cli, &job, "vacate", false, reply, err);
}

int cli_vacate(const struct cli *cli, struct cr_error *err)
{
	int rc = several_run(cli, vacate, "vacated", err);

	if (rc >= 0 && cli->wish.nodes && !cli->drain && !cli->to)
		drain_remark(cli->wish.nodes, clock_ms() + REMARK_MS);
	return rc;
}
