/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "setback.h"

#include <stdbool.h>
#include <stdio.h>

#include "options.h"
#include "request.h"

static _Noreturn void job_fail(const struct launch_job *job, const struct setback *setback, struct relay *relay,
			       const char *not_held)
{
	const struct request request = {.verb = "setback", .setback = "fail", .why = setback->why};
	char ignored[64];

	(void)request_make(job, &request, relay, ignored, sizeof(ignored));
	slurm_error(LOG "job %u: %s%s%s; it ends here, with exit code %d, and its checkpoints stay in %s/%u",
		    job->id, setback->why, *not_held ? "; it is not held: " : "", not_held, CR_RESTART_EXIT,
		    job->dir, job->id);
	relay_end(CR_RESTART_EXIT << 8);
}

void setback_apply(const struct launch_job *job, const struct setback *setback, struct relay *relay)
{
	const struct request request = {.verb = "setback", .setback = "hold", .why = setback->why};
	char refused[768] = "";

	/* its beginning is not the script's first line; that it has none is told elsewhere */
	if (setback->fallback == CR_FALLBACK_FRESH && options.origin.job) {
		slurm_error(LOG "job %u: %s", job->id, setback->why);
		return;
	}
	if (setback->fallback == CR_FALLBACK_FRESH) {
		slurm_error(LOG "job %u: %s; it starts from the beginning; its checkpoints stay in %s/%u", job->id,
			    setback->why, job->dir, job->id);
		return;
	}
	if (setback->fallback == CR_FALLBACK_HOLD &&
	    request_make(job, &request, relay, refused, sizeof(refused))) {
		slurm_error(LOG
			    "job %u: %s; it is held, and its checkpoints stay in %s/%u: \"scontrol release %u\" "
			    "has it try again",
			    job->id, setback->why, job->dir, job->id, job->id);
		request_ended_wait(relay);
	}
	job_fail(job, setback, relay, refused);
}

void setback_delay(const struct launch_job *job, int64_t seconds, struct relay *relay)
{
	const struct request request = {.verb = "setback",
					.setback = "delay",
					.why = "it died soon after its last start",
					.wait = seconds};
	char refused[768];

	if (request_make(job, &request, relay, refused, sizeof(refused))) {
		slurm_error(LOG "job %u: it died soon after its last start, and is to start again in %lld s",
			    job->id, (long long)seconds);
		request_ended_wait(relay);
	}
	slurm_error(LOG "job %u: it died soon after its last start; it does not wait before this one: %s", job->id,
		    refused);
}
