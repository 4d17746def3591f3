/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* lines.h - crinit run for what it prints: before the launch, as the plain user */

#ifndef CR_PLUGIN_LINES_H
#define CR_PLUGIN_LINES_H

#include <stdbool.h>
#include <stdint.h>

#include "launch_job.h"

/* Run "crinit VERB", with --generation unless it is 0, without a capability, in the job's child cgroup when that
 * is wanted, and call each for every line that it prints, without the newline, until it ends. "refused WHY" is
 * what it prints in crinit's place when it cannot be run. */
int lines_read(const struct launch_job *job, const char *verb, uint32_t generation, bool child_cgroup,
	       void (*each)(char *line, void *arg), void *arg, struct cr_error *err);

#endif
