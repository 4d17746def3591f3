/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* target.h - a job, and maybe one of its generations, as users write it: JOBID[_TASK][.GEN] */

#ifndef CLI_TARGET_H
#define CLI_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"

#define TARGET_NAME 24

struct target {
	uint32_t job; /* of a task of an array: the array's */
	bool is_task;
	uint32_t task;
	uint32_t generation;	/* 0 when none was named */
	char name[TARGET_NAME]; /* JOBID or JOBID_TASK: digits and '_' alone, safe in any argv */
};

/* Parse text. Whatever is not made of plain decimal numbers is refused. */
int target_parse(const char *text, struct target *target, struct cr_error *err);

#endif
