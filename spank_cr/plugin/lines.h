/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* lines.h - crinit run for what it prints: before the launch, as the plain user */

#ifndef CR_PLUGIN_LINES_H
#define CR_PLUGIN_LINES_H

#include <stdbool.h>
#include <stdint.h>

#include "launch_job.h"

struct lines {
	const char *verb;
	uint32_t generation;   /* 0: none is given */
	const char *lacks;     /* why this node can restore nothing, or ""; for plan */
	const char *lacks_net; /* why nothing with a private network, or "" */
	const char *setback;   /* for setback: hold, fail or delay; and what for, and how long */
	const char *why;
	int64_t wait;
	bool child_cgroup; /* run it there, when there is one */
	int64_t patience;  /* seconds without a line after which crinit is given up; 0: no end */
	void (*each)(char *line, void *arg);
	void *arg;
	/* a signalfd, and whether SIGTERM is to end crinit at this moment; NULL: nothing does */
	int signals;
	bool (*may_end)(void *arg);
};

/* Run crinit without a capability, and call each for every line that it prints, without the newline, until it
 * ends. "refused WHY" is what it prints in crinit's place when it cannot be run. Returns 0, 1 when SIGTERM has
 * ended it, or -1: it was ended by another signal, or hangs (errnum ETIMEDOUT), and the process is left to itself.
 */
int lines_read(const struct launch_job *job, const struct lines *lines, struct cr_error *err);

#endif
