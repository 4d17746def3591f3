/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* target.c - parsing JOBID[_TASK][.GEN] */

#include "target.h"

#include <errno.h>
#include <stdio.h>

/* Digits up to the first other character, at most UINT32_MAX. NULL when there are none or too many. */
static const char *take_number(const char *p, uint32_t *value)
{
	uint64_t sum = 0;

	if (*p < '0' || *p > '9')
		return NULL;
	for (; *p >= '0' && *p <= '9'; p++) {
		sum = sum * 10 + (uint64_t)(*p - '0');
		if (sum > UINT32_MAX)
			return NULL;
	}
	*value = (uint32_t)sum;
	return p;
}

static const char *take_target(const char *p, struct target *target)
{
	p = take_number(p, &target->job);
	if (!p || !target->job)
		return NULL;
	if (*p == '_') {
		target->is_task = true;
		p = take_number(p + 1, &target->task);
	}
	if (p && *p == '.') {
		p = take_number(p + 1, &target->generation);
		if (!target->generation)
			return NULL;
	}
	return p;
}

int target_parse(const char *text, struct target *target, struct cr_error *err)
{
	const char *end;

	*target = (struct target){0};
	end = take_target(text, target);
	if (!end || *end)
		return cr_error_set(err, EINVAL,
				    "'%.40s' is not a job: write JOBID, JOBID_TASK or JOBID.GENERATION", text);
	if (target->is_task)
		snprintf(target->name, sizeof(target->name), "%u_%u", target->job, target->task);
	else
		snprintf(target->name, sizeof(target->name), "%u", target->job);
	return 0;
}
