/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* plan.h - the lines of "crinit plan" that T acts on, read strictly: they come from a process of the user's */

#ifndef CR_PLUGIN_PLAN_H
#define CR_PLUGIN_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "restart.h"

struct candidate {
	uint32_t generation;
	int64_t monotonic_ns, boottime_ns;
	char net[16];	   /* host or private */
	char without[512]; /* groups that the user was not in then: "2001,2002" */
	bool source;	   /* of the job of --restart-from, not of this one */
};

/* The newest sound generation, and why it does not fit; generation 0: nothing of that kind. */
struct unfit {
	uint32_t generation;
	char why[640];
	bool source; /* as in struct candidate */
};

/* What becomes of the job when nothing else does, and why. */
struct setback {
	bool is;
	enum cr_fallback fallback;
	char why[700];
};
/* Does the line speak of the job of --restart-from? *line moves on to what it says of it. */
bool source_read(char **line);

/* Read what follows "candidate " or "unfit " in a line. False, and nothing read, when it is not exactly what
 * crinit prints: generation 0 above all, which would be a start from the beginning. */
bool candidate_read(struct candidate *candidate, const char *text);
bool unfit_read(struct unfit *unfit, const char *text);
bool setback_read(struct setback *setback, const char *text);
bool delay_read(int64_t *seconds, const char *text);

#endif
