/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* agent.c - scheckpoint agent VERB JOBID: the half of able, create, vacate and hold that runs beside the job
 *
 * Not for users: srun starts it on the compute node. Whatever happens it prints one line of JSON, so that
 * the other half has something better to show than srun's exit status.
 */

#include <errno.h>
#include <string.h>

#include "cli.h"
#include "control.h"
#include "output.h"

int cli_agent(const struct cli *cli, struct cr_error *err)
{
	json_auto_t *reply = NULL;
	struct cr_error why;

	/* only vacate takes words behind it */
	if (strcmp(cli->ask, "create") && strcmp(cli->ask, "vacate") && strcmp(cli->ask, "status") &&
	    strcmp(cli->ask, "able") && strncmp(cli->ask, "vacate ", 7))
		return cr_error_set(err, EINVAL, "agent: '%.20s' is not something to ask for", cli->ask);
	if (control_local(cli->target.job, cli->ask, cli->deadline, &reply, &why) < 0 &&
	    control_refusal(&why, &reply, err) < 0)
		return -1;
	return output_json_line(reply, err);
}
