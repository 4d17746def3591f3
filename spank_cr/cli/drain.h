/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* drain.h - nodes on which nothing new is to start, while their jobs are moved away */

#ifndef CLI_DRAIN_H
#define CLI_DRAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"

/* A reason in one line of plain text, as Slurm keeps it. */
int drain_check_reason(const char *reason, struct cr_error *err);

/* Does a node take jobs in this state, as sinfo prints it (%T)? */
bool drain_takes_jobs(const char *state);

/* Say on stderr when one of the nodes takes jobs: what leaves it may come back. */
void drain_remark(const char *nodes, int64_t deadline);

/* Have Slurm drain them: it takes that from its admins alone. */
int drain_nodes(const char *nodes, const char *reason, int64_t deadline, struct cr_error *err);

#endif
