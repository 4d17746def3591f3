/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* request.h - a checkpoint asked for, and what came of it: create, vacate and hold share these */

#ifndef CLI_REQUEST_H
#define CLI_REQUEST_H

#include "cli.h"
#include "control.h"
#include "job.h"

/* Ask for a checkpoint of cli's target by "create", or by "vacate", which may have words behind it. 0 only when
 * one is committed. *reply is what crinit answers, no more than the fields that are known, and which job it is. */
int request_checkpoint(const struct cli *cli, const struct job *job, const char *ask, json_t **reply,
		       struct cr_error *err);

/* vacate and hold: a checkpoint, then a requeue. ask as above. 0 only when both are done; *reply then says
 * "requeued", "held" with held, and "again": true when it was another command, or Slurm, that requeued it. */
int request_requeue(const struct cli *cli, const struct job *job, const char *ask, bool held, json_t **reply,
		    struct cr_error *err);

#endif
