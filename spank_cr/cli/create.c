/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* create.c - scheckpoint create JOBID: take a checkpoint now */

#include <errno.h>
#include <string.h>

#include "cli.h"
#include "inside.h"
#include "request.h"

int cli_create(const struct cli *cli, struct cr_error *err)
{
	json_auto_t *reply = NULL;
	struct job job;

	if (inside_is(&cli->target))
		return inside_create(cli, err);
	if (job_query_running(&cli->target, cli->deadline, &job, err) < 0 ||
	    request_checkpoint(cli, &job, "create", &reply, err) < 0)
		return -1;
	return request_report(cli, &job, "", reply, err);
}
