/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* able.c - scheckpoint able JOBID: can it be checkpointed, and if not, what is in the way */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "control.h"
#include "job.h"
#include "output.h"

static void print_findings(const json_t *reply)
{
	json_t *finding;
	size_t i;

	json_array_foreach (json_object_get(reply, "findings"), i, finding) {
		const char *text = json_string_value(json_object_get(finding, "text"));
		json_int_t more = json_integer_value(json_object_get(finding, "more"));
		const char *severity = json_string_value(json_object_get(finding, "severity"));

		if (severity && strcmp(severity, "warning") == 0)
			fputs("warning: ", stdout);
		output_text(text ? text : "a finding without a text");
		putchar('\n');
		if (more > 0)
			printf("and %lld more of this kind\n", (long long)more);
	}
}

/* The exit status is the answer: 0, 1 with the reason in err, or -1. */
static int verdict(const struct cli *cli, const json_t *reply, struct cr_error *err)
{
	json_int_t n = json_integer_value(json_object_get(reply, "blockers"));

	if (json_is_true(json_object_get(reply, "able"))) {
		if (!cli->json)
			printf("job %s can be checkpointed\n", cli->target.name);
		return 0;
	}
	cr_error_set(err, ENOTSUP, "job %s cannot be checkpointed: %lld blocker%s%s", cli->target.name,
		     (long long)n, n == 1 ? "" : "s",
		     json_is_true(json_object_get(reply, "partial")) ? " found in time" : "");
	return 1;
}

int cli_able(const struct cli *cli, struct cr_error *err)
{
	json_auto_t *reply = NULL;
	struct job job;

	if (job_query_running(&cli->target, cli->deadline, &job, err) < 0)
		return -1;
	if (control_ask(&job, "able", cli->deadline, &reply, err) < 0)
		return cr_error_prefix(err, "job %s", cli->target.name);
	if (!json_is_boolean(json_object_get(reply, "able")))
		return cr_error_set(err, EPROTO, "job %s: crinit's answer is not understood", cli->target.name);
	if (cli->json) {
		if (json_object_set_new(reply, "job", json_integer(job.id)) < 0 ||
		    json_object_set_new(reply, "node", json_string(job.batch_host)) < 0)
			return cr_error_sys(err, ENOMEM, "answer");
		if (output_json(reply, err) < 0)
			return -1;
	} else
		print_findings(reply);
	return verdict(cli, reply, err);
}
