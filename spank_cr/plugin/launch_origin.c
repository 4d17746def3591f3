/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "launch_origin.h"

#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#include "caps.h"
#include "options.h"

int origin_set(const char *value)
{
	struct cr_error err;

	if (!value || cr_origin_parse(value, &options.origin, &err) < 0) {
		slurm_error(LOG "--restart-from=%s: %s", value ? value : "", value ? err.text : "which job?");
		return -1;
	}
	return 0;
}

int origin_check(void)
{
	const struct passwd *user;
	char site[PATH_MAX] = "";
	struct cr_error err;

	if (!options.origin.job || spank_context() != S_CTX_ALLOCATOR)
		return 0;
	user = getpwuid(getuid());
	if (!user || cr_config_expand(options.config.dir, getuid(), user->pw_name, site, sizeof(site), &err) < 0)
		site[0] = '\0'; /* the node will know */
	if (options.dir[0] && cr_origin_find(&options.origin, options.dir, LAUNCH_PART, getuid(), &err) == 0)
		return 0;
	if (!site[0] && !options.dir[0])
		return 0;
	if (site[0] && cr_origin_find(&options.origin, site, LAUNCH_PART, getuid(), &err) == 0)
		return 0;
	slurm_error(LOG "--restart-from=%" PRIu32 ": %s", options.origin.job, err.text);
	return -1;
}

void origin_args(struct launch_args *args, const struct launch_job *job)
{
	launch_args_add(args, "--keep-completed=%d", options.keep_completed);
	if (!options.origin.job)
		return;
	launch_args_add(args, "--from=%" PRIu32, options.origin.job);
	launch_args_add(args, "--from-generation=%" PRIu32, options.origin.generation);
	/* files that the first job has written are not the new one's to change, unless it says so */
	launch_args_add(args, "--from-files=%d", options.files_given ? options.config.files : CR_FILES_KEEP);
	launch_args_add(args, "--from-now=%d", job->from_now);
}

const char *origin_name(const struct candidate *c, char *buf, size_t size)
{
	if (c->source)
		snprintf(buf, size, "generation %" PRIu32 " of job %" PRIu32, c->generation, options.origin.job);
	else
		snprintf(buf, size, "generation %" PRIu32, c->generation);
	return buf;
}

void origin_fail(const struct cr_error *err)
{
	struct cr_error ignored;

	if (!options.origin.job)
		return;
	slurm_error(LOG "this job cannot begin from a checkpoint of job %" PRIu32 ", and does not start: %s",
		    options.origin.job, err->text);
	(void)cr_caps_drop(&ignored);
	_exit(1);
}
