/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* starts.h - how each start of a job went, and what the next one will try; what show says of it
 *
 * A start is an object: restart, node, time, how ("fresh", "restored", "requeued", "delayed", "held", "failed"),
 * generation (0: none), why (null: nothing to tell) and end ("completed", "stopped" by Slurm, "exit code 1",
 * "signal 9"; null: it goes on, or nobody knows).
 */

#ifndef CLI_STARTS_H
#define CLI_STARTS_H

#include <jansson.h>

#include "cli.h"
#include "error.h"

/* From a journal as record_events gives it. NULL: no memory. */
json_t *starts_of(const json_t *events);

/* What the next start of the job would try, as far as the site's settings tell: a line, in buf. */
int starts_next(const struct cli *cli, const char *dir, const json_t *record, char *buf, size_t size,
		struct cr_error *err);

/* For people, a line each. */
void starts_print(const json_t *starts);

#endif
