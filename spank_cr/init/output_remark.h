/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* output_remark.h - tell the user of files that a checkpoint has no copy of */

#ifndef CR_INIT_OUTPUT_REMARK_H
#define CR_INIT_OUTPUT_REMARK_H

#include <stdint.h>

#include "job.h"
#include "manifest.h"

/* After the commit of m: each such file once in a job's life; past: the generation before, or 0. */
void output_remark(const struct job *job, const struct cr_manifest *m, uint32_t past);

#endif
