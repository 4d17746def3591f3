/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* edit_limits.c - no limit of the job's is in force while criu restores it
 *
 * criu sets them in the middle of its work and works on under them: it writes its log (RLIMIT_FSIZE, by which the
 * job died), opens files, maps memory. crinit puts them back itself, when criu has done all (identity.c). What
 * criu sets here is allowed nobody but who has a right to it, and fails without a word.
 */

#include "edits.h"

#include "proto/core.pb-c.h"

/* before that crinit knew nothing of limits */
#define FORMAT_WITH_LIMITS 3

bool edit_limits_wanted(void *arg)
{
	const struct edits *edits = arg;

	return edits->m->format >= FORMAT_WITH_LIMITS;
}

int edit_limits(ProtobufCMessage *message, struct cr_criuedit_entry *at, struct cr_error *err)
{
	const Criu__TaskCoreEntry *tc = ((Criu__CoreEntry *)message)->tc;
	int rc = CR_CRIUEDIT_KEEP;

	(void)at;
	(void)err;
	for (size_t i = 0; tc && tc->rlimits && i < tc->rlimits->n_rlimits; i++) {
		Criu__RlimitEntry *limit = tc->rlimits->rlimits[i];

		limit->has_cur = limit->has_max = true;
		limit->cur = limit->max = UINT64_MAX;
		rc = CR_CRIUEDIT_CHANGED;
	}
	return rc;
}
