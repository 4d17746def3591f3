/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* record.h - the checkpoints of jobs as JSON objects: what list and show print
 *
 * Every record has job, step, node, generation, state ("committed", "draining", "failed", "damaged"), time,
 * reason, freeze_ms, drain_ms, image_bytes, stored_bytes and restores, null where it is not known, and
 * part, path (null when there is no directory) and error (null when there is none).
 */

#ifndef CLI_RECORD_H
#define CLI_RECORD_H

#include <jansson.h>
#include <limits.h>
#include <stdint.h>

#include "cli.h"
#include "error.h"

/* The directory below which the caller's jobs have their checkpoints: --dir, or the site's. */
int record_directory(const struct cli *cli, char dir[PATH_MAX], struct cr_error *err);

/* The ids of all jobs below dir, ascending, into a malloc'ed array that the caller frees. A missing dir has
 * none. */
int record_jobs(const char *dir, uint32_t **jobs, size_t *n, struct cr_error *err);

/* The directory that holds JOBID's own, which is dir unless DIR/JOBID is the link that a job with --checkpoint-dir
 * leaves there. ENOENT: dir has no such job. */
int record_place(const char *dir, uint32_t job, char place[PATH_MAX], struct cr_error *err);

/* Append the records of a job to records, oldest first. ENOENT: dir has no such job. */
int record_load(const char *dir, uint32_t job, json_t *records, struct cr_error *err);

/* The journal of a record's part as an array of objects: event, generation, run, restart, node, time, reason,
 * text, ms. */
int record_events(const char *dir, const json_t *record, json_t **events, struct cr_error *err);

/* Add all that a committed record's manifest says. */
int record_detail(json_t *record, struct cr_error *err);

/* The text as a JSON string, whatever bytes it has; null for NULL. */
json_t *record_text(const char *text);

#endif
