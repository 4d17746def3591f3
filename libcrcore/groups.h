/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* groups.h - supplementary groups then and now
 *
 * criu puts a process back only when its groups are the caller's already, as it has no capability to set any. A
 * group that came since is left before; one that was taken from the user must not come back.
 */

#ifndef CR_GROUPS_H
#define CR_GROUPS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"

/* The caller's own as "1001,2000", malloc'ed; "" when there are none. */
int cr_groups_own(char **text, struct cr_error *err);

/* Whether group is in list: 1, 0, or -1 when list is none. */
int cr_groups_has(const char *list, uint32_t group);

/* Of then and now, lists like that: those of now that then lacks, as such a list into added. Fails when then has
 * one that now lacks (EPERM, names it), when a list is none (EINVAL), or does not fit (ENOSPC). */
int cr_groups_compare(const char *then, const char *now, char *added, size_t size, struct cr_error *err);

#endif
