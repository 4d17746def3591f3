/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "groups.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"

int cr_groups_own(char **text, struct cr_error *err)
{
	int n = getgroups(0, NULL);
	cleanup_free gid_t *groups = n >= 0 ? calloc((size_t)n + 1, sizeof(*groups)) : NULL;
	size_t room = (size_t)(n > 0 ? n : 0) * 11 + 1, used = 0;

	*text = NULL;
	if (!groups || (n = getgroups(n, groups)) < 0)
		return cr_error_sys(err, errno, "the job's groups");
	*text = calloc(1, room);
	if (!*text)
		return cr_error_sys(err, ENOMEM, "the job's groups");
	for (int i = 0; i < n; i++)
		used += (size_t)snprintf(*text + used, room - used, "%s%u", i ? "," : "", (unsigned)groups[i]);
	return 0;
}

/* The number at *p, which moves behind it and the comma. Returns 1, 0 at the end, -1. */
static int group_next(const char **p, uint32_t *group)
{
	uint64_t value = 0;
	const char *start = *p;

	if (!**p)
		return 0;
	for (; **p >= '0' && **p <= '9' && value <= UINT32_MAX; (*p)++)
		value = value * 10 + (uint64_t)(**p - '0');
	if (*p == start || value > UINT32_MAX || (**p == ',' && !(*p)[1]) || (**p && **p != ','))
		return -1;
	*p += **p == ',';
	*group = (uint32_t)value;
	return 1;
}

int cr_groups_has(const char *list, uint32_t group)
{
	uint32_t one;
	int rc, found = 0;

	while ((rc = group_next(&list, &one)) == 1)
		found |= one == group;
	return rc < 0 ? -1 : found;
}

int cr_groups_compare(const char *then, const char *now, char *added, size_t size, struct cr_error *err)
{
	const char *p = then;
	size_t used = 0;
	uint32_t group;
	int rc, has = 0;

	added[0] = '\0';
	while ((rc = group_next(&p, &group)) == 1) {
		has = cr_groups_has(now, group);
		if (has <= 0)
			break;
	}
	if (rc == 1 && has == 0)
		return cr_error_set(err, EPERM, "its processes are in group %u, and the user is not any more",
				    group);
	p = now;
	while (rc == 0 && (rc = group_next(&p, &group)) == 1) {
		rc = 0;
		has = cr_groups_has(then, group);
		if (has != 0)
			continue;
		used += (size_t)snprintf(added + used, size - used, "%s%u", used ? "," : "", group);
		if (used >= size)
			return cr_error_set(err, ENOSPC, "the user is in too many groups that the job was not in");
	}
	return rc < 0 || has < 0 ? cr_error_set(err, EINVAL, "no list of groups: \"%.64s\"", then) : 0;
}
