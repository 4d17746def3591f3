/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* identity.h - what belongs to a process and criu does not put back, or not without root
 *
 * Limits, oom_score_adj, coredump_filter and timerfds of each process; sockets; nice value, scheduling policy, I/O
 * priority and processors of each thread; how processes had ended that nobody has waited for. Taken while the job
 * is frozen, into a stream of the generation; put back before any of it runs. doc/identity.md has the stream's
 * form.
 */

#ifndef CR_INIT_IDENTITY_H
#define CR_INIT_IDENTITY_H

#include <stddef.h>
#include <sys/types.h>

#include <jansson.h>

#include "error.h"
#include "job.h"

#define IDENTITY_STREAM	   "identity.json"
#define IDENTITY_MAX_BYTES (256u << 20)

/* Describe the processes (in the caller's pid namespace) as JSON, malloc'ed. One that is gone is left out;
 * of a zombie there is its wait status (ended.h). queues: what criu's library has met (shim_queue.h), or NULL. */
int identity_take(const pid_t *pids, size_t n, const char *queues, char **text, struct cr_error *err);

/* The same from text, which is checked: *identity is a reference that the caller gives back. */
int identity_parse(const char *text, size_t size, json_t **identity, struct cr_error *err);

/* Put everything back that this kernel lets us. What cannot be is logged, one line for each kind: it is no reason
 * not to go on. */
void identity_apply(const json_t *identity, const struct job *job);

#endif
