/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* several.h - the same done to all jobs that were selected: create, vacate and hold */

#ifndef CLI_SEVERAL_H
#define CLI_SEVERAL_H

#include <jansson.h>

#include "cli.h"

/* Done to several jobs, and one of the selection was not taken because it has no checkpoints, or is another
 * user's. */
#define SEVERAL_PARTLY 4

/* one does it to cli->target and fills *reply (request.h); ENOTSUP from it: the job has no checkpoints. done is
 * what the jobs are then. One job gives a line, or an object; several give a line each as they come, and a sum. 0
 * only when all are done. */
int several_run(const struct cli *cli, int (*one)(const struct cli *cli, json_t **reply, struct cr_error *err),
		const char *done, struct cr_error *err);

#endif
