/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include "../../spank_cr/init/info.h"

static struct job some_job(void)
{
	return (struct job){.id = 4711, .restart = 2, .node = "n1", .wire = -1, .log = -1, .slurm_env = ""};
}

static bool has_line(const char *text, const char *line)
{
	size_t n = strlen(line);

	for (const char *p = text; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
		if (strncmp(p, line, n) == 0 && p[n] == '\n')
			return true;
	}
	return false;
}

START_TEST(lines)
{
	struct job job = some_job();
	char *text;

	job.slurm_env =
		"SLURM_JOB_NODELIST=n[1-2]\nSLURM_JOB_ACCOUNT=it's $HOME `x` \\\nNOVALUE\n=x\nSLURM_NNODES=";
	text = info_text(&job, &(struct info){.event = "restore",
					      .generation = 7,
					      .reason = "preempt",
					      .checkpoint_time = "2026-03-01T12:34:56Z"});
	ck_assert_ptr_nonnull(text);
	ck_assert(has_line(text, "SPANK_CR_EVENT='restore'"));
	ck_assert(has_line(text, "SPANK_CR_GENERATION='7'"));
	ck_assert(has_line(text, "SPANK_CR_REASON='preempt'"));
	ck_assert(has_line(text, "SPANK_CR_CHECKPOINT_TIME='2026-03-01T12:34:56Z'"));
	ck_assert(has_line(text, "SLURM_JOB_ID='4711'"));
	ck_assert(has_line(text, "SLURM_RESTART_COUNT='2'"));
	ck_assert(has_line(text, "SLURM_JOB_NODELIST='n[1-2]'"));
	ck_assert(has_line(text, "SLURM_JOB_ACCOUNT='it'\\''s $HOME `x` \\'"));
	ck_assert(has_line(text, "SLURM_NNODES=''"));
	ck_assert_ptr_null(strstr(text, "NOVALUE"));
	ck_assert_ptr_null(strstr(text, "\n="));
	free(text);
}
END_TEST

START_TEST(a_shell_reads_it)
{
	struct job job = some_job();
	char command[PATH_MAX + 256];

	job.home = unit_dir;
	job.slurm_env = "SLURM_JOB_ACCOUNT=a'b\"c $(exit 3) d\n";
	info_write(&job, &(struct info){.event = "start"});
	info_write(&job, &(struct info){.event = "checkpoint", .generation = 1, .reason = "user"});
	snprintf(command, sizeof(command),
		 ". '%s/info' && test \"$SPANK_CR_EVENT $SPANK_CR_GENERATION\" = 'checkpoint 1' && "
		 "test \"$SLURM_JOB_ACCOUNT\" = \"a'b\\\"c \\$(exit 3) d\"",
		 unit_dir);
	ck_assert_int_eq(system(command), 0);
	/* nothing beside it */
	snprintf(command, sizeof(command), "test \"$(ls -A '%s')\" = info", unit_dir);
	ck_assert_int_eq(system(command), 0);
}
END_TEST

START_TEST(a_directory_that_is_gone_is_no_reason_for_anything)
{
	struct job job = some_job();

	job.home = unit_path("none");
	info_write(&job, &(struct info){.event = "start"});
}
END_TEST

UNIT_MAIN("info", {lines, false}, {a_shell_reads_it, true},
	  {a_directory_that_is_gone_is_no_reason_for_anything, true})
