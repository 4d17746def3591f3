/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* list.c - scheckpoint list [JOBID]: the checkpoints of a job, or of all of the caller's */

#include <errno.h>
#include <stdio.h>

#include "cleanup.h"
#include "cli.h"
#include "control.h"
#include "job.h"
#include "output.h"
#include "record.h"

/* A job that cannot be read must not hide the others: it is named on stderr. */
static int load_all(const char *dir, json_t *records, struct cr_error *err)
{
	cleanup_free uint32_t *jobs = NULL;
	struct cr_error why;
	size_t n;

	if (record_jobs(dir, &jobs, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (record_load(dir, jobs[i], records, &why) < 0)
			fprintf(stderr, "scheckpoint: %s\n", why.text);
	return 0;
}

static int load_one(const struct cli *cli, const char *dir, json_t *records, struct cr_error *err)
{
	uint32_t job;

	if (job_resolve(&cli->target, cli->deadline, &job, err) < 0)
		return -1;
	return record_load(dir, job, records, err);
}

int cli_list(const struct cli *cli, struct cr_error *err)
{
	json_auto_t *records = json_array();
	char dir[PATH_MAX];
	int rc;

	if (!records)
		return cr_error_sys(err, ENOMEM, "records");
	if (record_directory(cli, dir, err) < 0)
		return -1;
	rc = cli->has_target ? load_one(cli, dir, records, err) : load_all(dir, records, err);
	if (rc < 0)
		return -1;
	if (cli->json)
		return output_json(records, err);
	output_table(records);
	return 0;
}
