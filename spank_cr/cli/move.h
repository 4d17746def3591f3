/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* move.h - vacate --to NODE: a job that goes on on a node of the caller's choice
 *
 * Slurm has no other word for it than the job's ReqNodeList, as --nodelist sets it, and takes a change of it from
 * pending jobs alone. Left there it would bind the job for ever. So crinit is told, too: it notes in the journal
 * where the job was sent and what it had asked for before, and puts that back when the job is requeued the next
 * time (init/moved.h).
 */

#ifndef CLI_MOVE_H
#define CLI_MOVE_H

#include <jansson.h>

#include "cli.h"
#include "job.h"

/* One node's name, as it may go into a command line. */
int move_check_name(const char *node, struct cr_error *err);

/* Is there such a node, and does it take jobs? */
int move_check_node(const char *node, int64_t deadline, struct cr_error *err);

/* Look whether node cli->to will do for the job; then a checkpoint, a requeue, and that node. */
int move_job(const struct cli *cli, const struct job *job, json_t **reply, struct cr_error *err);

/* Lines "PARTITION|STATE|CPUS|FEATURES" of one node, as sinfo prints them: will they do for job? */
int move_judge(char *lines, const char *node, const struct job *job, struct cr_error *err);

#endif
