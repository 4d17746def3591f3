/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* proc.h - run another program, bounded in time, and keep what it says */

#ifndef CLI_PROC_H
#define CLI_PROC_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct proc_output {
	int status;    /* exit status, or 128 + the signal that ended it */
	char *text[2]; /* what it wrote to stdout and to stderr, NUL-terminated */
	size_t size[2];
};

#define cleanup_output __attribute__((cleanup(proc_output_clear)))
void proc_output_clear(struct proc_output *output);

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t clock_ms(void);

/* Run argv[0] (an absolute path) with no input, in a clean environment: of the caller's only HOME, USER,
 * LOGNAME and SLURM_CONF. -1 when it cannot be run, says more than 16 MiB, or has not ended at the
 * deadline (ETIMEDOUT; it is ended then). */
int proc_run(const char *const argv[], int64_t deadline, struct proc_output *output, struct cr_error *err);

/* The last line of what it wrote to stderr that says something, for an error message. */
const char *proc_complaint(struct proc_output *output);

#endif
