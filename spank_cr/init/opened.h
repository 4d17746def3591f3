/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* opened.h - permissions that the user has taken from himself, given back for as long as we need them
 *
 * None of crinit's capabilities opens a file that its user may not open. Its owner may change the mode, though: it
 * gets what is missing, and its own mode again afterwards. Files of other users are left alone. Should the process
 * not live to put a mode back, the owner keeps the permission.
 */

#ifndef CR_INIT_OPENED_H
#define CR_INIT_OPENED_H

#include <stddef.h>
#include <sys/types.h>

#include "error.h"

struct opened {
	struct opened_one {
		char *path;
		mode_t mode; /* that it had */
	} *list;
	size_t n;
};

/* Add bits to the mode of what is at path, which is not followed when it is a link. Returns 1 when that was done,
 * 0 when it has them, is another user's, or is not there; -1. */
int opened_add(struct opened *o, const char *path, mode_t bits, struct cr_error *err);

/* Put all modes back, the last one first. */
void opened_close(struct opened *o);

#endif
