/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* request.h - T has crinit ask Slurm to take the job back: crinit requeue, crinit setback */

#ifndef CR_PLUGIN_REQUEST_H
#define CR_PLUGIN_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "launch_job.h"
#include "relay.h"

struct request {
	const char *verb;
	uint32_t generation; /* 0: none */
	const char *setback; /* see lines.h; NULL: none */
	const char *why;
	int64_t wait;
};

/* True when the job is pending again; false with the reason in refused. Does not return when Slurm has ended the
 * job before it was asked. Signals must be blocked, in relay. */
bool request_make(const struct launch_job *job, const struct request *request, struct relay *relay, char *refused,
		  size_t size);

/* Wait for Slurm to end this start, and go. */
_Noreturn void request_ended_wait(struct relay *relay);

#endif
