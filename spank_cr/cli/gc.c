/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* gc.c - scheckpoint gc [JOBID]: remove what ended jobs have left
 *
 * A user's own; as root, every user's, by this program once more under each user's ids: what users may have
 * planted in their directories is of no use to them then.
 */

#include "gc.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "cli.h"
#include "control.h"
#include "job.h"
#include "output.h"
#include "proc.h"
#include "record.h"
#include "site.h"
#include "token.h"

enum { SLURM_MS = 60 * 1000, USER_MS = 24 * 3600 * 1000 };

/* ---- one user's ---- */

/* JOBID.old-TIME, as the plan of a job names what an earlier one of its id has left. */
static uint32_t old_job(const char *name)
{
	unsigned long job;
	char *end;

	if (*name < '1' || *name > '9')
		return 0;
	errno = 0;
	job = strtoul(name, &end, 10);
	if (errno || job > UINT32_MAX || strncmp(end, ".old-", 5) != 0 || !end[5] ||
	    end[5 + strspn(end + 5, "0123456789")])
		return 0;
	return (uint32_t)job;
}

struct alive {
	uint32_t *ids;
	size_t n;
};

static bool is_alive(const struct alive *alive, uint32_t job)
{
	for (size_t i = 0; i < alive->n; i++)
		if (alive->ids[i] == job)
			return true;
	return false;
}

static int complain(const struct cr_error *why)
{
	fputs("scheckpoint: ", stderr);
	output_text_to(stderr, why->text);
	fputc('\n', stderr);
	return 1;
}

/* Returns how many could not be dealt with: one must not keep the others. */
static int collect_old(struct gc *gc, const char *dir, const struct alive *alive, uint32_t only)
{
	cleanup_closedir DIR *stream = opendir(dir);
	struct dirent *entry;
	struct cr_error why;
	int failed = 0;

	while (stream && (entry = readdir(stream))) {
		uint32_t job = old_job(entry->d_name);

		if (job && (!only || job == only) && !is_alive(alive, job) &&
		    gc_old(gc, dir, entry->d_name, job, &why) < 0)
			failed += complain(&why);
	}
	return failed;
}

static int collect(struct gc *gc, const char *dir, const uint32_t *jobs, size_t n, const struct alive *alive,
		   uint32_t only, struct cr_error *err)
{
	struct cr_error why;
	int failed = 0;

	for (size_t i = 0; i < n; i++) {
		if (only && jobs[i] != only)
			continue;
		if (is_alive(alive, jobs[i])) {
			if (only)
				fprintf(stderr, "scheckpoint: job %u has not ended: nothing of it is removed\n",
					only);
		} else if (gc_job(gc, dir, jobs[i], &why) < 0)
			failed += complain(&why);
	}
	failed += collect_old(gc, dir, alive, only);
	return failed ? cr_error_set(err, EIO, "not everything could be removed") : 0;
}

static int gc_user(const struct cli *cli, const struct cr_config *config, json_t *removed, struct cr_error *err)
{
	struct gc gc = {.config = config, .dry_run = cli->dry_run, .uid = getuid(), .now = time(NULL)};
	cleanup_free uint32_t *jobs = NULL;
	struct alive alive = {0};
	char dir[PATH_MAX], tickets[PATH_MAX];
	struct cr_error why;
	uint32_t only = 0;
	size_t n = 0;
	int rc;

	gc.removed = removed;
	if (record_directory(cli, dir, err) < 0)
		return -1;
	if (cli->has_target && job_resolve(&cli->target, clock_ms() + SLURM_MS, &only, err) < 0)
		return -1;
	/* in this order: a job that is submitted in between has no directory yet */
	if (record_jobs(dir, &jobs, &n, err) < 0)
		return -1;
	if (job_alive(gc.uid, clock_ms() + SLURM_MS, &alive.ids, &alive.n, err) < 0)
		return cr_error_prefix(err, "nothing is removed");
	rc = collect(&gc, dir, jobs, n, &alive, only, err);
	if (!cli->dry_run && cr_config_common(config->dir, tickets, sizeof(tickets), &why) == 0 &&
	    cr_token_gc(tickets, &why) < 0 && why.errnum != ENOENT)
		(void)complain(&why);
	free(alive.ids);
	return rc;
}

/* ---- all users' ---- */

/* The same command under a user's ids; what it removed is added to removed. */
static int run_for(const struct cli *cli, const struct passwd *user, json_t *removed, struct cr_error *err)
{
	const char *argv[CLI_AS_ARGS + 8] = {NULL};
	cleanup_output struct proc_output output = {0};
	cleanup_free char *where = NULL;
	json_auto_t *answer = NULL;
	struct cli_as as;
	int n = CLI_AS_ARGS;

	if (cli_as_user(user->pw_uid, user->pw_gid, &as, argv, err) < 0)
		return -1;
	if (asprintf(&where, "%s=%s", cli->dir ? "--dir" : "--config", cli->dir ? cli->dir : cli->config) < 0) {
		where = NULL;
		return cr_error_sys(err, ENOMEM, "command line");
	}
	argv[n++] = "gc";
	argv[n++] = "--json";
	argv[n++] = where;
	if (cli->dry_run)
		argv[n++] = "--dry-run";
	if (cli->has_target)
		argv[n++] = cli->target.name;
	if (proc_run(argv, clock_ms() + USER_MS, &output, err) < 0)
		return -1;
	output_text_to(stderr, output.text[1]);
	answer = json_loads(output.text[0], 0, NULL);
	if (json_array_extend(removed, answer) < 0 || output.status)
		return cr_error_set(err, EIO, "user %s: not everything could be looked at", user->pw_name);
	return 0;
}

static int gc_site(const struct cli *cli, const struct cr_config *config, json_t *removed, struct cr_error *err)
{
	cleanup_free uint32_t *own = NULL;
	cleanup_free uid_t *users = NULL;
	struct cr_error why;
	size_t n = 0;
	int failed = 0;

	/* if Slurm does not answer, once is enough to find out */
	if (job_alive(getuid(), clock_ms() + SLURM_MS, &own, &n, err) < 0)
		return cr_error_prefix(err, "nothing is removed");
	if (site_users(cli->dir ? cli->dir : config->dir, &users, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const struct passwd *user = getpwuid(users[i]);

		if (user && run_for(cli, user, removed, &why) < 0)
			failed += complain(&why);
	}
	return failed ? cr_error_set(err, EIO, "not everything could be removed") : 0;
}

/* ---- the answer ---- */

static void print_removed(const struct cli *cli, const json_t *removed)
{
	json_int_t sum = 0;
	char buf[OUTPUT_CELL];
	json_t *item, *total;
	size_t i;

	json_array_foreach (removed, i, item) {
		sum += json_integer_value(json_object_get(item, "bytes"));
		printf("job %lld: ", (long long)json_integer_value(json_object_get(item, "job")));
		output_text(json_string_value(json_object_get(item, "path")));
		printf(" (");
		output_text(json_string_value(json_object_get(item, "why")));
		printf(", %s)\n", output_bytes(json_object_get(item, "bytes"), buf));
	}
	total = json_integer(sum);
	printf("%s %s\n", cli->dry_run ? "would remove" : "removed", output_bytes(total, buf));
	json_decref(total);
}

int cli_gc(const struct cli *cli, struct cr_error *err)
{
	json_auto_t *removed = json_array();
	struct cr_config config;
	int rc;

	if (!removed)
		return cr_error_sys(err, ENOMEM, "answer");
	if (cr_config_read(&config, cli->config, err) < 0)
		return cr_error_prefix(err, "cannot tell what the site keeps");
	rc = getuid() == 0 ? gc_site(cli, &config, removed, err) : gc_user(cli, &config, removed, err);
	/* what did go is told in any case */
	if (cli->json && output_json(removed, rc < 0 ? NULL : err) < 0)
		return -1;
	if (!cli->json)
		print_removed(cli, removed);
	return rc;
}
