/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* output_restore.h - put the files that the job had open back to how they were, as output_check has decided */

#ifndef CR_INIT_OUTPUT_RESTORE_H
#define CR_INIT_OUTPUT_RESTORE_H

#include "error.h"
#include "output_fate.h"

/* in: the stream OUTPUT_STREAM, or -1 when nothing was copied. */
int output_change(struct output_restore *r, int in, struct cr_error *err);

#endif
