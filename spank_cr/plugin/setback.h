/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* setback.h - T with a job that is not to run now: no checkpoint of it can be used, it gets nowhere, or it is to
 * wait. doc/restart.md says when */

#ifndef CR_PLUGIN_SETBACK_H
#define CR_PLUGIN_SETBACK_H

#include <stdint.h>

#include "launch_job.h"
#include "plan.h"
#include "relay.h"

/* As --checkpoint-fallback has it. Signals must be blocked, in relay. One line in the job's stderr says why and
 * what comes of it. Returns only when the job is to start from its beginning. */
void setback_apply(const struct launch_job *job, const struct setback *setback, struct relay *relay);

/* The same, for what T has failed at before it was known what the job could go on from, if anything; job may be
 * read in part. */
void setback_launch(struct launch_job *job, enum cr_fallback fallback, const struct cr_error *err);

/* Have the job started again in so many seconds. Returns when it goes on at once. */
void setback_delay(const struct launch_job *job, int64_t seconds, struct relay *relay);

#endif
