/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* create.c - scheckpoint create: take a checkpoint now */

#include "cli.h"
#include "inside.h"
#include "request.h"
#include "several.h"

static int create(const struct cli *cli, json_t **reply, struct cr_error *err)
{
	struct job job;

	if (job_query_running(&cli->target, cli->deadline, &job, err) < 0)
		return -1;
	return request_checkpoint(cli, &job, "create", reply, err);
}

int cli_create(const struct cli *cli, struct cr_error *err)
{
	struct cli one = *cli;

	if (cli->wish.n_targets == 1) {
		one.target = cli->wish.targets[0];
		/* who waits for it in the job would be frozen with it */
		if (inside_is(&one.target))
			return inside_create(&one, err);
	}
	return several_run(cli, create, "checkpointed", err);
}
