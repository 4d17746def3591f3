/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "request.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "caps.h"
#include "lines.h"
#include "options.h"

#define WAIT_MS 120000 /* for Slurm's SIGTERM; without it T goes by itself */

struct answer {
	bool asking; /* slurmctld may have heard of it by now */
	bool requeued;
	char *refused;
	size_t size;
};

static void answer_line(char *line, void *arg)
{
	struct answer *answer = arg;

	if (strcmp(line, "asking") == 0)
		answer->asking = true;
	else if (strcmp(line, "requeued") == 0)
		answer->requeued = true;
	else if (strncmp(line, "refused ", 8) == 0)
		snprintf(answer->refused, answer->size, "%s", line + 8);
	else if (strncmp(line, "note ", 5) == 0)
		slurm_error(LOG "%s", line + 5);
}

/* SIGTERM says that the job was cancelled, or requeued by somebody else, unless it is the answer to our request.
 */
static bool answer_open(void *arg)
{
	return !((struct answer *)arg)->asking;
}

_Noreturn void request_ended_wait(struct relay *relay)
{
	struct pollfd p = {.fd = relay->signals, .events = POLLIN};
	struct signalfd_siginfo info;
	struct cr_error err;

	if (cr_caps_drop(&err) < 0)
		slurm_error(LOG "%s", err.text);
	while (poll(&p, 1, WAIT_MS) > 0) {
		if (read(relay->signals, &info, sizeof(info)) == (ssize_t)sizeof(info) &&
		    info.ssi_signo == SIGTERM)
			break;
	}
	relay_end(SIGTERM);
}

bool request_make(const struct launch_job *job, const struct request *request, struct relay *relay, char *refused,
		  size_t size)
{
	struct answer answer = {.refused = refused, .size = size};
	/* Slurm ends all that is in its own cgroup as soon as it has requeued the job */
	const struct lines lines = {.verb = request->verb,
				    .generation = request->generation,
				    .setback = request->setback,
				    .why = request->why,
				    .wait = request->wait,
				    .child_cgroup = true,
				    .each = answer_line,
				    .arg = &answer,
				    .signals = relay->signals,
				    .may_end = answer_open};
	struct cr_error err;
	int rc;

	snprintf(refused, size, "crinit %s ended without a result", request->verb);
	rc = lines_read(job, &lines, &err);
	if (rc == 1)
		relay_end(SIGTERM);
	if (rc < 0)
		snprintf(refused, size, "%s", err.text);
	return answer.requeued;
}
