/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* origin.h - the checkpoint of another job that a job begins from: sbatch --restart-from=JOBID[.GENERATION] */

#ifndef CR_ORIGIN_H
#define CR_ORIGIN_H

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"

struct cr_origin {
	uint32_t job;	     /* 0: none */
	uint32_t generation; /* 0: the newest that can be used */
};

/* Read "JOBID" or "JOBID.GENERATION". Only written on success. */
int cr_origin_parse(const char *text, struct cr_origin *origin, struct cr_error *err);

/* The directory that holds JOBID's: dir, or where a link DIR/JOBID leads to. It must be uid's own. ENOENT: nothing
 * is there. */
int cr_origin_place(const char *dir, uint32_t job, uid_t uid, char place[PATH_MAX], struct cr_error *err);

/* Is there a committed generation of that part below dir, the one that is named or any? Says nothing of its
 * soundness. ENOENT when there is none. */
int cr_origin_find(const struct cr_origin *origin, const char *dir, const char *part, uid_t uid,
		   struct cr_error *err);

#endif
