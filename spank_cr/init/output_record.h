/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* output_record.h - while the job is frozen: which files it has open for writing, and what is in them */

#ifndef CR_INIT_OUTPUT_RECORD_H
#define CR_INIT_OUTPUT_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "error.h"
#include "manifest.h"

/* The stream that has the content of outputs, a bundle; it is what their "saved" says. */
#define OUTPUT_STREAM "files/content"

/* Is it a copy of ours, and not the job's stdout or stderr? */
bool output_copied(const struct cr_manifest_output *o);

/* The descriptor that has a lease on it, or -1: any other would break that. */
int output_lease_open(const struct cr_manifest_output *o);

/* Add what the processes have open for writing or mapped shared, each name of each file once. What m has already,
 * the job's stdout and stderr, is passed over by whatever name. */
int output_collect(struct cr_manifest *m, const pid_t *pids, size_t n, struct cr_error *err);

/* Copy the content of all of them to fd. A file that has more than limit bytes in it, or that the job's user may
 * not read, is not copied, and has no "saved" then. */
int output_copy(struct cr_manifest *m, uint64_t limit, int fd, struct cr_error *err);

#endif
