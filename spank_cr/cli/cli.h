/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* cli.h - what the verbs of scheckpoint share: their options and one function each */

#ifndef CLI_H
#define CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "target.h"

#ifndef CR_PLUGSTACK_CONF
#define CR_PLUGSTACK_CONF "/etc/slurm/plugstack.conf.d/spank_cr.conf"
#endif

struct cli {
	bool json;
	const char *config; /* --config=, or CR_PLUGSTACK_CONF */
	const char *dir;    /* --dir=, or NULL */
	int64_t deadline;   /* clock_ms() by which create and vacate give up */
	int timeout;	    /* the same in seconds, for messages */
	const char *ask;    /* what the agent is to ask crinit */
	bool has_target;
	struct target target; /* JOBID[.GEN] */
};

/* One verb each. 0 means that what was asked for is done. */
int cli_create(const struct cli *cli, struct cr_error *err);
int cli_vacate(const struct cli *cli, struct cr_error *err);
int cli_list(const struct cli *cli, struct cr_error *err);
int cli_show(const struct cli *cli, struct cr_error *err);
int cli_agent(const struct cli *cli, struct cr_error *err);

#endif
