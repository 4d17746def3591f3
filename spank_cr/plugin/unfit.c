/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unfit.h"

#include "options.h"
#include "request.h"

void unfit_requeue(const struct launch_job *job, const struct unfit *unfit, struct relay *relay)
{
	const struct request request = {.verb = "requeue", .generation = unfit->generation};
	char refused[768];

	if (request_make(job, &request, relay, refused, sizeof(refused))) {
		slurm_error(LOG
			    "job %u: generation %u cannot be restored on %s: %s; the job is requeued, and not to "
			    "be started on %s again",
			    job->id, unfit->generation, job->node, unfit->why, job->node);
		/* pending again, and this start of it over: nothing of the user's has run */
		request_ended_wait(relay);
	}
	slurm_error(LOG "job %u: generation %u cannot be restored on %s: %s; not requeued: %s", job->id,
		    unfit->generation, job->node, unfit->why, refused);
}
