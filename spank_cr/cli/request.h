/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* request.h - a checkpoint asked for, and what came of it: create and vacate share these */

#ifndef CLI_REQUEST_H
#define CLI_REQUEST_H

#include "cli.h"
#include "control.h"
#include "job.h"

/* Ask for a checkpoint by "create" or "vacate"; 0 only when one is committed. *reply is crinit's answer. */
int request_checkpoint(const struct cli *cli, const struct job *job, const char *verb, json_t **reply,
		       struct cr_error *err);

/* Print what came of it: a line that ends in done, or JSON. */
int request_report(const struct cli *cli, const struct job *job, const char *done, json_t *reply,
		   struct cr_error *err);

#endif
