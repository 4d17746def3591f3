/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include "../../libcrcore/runtime.h"
#include "../../libcrcore/runtime.h"
#include "../../spank_cr/init/job.h"

/* As the plugin starts crinit. */
static const char *const good[] = {
	"--job=4711",
	"--part=batch.0",
	"--node=n1",
	"--user=alice",
	"--restart=2",
	"--interval=10",
	"--min-interval=3",
	"--max-interval=21600",
	"--mtbf=2592000",
	"--max-share=5",
	"--nodes=2",
	"--keep=2",
	"--compress=3",
	"--pool=536870912",
	"--drain-share=25",
	"--bandwidth=104857600",
	"--drain-jobs=4",
	"--fence=20",
	"--on-complete=1",
	"--on-failure=0",
	"--dir=/shared/checkpoints/alice",
	"--site-dir=/s",
	"--token-dir=/t",
	"--criu=/usr/sbin/criu",
	"--run-dir=/run/spank_cr/4711",
	"--ghost-limit=67108864",
	"--files=2",
	"--file-limit=4096",
	"--rollback=/home/a:/b%20c",
	"--rollback-limit=1048576",
	"--script=/shared/home/alice/a b.sh",
	"--private-net=1",
	"--signal-before=10",
	"--signal-after=12",
	"--signal-lead=5",
	"--log-level=1",
	"--wire-fd=3",
	"--notary-fd=4",
	"--cgroup-fd=5",
	"--ask-fd=8",
	"--go-fd=6",
	"--root-pid=1000",
	"--generation=7",
};

#define GOOD (int)(sizeof(good) / sizeof(good[0]))

/* The good command line with one argument in the place of the one with the same
 * key, or added. */
static int parse_with(struct job *job, const char *arg, struct cr_error *err)
{
	const char *equals = arg ? strchr(arg, '=') : NULL;
	char *argv[GOOD + 1];
	int argc = 0, at = -1;

	for (int i = 0; i < GOOD; i++) {
		argv[argc] = (char *)(uintptr_t)good[i];
		if (equals && strncmp(good[i], arg, (size_t)(equals - arg) + 1) == 0)
			at = argc;
		argc++;
	}
	if (arg)
		argv[at < 0 ? argc++ : at] = (char *)(uintptr_t)arg;
	return job_parse(job, argc, argv, err);
}

START_TEST(everything_is_read)
{
	struct cr_error err = {0};
	struct job job;

	memset(&job, 'x', sizeof(job));
	ck_assert_int_eq(setenv(CR_SLURM_ENV, "A=1\nB=2\n", 1), 0);
	unit_assert_ok(parse_with(&job, NULL, &err), &err);
	ck_assert_uint_eq(job.id, 4711);
	ck_assert_str_eq(job.part, "batch.0");
	ck_assert_str_eq(job.node, "n1");
	ck_assert_str_eq(job.user, "alice");
	ck_assert_uint_eq(job.restart, 2);
	ck_assert_int_eq(job.interval, 10);
	ck_assert_int_eq(job.min_interval, 3);
	ck_assert_int_eq(job.max_interval, 21600);
	ck_assert_int_eq(job.mtbf, 2592000);
	ck_assert_int_eq(job.max_share, 5);
	ck_assert_uint_eq(job.nodes, 2);
	ck_assert_int_eq(job.keep, 2);
	ck_assert_int_eq(job.compress, 3);
	ck_assert_uint_eq(job.pool, 536870912);
	ck_assert_int_eq(job.drain_share, 25);
	ck_assert_uint_eq(job.bandwidth, 104857600);
	ck_assert_int_eq(job.drain_jobs, 4);
	ck_assert_int_eq(job.fence, 20);
	ck_assert_int_eq(job.on_complete, 1);
	ck_assert_int_eq(job.on_failure, 0);
	ck_assert_str_eq(job.dir, "/shared/checkpoints/alice");
	ck_assert_str_eq(job.site_dir, "/s");
	ck_assert_str_eq(job.token_dir, "/t");
	ck_assert_str_eq(job.run_dir, "/run/spank_cr/4711");
	/* not below the directory that is the user's */
	ck_assert_str_eq(job.home, CR_RUN_HOME);
	ck_assert_str_eq(job.criu, "/usr/sbin/criu");
	ck_assert_uint_eq(job.ghost_limit, 67108864);
	ck_assert_int_eq(job.files, CR_FILES_KEEP);
	ck_assert_uint_eq(job.file_limit, 4096);
	ck_assert_str_eq(job.rollback, "/home/a:/b%20c");
	ck_assert_uint_eq(job.rollback_limit, 1048576);
	ck_assert_str_eq(job.script, "/shared/home/alice/a b.sh");
	ck_assert_int_eq(job.private_net, 1);
	ck_assert_str_eq(job.slurm_env, "A=1\nB=2\n");
	ck_assert_int_eq(job.signal_before, 10);
	ck_assert_int_eq(job.signal_after, 12);
	ck_assert_int_eq(job.signal_lead, 5);
	ck_assert_int_eq(job.log_level, 1);
	ck_assert_int_eq(job.wire, 3);
	ck_assert_int_eq(job.notary, 4);
	ck_assert_int_eq(job.cgroup, 5);
	ck_assert_int_eq(job.ask, 8);
	ck_assert_int_eq(job.go, 6);
	ck_assert_int_eq(job.root, 1000);
	ck_assert_uint_eq(job.generation, 7);
	ck_assert_int_eq(job.log, -1);
}
END_TEST

START_TEST(what_is_absent)
{
	char *argv[] = {(char[]){"--job=1"},  (char[]){"--part=batch.0"}, (char[]){"--dir=/d"},
			(char[]){"--keep=1"}, (char[]){"--interval=1"},	  (char[]){"--run-dir=/r"},
			(char[]){"--criu=/c"}};
	struct cr_error err = {0};
	struct job job;

	unit_assert_ok(job_parse(&job, 7, argv, &err), &err);
	ck_assert_str_eq(job.node, "");
	ck_assert_str_eq(job.script, "");
	ck_assert_str_eq(job.site_dir, "");
	ck_assert_str_eq(job.token_dir, "");
	ck_assert_str_eq(job.slurm_env, "");
	ck_assert_int_eq(job.signal_before, 0);
	ck_assert_int_eq(job.signal_after, 0);
	ck_assert_int_eq(job.wire, -1);
	ck_assert_int_eq(job.notary, -1);
	ck_assert_int_eq(job.cgroup, -1);
	ck_assert_int_eq(job.ask, -1);
	ck_assert_int_eq(job.private_net, 0);
	ck_assert_int_eq(job.go, -1);
	ck_assert_uint_eq(job.generation, 0);
	/* each of them is needed */
	for (int i = 0; i < 7; i++) {
		char *kept = argv[i];

		argv[i] = argv[i == 0 ? 1 : 0];
		ck_assert_msg(job_parse(&job, 7, argv, &err) == -1, "without %s", kept);
		unit_assert_error(&err, EINVAL, "not by hand");
		argv[i] = kept;
	}
	ck_assert_int_eq(job_parse(&job, 0, argv, &err), -1);
	unit_assert_error(&err, EINVAL, "not by hand");
}
END_TEST

START_TEST(unknown_arguments)
{
	static const char *const cases[] = {"",	      "x",	  "--",	      "--=",	  "=",	      "--job",
					    "job=1",  "-job=1",	  "---job=1", "--jo=1",	  "--jobs=1", "--JOB=1",
					    "--help", "--caps=1", "--log=3",  "--home=/x"};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cr_error err = {0};
		struct job job;

		ck_assert_msg(parse_with(&job, cases[i], &err) == -1, "\"%s\" was taken", cases[i]);
		unit_assert_error(&err, EINVAL, "unknown argument");
	}
}
END_TEST

START_TEST(numbers_that_do_not_fit)
{
	static const char *const cases[] = {
		"--job=",
		"--job=x",
		"--job=1x",
		"--job=-1",
		"--job=4294967296",
		"--job=1.5",
		"--restart=-1",
		"--restart=",
		"--interval=-1",
		"--interval=1h",
		"--keep=-2",
		"--keep=2147483648",
		"--wire-fd=-2",
		"--wire-fd=a",
		"--root-pid=99999999999",
		"--generation=-1",
		"--files=copy",
		"--file-limit=-1",
		"--ghost-limit=-1",
		"--ghost-limit=64M",
		"--interval=9223372036854775808",
		"--job=99999999999999999999999",
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cr_error err = {0};
		struct job job;

		ck_assert_msg(parse_with(&job, cases[i], &err) == -1, "\"%s\" was taken", cases[i]);
		unit_assert_error(&err, EINVAL, "not a number that fits");
		unit_assert_error(&err, EINVAL, cases[i]);
	}
}
END_TEST

START_TEST(values_out_of_place)
{
	static const char *const cases[] = {"--job=0",
					    "--part=",
					    "--dir=",
					    "--dir=relative",
					    "--run-dir=",
					    "--run-dir=run",
					    "--criu=",
					    "--criu=criu",
					    "--criu=./criu",
					    "--max-interval=0",
					    "--mtbf=0",
					    "--max-share=0",
					    "--max-share=101",
					    "--files=3",
					    "--files=-1",
					    "--keep=0",
					    "--keep=-1",
					    "--compress=-1",
					    "--drain-share=0",
					    "--drain-share=101",
					    "--drain-jobs=-1",
					    "--signal-before=-1",
					    "--signal-after=-1",
					    "--signal-lead=-1"};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cr_error err = {0};
		struct job job;

		ck_assert_msg(parse_with(&job, cases[i], &err) == -1, "\"%s\" was taken", cases[i]);
		unit_assert_error(&err, EINVAL, "not by hand");
	}
}
END_TEST

START_TEST(limits_that_do_fit)
{
	struct cr_error err = {0};
	struct job job;

	unit_assert_ok(parse_with(&job, "--job=4294967295", &err), &err);
	ck_assert_uint_eq(job.id, UINT32_MAX);
	unit_assert_ok(parse_with(&job, "--keep=2147483647", &err), &err);
	ck_assert_int_eq(job.keep, INT_MAX);
	unit_assert_ok(parse_with(&job, "--ghost-limit=9223372036854775807", &err), &err);
	ck_assert_uint_eq(job.ghost_limit, INT64_MAX);
	unit_assert_ok(parse_with(&job, "--wire-fd=-1", &err), &err);
	ck_assert_int_eq(job.wire, -1);
	/* text is anything */
	unit_assert_ok(parse_with(&job, "--script==a=b --job=9\n", &err), &err);
	ck_assert_str_eq(job.script, "=a=b --job=9\n");
	ck_assert_uint_eq(job.id, 4711);
}
END_TEST

START_TEST(log_lines)
{
	struct job job = {.id = 4711, .node = "n1", .log_level = 1, .wire = -1};
	char text[4096] = "";
	ssize_t n;

	job.log = open(unit_path("log"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(job.log, 0);
	job_log(&job, 0, "went %s", "wrong");
	job_log(&job, 1, "went on");
	job_log(&job, 2, "a detail");
	n = pread(job.log, text, sizeof(text) - 1, 0);
	ck_assert_int_gt(n, 0);
	ck_assert_ptr_nonnull(strstr(text, " n1 error: went wrong\n"));
	ck_assert_ptr_nonnull(strstr(text, " n1 info: went on\n"));
	ck_assert_ptr_null(strstr(text, "a detail"));
	close(job.log);
	/* a log that cannot be written is no reason for anything */
	job.log = open("/dev/full", O_WRONLY | O_CLOEXEC);
	job_log(&job, 0, "still here");
	close(job.log);
	job.log = -1;
	job_log(&job, 0, "still here");
}
END_TEST

UNIT_MAIN("job", {everything_is_read, false}, {what_is_absent, false}, {unknown_arguments, false},
	  {numbers_that_do_not_fit, false}, {values_out_of_place, false}, {limits_that_do_fit, false},
	  {log_lines, true})
