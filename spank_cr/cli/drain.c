/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* drain.c - nodes on which nothing new is to start */

#include "drain.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "job.h"
#include "proc.h"

int drain_check_reason(const char *reason, struct cr_error *err)
{
	size_t length = strlen(reason);

	for (const char *p = reason; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f || *p == '"' || *p == '\'')
			length = 0;
	if (!length || length > 200)
		return cr_error_set(err, EINVAL,
				    "--drain: the reason is a line of up to 200 characters without quotes");
	return 0;
}

bool drain_takes_jobs(const char *state)
{
	static const char *const fine[] = {"idle", "mixed", "allocated", "completing", "planned", "reserved"};
	size_t length = strcspn(state, "*~#!%$@^-+");

	/* '*': it does not respond; of the others, powered down and such, Slurm takes care */
	for (size_t i = 0; i < sizeof(fine) / sizeof(*fine); i++)
		if (strlen(fine[i]) == length && !strncmp(state, fine[i], length))
			return !strchr(state, '*');
	return false;
}

void drain_remark(const char *nodes, int64_t deadline)
{
	const char *const argv[] = {CR_SLURM_BINDIR "/sinfo", "--all", "--noheader", "--Node", "--nodes", nodes,
				    "--format=%N %T",	      NULL};
	cleanup_output struct proc_output output = {0};
	struct cr_error ignored;
	char *next = NULL;

	if (proc_run(argv, deadline, &output, &ignored) < 0)
		return;
	for (char *line = strtok_r(output.text[0], "\n", &next); line; line = strtok_r(NULL, "\n", &next)) {
		char *state = strchr(line, ' ');

		if (!state || !drain_takes_jobs(state + 1))
			continue;
		*state = '\0';
		fprintf(stderr,
			"scheckpoint: note: %s takes jobs, and those that are requeued may start there again; an "
			"admin's --drain keeps it empty\n",
			line);
		return;
	}
}

int drain_nodes(const char *nodes, const char *reason, int64_t deadline, struct cr_error *err)
{
	cleanup_free char *names = NULL, *why = NULL;
	cleanup_output struct proc_output output = {0};
	const char *argv[] = {CR_SLURM_BINDIR "/scontrol", "update", NULL, "State=DRAIN", NULL, NULL};

	if (asprintf(&names, "NodeName=%s", nodes) < 0 || asprintf(&why, "Reason=%s", reason) < 0)
		return cr_error_sys(err, ENOMEM, "command line");
	argv[2] = names;
	argv[4] = why;
	if (proc_run(argv, deadline, &output, err) < 0)
		return -1;
	if (output.status)
		return cr_error_set(err, EPERM, "--drain: %s: scontrol: %s; nothing is done", nodes,
				    proc_complaint(&output));
	return 0;
}
