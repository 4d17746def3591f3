/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* notice.h - what slurmstepd writes to the job's stderr before it ends the job
 *
 *   slurmstepd-n1: error: *** JOB 7 ON n1 CANCELLED AT 2026-11-23T20:06:37 DUE TO PREEMPTION ***
 *
 * It tells why, and it is not true of a job that goes on: the copy in a last checkpoint is without it.
 */

#ifndef CR_INIT_NOTICE_H
#define CR_INIT_NOTICE_H

#include <stddef.h>
#include <sys/types.h>

#include "job.h"

/* The end of the job's stderr, as far as it was written in this run of the job; always a string. */
void notice_read(const struct job *job, char *buf, size_t size);

/* "preempt", "requeue", "timelimit", "nodefail" by the last notice in text, or NULL. */
const char *notice_reason(const char *text);

/* Find a notice about job in size bytes of text. Returns 1 and its bounds [*start, *end), newline included, or 0.
 */
int notice_find(const char *text, size_t size, uint32_t job, size_t *start, size_t *end);

#endif
