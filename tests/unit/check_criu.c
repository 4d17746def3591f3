/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include "../../spank_cr/init/criu.h"
#include "../../spank_cr/init/spawn.h"

START_TEST(versions_that_work)
{
	static const char *const cases[][2] = {
		{"3.18", "6.1.0-28-amd64"}, {"3.19.1", "5.10.0"}, {"4.1.1", "6.12.43+deb13-amd64"},
		{"4.1.1", "6.15.11"},	    {"4.2", "6.16.0"},	  {"4.2", "6.18.44-fc-v769"},
		{"4.2.1", "7.0.0-rc1"},	    {"5.0", "6.16-rc3"},  {"3.18.0", "5.14.0-503.11.1.el9_5.x86_64"},
		{"4.10", "6.18.0"},	    {"10.0", "6.18.0"},	  {"4.2-dirty", "6.18.0"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cr_error err = {0};

		ck_assert_msg(criu_version_check(cases[i][0], cases[i][1], &err) == 0, "%s on %s: %s", cases[i][0],
			      cases[i][1], err.text);
	}
}
END_TEST

START_TEST(versions_too_old)
{
	static const char *const old[] = {"3.17.1", "3.17", "3.2", "2.12.1", "1.0", "0.0"};
	static const char *const kernels[] = {"6.16.0", "6.16-rc1", "6.18.44-fc-v769", "7.0.0", "10.1"};
	static const char *const before[] = {"3.18", "4.0", "4.1", "4.1.1"};
	struct cr_error err = {0};

	for (size_t i = 0; i < sizeof(old) / sizeof(old[0]); i++) {
		ck_assert_msg(criu_version_check(old[i], "6.1.0", &err) == -1, "%s", old[i]);
		unit_assert_error(&err, ENOTSUP, "3.18 or later is needed");
		unit_assert_error(&err, ENOTSUP, old[i]);
	}
	for (size_t k = 0; k < sizeof(kernels) / sizeof(kernels[0]); k++) {
		for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
			ck_assert_msg(criu_version_check(before[i], kernels[k], &err) == -1, "%s on %s", before[i],
				      kernels[k]);
			unit_assert_error(&err, ENOTSUP, "4.2 or later is needed");
			unit_assert_error(&err, ENOTSUP, kernels[k]);
		}
	}
}
END_TEST

START_TEST(versions_unreadable)
{
	static const char *const cases[] = {"", "4", "v4.2", "four", ".", "4.", "-"};
	struct cr_error err = {0};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_msg(criu_version_check(cases[i], "6.1.0", &err) == -1, "\"%s\" was taken", cases[i]);
		unit_assert_error(&err, EINVAL, "cannot compare criu");
		ck_assert_msg(criu_version_check("4.2", cases[i], &err) == -1, "\"%s\" was taken", cases[i]);
		unit_assert_error(&err, EINVAL, "cannot compare criu");
	}
}
END_TEST

/* A program in the place of criu. */
static const char *fake_criu(const char *body)
{
	const char *path = unit_path("criu");
	char text[1024];

	(void)snprintf(text, sizeof(text), "#!/bin/sh\n%s\n", body);
	unit_write("criu", text);
	ck_assert_int_eq(chmod(path, 0755), 0);
	return path;
}

START_TEST(asked_for_its_version)
{
	char version[CRIU_VERSION_TEXT] = "";
	struct cr_error err = {0};

	unit_assert_ok(criu_version(fake_criu("[ \"$*\" = --version ] && echo 'Version: 99.1.2' "
					      "&& echo 'GitID: v99'"),
				    version, &err),
		       &err);
	ck_assert_str_eq(version, "99.1.2");
	/* what it says before does not matter */
	unit_assert_ok(criu_version(fake_criu("echo 'Warn: no config' >&2; echo 'Version: 99.2'"), version, &err),
		       &err);
	ck_assert_str_eq(version, "99.2");
	ck_assert_int_eq(criu_version(fake_criu("echo 'Version: 3.15'"), version, &err), -1);
	unit_assert_error(&err, ENOTSUP, "criu 3.15 is too old");
}
END_TEST

START_TEST(asked_again)
{
	char version[CRIU_VERSION_TEXT] = "", body[2 * PATH_MAX];
	struct cr_error err = {0};

	(void)snprintf(body, sizeof(body),
		       "[ -e '%.200s/again' ] || { >'%.200s/again'; sleep 60; }; echo 'Version: 99.1'", unit_dir,
		       unit_dir);
	unit_assert_ok(criu_version_patient(fake_criu(body), version, 100, 1000, &err), &err);
	ck_assert_str_eq(version, "99.1");
	ck_assert_int_eq(criu_version_patient(fake_criu("sleep 60"), version, 2, 100, &err), -1);
	unit_assert_error(&err, ETIMEDOUT, "the node is very busy");
}
END_TEST

START_TEST(not_to_be_had)
{
	char version[CRIU_VERSION_TEXT] = "";
	struct cr_error err = {0};

	ck_assert_int_eq(criu_version(unit_path("none"), version, &err), -1);
	unit_assert_error(&err, ENOENT, "criu cannot be run on this node (install criu");
	unit_assert_error(&err, ENOENT, "none");
	ck_assert_int_eq(criu_version(unit_dir, version, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "install criu"));
	ck_assert_int_eq(criu_version(fake_criu("echo first; echo broken library >&2; exit 3"), version, &err),
			 -1);
	unit_assert_error(&err, EIO, "broken library");
	ck_assert_int_eq(criu_version(fake_criu("kill -9 $$"), version, &err), -1);
}
END_TEST

START_TEST(something_else)
{
	static const char *const bodies[] = {
		":",
		"echo criu",
		"echo Version:",
		"echo 'Version: '",
		"echo 'version 4.2'",
		"head -c 100000 /dev/zero",
		"i=0; while [ $i -lt 2000 ]; do echo "
		"'0123456789012345678901234567890123456789'; i=$((i + 1)); done",
	};

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		char version[CRIU_VERSION_TEXT] = "";
		struct cr_error err = {0};

		ck_assert_msg(criu_version(fake_criu(bodies[i]), version, &err) == -1, "%s", bodies[i]);
		ck_assert_int_eq(err.errnum, EINVAL);
		ck_assert_ptr_nonnull(strstr(err.text, "not a criu"));
	}
}
END_TEST

START_TEST(reason_in_the_log)
{
	struct job job = {0};
	char text[512], tiny[8];

	job.home = unit_dir;
	criu_log_reason(&job, "dump", text, sizeof(text));
	ck_assert_str_eq(text, "it left no log");
	unit_write("dump.log", "(00.000012) Version: 4.2\n(00.1) Warn (x.c:1): strange\n");
	criu_log_reason(&job, "dump", text, sizeof(text));
	ck_assert_str_eq(text, "no error in its log");
	/* the first one is the cause */
	unit_write("dump.log", "(00.01) pie: 1: start\n(00.02) Error (criu/sk-inet.c:191): inet: "
			       "Connected TCP socket\n"
			       "(00.03) Error (criu/cr-dump.c:2111): Dumping FAILED.\n");
	criu_log_reason(&job, "dump", text, sizeof(text));
	ck_assert_str_eq(text, "Error (criu/sk-inet.c:191): inet: Connected TCP socket");
	criu_log_reason(&job, "dump", tiny, sizeof(tiny));
	ck_assert_str_eq(tiny, "Error (");
	criu_log_forget(&job, "dump");
	ck_assert(!unit_exists("dump.log"));
	criu_log_forget(&job, "dump");
	criu_log_reason(&job, "restore", text, sizeof(text));
	ck_assert_str_eq(text, "it left no log");
}
END_TEST

/* Who may not write a file at all says something for criu. */
START_TEST(log_without_a_file)
{
	const struct hook hook = {.fd = -1, .token = "none"};
	struct job job = {.cgroup = -1, .log = -1, .wire = -1};
	struct cr_error err = {0};
	char text[512];
	pid_t pid;

	job.home = unit_dir;
	job.criu = fake_criu("ulimit -f 0; echo '(00.1) Error (x.c:1): it may write no file'; exit 3");
	pid = criu_dump_start(&job, &hook, false, NULL, &err);
	ck_assert_msg(pid > 0, "%s", err.text);
	ck_assert_int_eq(spawn_wait(pid, &err), 3 << 8);
	criu_log_reason(&job, "dump", text, sizeof(text));
	ck_assert_str_eq(text, "Error (x.c:1): it may write no file");
}
END_TEST

/* A file that is not there any more is named in our words. */
START_TEST(files_in_the_log)
{
	static const struct {
		const char *log, *text;
	} known[] = {
		{"Error (criu/files-reg.c:2352): Can't open file home/a b on restore: No such file or directory",
		 "/home/a b, which the job had open or mapped at the checkpoint, cannot be opened: No such file "
		 "or "
		 "directory"},
		{"Error (criu/files-reg.c:2175): File lib/l.so has bad size 7 (expect 8)",
		 "/lib/l.so, which the job had open or mapped at the checkpoint, has another size: 7 (expect 8)"},
		{"Error (criu/files-reg.c:2294): File in has bad mode 0100644 (expect 010644)",
		 "is another kind of file, or has another mode: 0100644 (expect 010644)"},
		{"Error (criu/sk-inet.c:191): inet: Connected TCP socket",
		 "criu restore ended with 1: Error (criu/sk"},
	};
	struct job job = {0};
	struct cr_error err;

	job.home = unit_dir;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		char line[512];

		snprintf(line, sizeof(line), "(00.1) %s\n", known[i].log);
		unit_write("restore.log", line);
		ck_assert_int_eq(criu_failure(&job, "restore", 1 << 8, &err), -1);
		ck_assert_ptr_nonnull(strstr(err.text, known[i].text));
	}
}
END_TEST

UNIT_MAIN("criu", {versions_that_work, false}, {versions_too_old, false}, {versions_unreadable, false},
	  {asked_for_its_version, true}, {asked_again, true}, {not_to_be_had, true}, {something_else, true},
	  {reason_in_the_log, true}, {log_without_a_file, true}, {files_in_the_log, true})
