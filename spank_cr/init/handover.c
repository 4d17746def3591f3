/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "handover.h"

#include <errno.h>
#include <stdio.h>

#include "ask.h"
#include "facts.h"
#include "requeue.h"
#include "slurm.h"

#define SCONTROL    CR_SLURM_BINDIR "/scontrol"
#define ANSWER_MS   5000
#define ANSWER_SIZE 65536
#define REQUESTS    3	  /* without an answer */
#define MOVED_MS    32000 /* a limit that is so much further away is another one */

/* Is there anything to ask for? Returns 1 with the job's name, 0 when it is being ended, -1 when it may not be. */
static int wish_check(const struct job *job, int64_t lead_ms, struct facts *f, struct cr_error *err)
{
	static char text[ANSWER_SIZE], line[ANSWER_SIZE];
	char id[16];
	const char *const argv[] = {SCONTROL, "--oneliner", "show", "job", id, NULL};
	enum slurm_fate fate;

	snprintf(id, sizeof(id), "%u", job->id);
	if (ask_capture(job, argv, ANSWER_MS, text, sizeof(text), err) < 0 ||
	    facts_read_job(f, text, job->id, err) < 0)
		return -1;
	fate = slurm_interpret(slurm_line(text, job->id, line, sizeof(line)), job->restart, "").fate;
	if (fate == SLURM_ENDING || fate == SLURM_CANCELLED || fate == SLURM_GRACE)
		return 0;
	if (!f->requeue)
		return cr_error_set(err, ENOTSUP, "it may not be (--no-requeue)");
	if (f->het)
		return cr_error_set(err, ENOTSUP, "it is one component of a heterogeneous job");
	if (f->left_s == FACTS_UNLIMITED || f->left_s * 1000 > lead_ms + MOVED_MS)
		return cr_error_set(err, EAGAIN, "its time limit is further away than it was known to be");
	return 1;
}

int handover_requeue(const struct job *job, int64_t lead_ms, struct cr_error *err)
{
	static char answer[ANSWER_SIZE];
	struct facts f;
	const char *const argv[] = {SCONTROL, "requeue", f.name, NULL};
	struct cr_error again;

	facts_init(&f);
	for (int left = REQUESTS; left > 0; left--) {
		int rc = wish_check(job, lead_ms, &f, err);

		if (rc == 0)
			return 0;
		if (rc > 0 && ask_capture(job, argv, ANSWER_MS, answer, sizeof(answer), err) == 0)
			return 0;
		if (rc < 0 && !requeue_unanswered(err))
			return -1;
		/* a refusal, when somebody else's request was first: then the job is being ended */
		if (rc > 0 && !requeue_unanswered(err))
			return wish_check(job, lead_ms, &f, &again) == 0 ? 0 : -1;
	}
	return -1;
}
