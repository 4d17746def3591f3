/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* control.h - ask the crinit of a running job to do something
 *
 * crinit listens on a UNIX socket on the compute node and takes one request a connection: a JSON object on a
 * line, {"verb":"create"}, "vacate", "status" or "able"; the answer is a JSON object on a line,
 * {"ok":true,"generation":7,"freeze_ms":120,…} or {"ok":false,"error":"one clear line"}. From another node
 * it is reached by a job step of one process, `scheckpoint agent`, that passes the answer on. What is asked may
 * have words behind the verb, "vacate TO WAS": {"verb":"vacate","to":"n2","was":"n1"}; see init/moved.h.
 *
 * Root asks for another user's job as that user, always by way of such a step, and takes no more from the answer
 * than bounded text: neither the socket nor what is behind it can do more to root than lie about the user's own
 * job.
 */

#ifndef CLI_CONTROL_H
#define CLI_CONTROL_H

#include <jansson.h>
#include <stdint.h>

#include "error.h"
#include "job.h"

#define CONTROL_PART "batch.0"

/* Over the socket of a job on this node. *reply is the caller's. ENOENT: there is none. */
int control_local(uint32_t job, const char *verb, int64_t deadline, json_t **reply, struct cr_error *err);

/* Wherever the job runs. An answer that says no is the error; ENOTSUP: the job has no crinit. */
int control_ask(const struct job *job, const char *verb, int64_t deadline, json_t **reply, struct cr_error *err);

/* Fill *reply with {"ok":false,"error":…,"covered":…}; covered is false when why is ENOENT: there is no crinit. */
int control_refusal(const struct cr_error *why, json_t **reply, struct cr_error *err);

#endif
