/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* stage.h - pid 1 of the job's namespaces between its fork from T and its exec of crinit */

#ifndef CR_PLUGIN_STAGE_H
#define CR_PLUGIN_STAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "caps.h"
#include "launch_job.h"

/* Runs in the child of cr_ns_fork. With restore 0 it forks the process that returns from the hook: then this
 * function returns, 0, in that process alone. Otherwise it does not return: it execs crinit or exits. without:
 * groups
 * ("2001,2002") that what is restored was not in. */
int stage_run(const struct launch_job *job, const struct cr_budget *budget, int wire, uint32_t restore,
	      const char *without);

#endif
