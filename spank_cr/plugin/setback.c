/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "setback.h"

#include <stdbool.h>
#include <stdio.h>

#include "caps.h"
#include "cgroup.h"
#include "options.h"
#include "request.h"

/* "/": this node's configuration does not say. */
static const char *where(const struct launch_job *job)
{
	static char text[PATH_MAX + 32];

	if (!job->dir[1])
		return " where they are";
	snprintf(text, sizeof(text), " in %s/%u", job->dir, job->id);
	return text;
}

static _Noreturn void job_fail(const struct launch_job *job, const struct setback *setback, struct relay *relay,
			       const char *not_held)
{
	const struct request request = {.verb = "setback", .setback = "fail", .why = setback->why};
	char ignored[64];

	(void)request_make(job, &request, relay, ignored, sizeof(ignored));
	slurm_error(LOG "job %u: %s%s%s; it ends here, with exit code %d, and its checkpoints stay%s", job->id,
		    setback->why, *not_held ? "; it is not held: " : "", not_held, CR_RESTART_EXIT, where(job));
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
		slurm_error(LOG "job %u: %s; it starts from the beginning; its checkpoints stay%s", job->id,
			    setback->why, where(job));
		return;
	}
	if (setback->fallback == CR_FALLBACK_HOLD &&
	    request_make(job, &request, relay, refused, sizeof(refused))) {
		slurm_error(LOG "job %u: %s; it is held, and its checkpoints stay%s: \"scontrol release %u\" "
				"has it try again",
			    job->id, setback->why, where(job), job->id);
		request_ended_wait(relay);
	}
	job_fail(job, setback, relay, refused);
}

void setback_launch(struct launch_job *job, enum cr_fallback fallback, const struct cr_error *err)
{
	struct relay relay = {.crinit = -1, .notary = -1, .wire = -1, .signals = -1};
	struct setback setback = {.is = true, .fallback = fallback};
	struct cr_error why;

	if (fallback == CR_FALLBACK_FRESH)
		return;
	snprintf(setback.why, sizeof(setback.why), "nothing can be restored on %.64s: %.600s", job->node,
		 err->text);
	/* what crinit takes for granted */
	if (job->dir[0] != '/')
		snprintf(job->dir, sizeof(job->dir), "/");
	if (!job->runtime.dir[0])
		cr_runtime_paths(&job->runtime, options.config.scratch, job->id);
	if (job->cgroup < 0 && (cr_caps_raise(&why) < 0 || (job->cgroup = cr_cgroup_open_child(&why)) < 0))
		slurm_info(LOG "job %u: %s", job->id, why.text);
	if (relay_init(&relay, &why) < 0)
		slurm_error(LOG "job %u: %s", job->id, why.text);
	setback_apply(job, &setback, &relay);
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
