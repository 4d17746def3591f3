/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include "../../libcrcore/config.h"
#include "../../libcrcore/restart.h"

static int parse(struct cr_config *config, const char *arg, struct cr_error *err)
{
	char *argv[] = {strdup(arg)};
	int rc;

	ck_assert_ptr_nonnull(argv[0]);
	rc = cr_config_parse(config, 1, argv, err);
	free(argv[0]);
	return rc;
}

START_TEST(defaults)
{
	struct cr_config config;

	memset(&config, 0xff, sizeof(config));
	cr_config_init(&config);
	ck_assert_str_eq(config.dir, "");
	ck_assert_str_eq(config.scratch, "/var/spool/spank_cr");
	ck_assert_str_eq(config.criu, "/usr/sbin/criu");
	ck_assert_int_eq(config.interval, 3600);
	ck_assert_int_eq(config.min_interval, 1);
	ck_assert_int_eq(config.max_interval, 6 * 3600);
	ck_assert_int_eq(config.mtbf, 30 * 86400);
	ck_assert_int_eq(config.max_share, 5);
	ck_assert_int_eq(config.preflight, 5);
	ck_assert_int_eq(config.fence, 10);
	ck_assert_uint_eq(config.ghost_limit, 1u << 30);
	ck_assert_int_eq(config.files, CR_FILES_COPY);
	ck_assert_uint_eq(config.file_limit, 64u << 20);
	ck_assert_uint_eq(config.rollback_limit, (uint64_t)4 << 30);
	ck_assert_int_eq(config.keep, 2);
	ck_assert_int_eq(config.compress, 1);
	ck_assert_uint_eq(config.pool, 0);
	ck_assert_int_eq(config.drain_share, 75);
	ck_assert_uint_eq(config.bandwidth, 0);
	ck_assert_int_eq(config.drain_jobs, 0);
	ck_assert_int_eq(config.on_complete, 1);
	ck_assert_int_eq(config.on_failure, 0);
	ck_assert_int_eq(config.max_age, 2592000);
	ck_assert_int_eq(config.private_net, 0);
	ck_assert_int_eq(config.timelimit, 0);
	ck_assert_int_eq(config.log_level, 1);
	ck_assert_int_eq(cr_config_parse(&config, 0, NULL, NULL), 0);
}
END_TEST

START_TEST(every_key)
{
	char *argv[] = {(char *)"dir=/scratch/%u/%U/100%%",
			(char *)"scratch=/local",
			(char *)"criu=/opt/criu",
			(char *)"interval=10m",
			(char *)"min_interval=30s",
			(char *)"preflight=0",
			(char *)"ghost_limit=2G",
			(char *)"rollback_limit=5M",
			(char *)"keep=5",
			(char *)"log=debug"};
	struct cr_error err = {0};
	struct cr_config config;

	cr_config_init(&config);
	unit_assert_ok(cr_config_parse(&config, (int)(sizeof(argv) / sizeof(argv[0])), argv, &err), &err);
	ck_assert_str_eq(config.dir, "/scratch/%u/%U/100%%");
	ck_assert_str_eq(config.scratch, "/local");
	ck_assert_str_eq(config.criu, "/opt/criu");
	ck_assert_int_eq(config.interval, 600);
	ck_assert_int_eq(config.min_interval, 30);
	ck_assert_int_eq(config.preflight, 0);
	ck_assert_uint_eq(config.ghost_limit, (uint64_t)2 << 30);
	ck_assert_uint_eq(config.rollback_limit, 5u << 20);
	ck_assert_int_eq(config.keep, 5);
	ck_assert_int_eq(config.log_level, 2);
	unit_assert_ok(parse(&config, "interval=auto", &err), &err);
	ck_assert_int_eq(config.interval, 0);
	unit_assert_ok(parse(&config, "max_interval=1-12", &err), &err);
	ck_assert_int_eq(config.max_interval, 36 * 3600);
	unit_assert_ok(parse(&config, "mtbf=365d", &err), &err);
	ck_assert_int_eq(config.mtbf, 365 * 86400);
	unit_assert_ok(parse(&config, "max_share=50", &err), &err);
	ck_assert_int_eq(config.max_share, 50);
	unit_assert_ok(parse(&config, "files=truncate", &err), &err);
	ck_assert_int_eq(config.files, CR_FILES_TRUNCATE);
	unit_assert_ok(parse(&config, "files=keep", &err), &err);
	ck_assert_int_eq(config.files, CR_FILES_KEEP);
	unit_assert_ok(parse(&config, "files=copy", &err), &err);
	ck_assert_int_eq(config.files, CR_FILES_COPY);
	unit_assert_ok(parse(&config, "file_limit=0", &err), &err);
	ck_assert_uint_eq(config.file_limit, 0);
	unit_assert_ok(parse(&config, "file_limit=7G", &err), &err);
	ck_assert_uint_eq(config.file_limit, UINT64_C(7) << 30);
	unit_assert_ok(parse(&config, "ghost_limit=0", &err), &err);
	ck_assert_uint_eq(config.ghost_limit, 0);
	unit_assert_ok(parse(&config, "ghost_limit=3K", &err), &err);
	ck_assert_uint_eq(config.ghost_limit, 3072);
	ck_assert_int_eq(config.keep, 5);
}
END_TEST

START_TEST(every_key_of_the_store)
{
	char *argv[] = {(char *)"compress=none",     (char *)"pool=512M",    (char *)"drain_share=100",
			(char *)"bandwidth=200M",    (char *)"drain_jobs=8", (char *)"on_complete=keep",
			(char *)"on_failure=remove", (char *)"max_age=7d"};
	struct cr_error err = {0};
	struct cr_config config;

	cr_config_init(&config);
	unit_assert_ok(cr_config_parse(&config, 8, argv, &err), &err);
	ck_assert_int_eq(config.compress, 0);
	ck_assert_uint_eq(config.pool, 512u << 20);
	ck_assert_int_eq(config.drain_share, 100);
	ck_assert_uint_eq(config.bandwidth, 200u << 20);
	ck_assert_int_eq(config.drain_jobs, 8);
	ck_assert_int_eq(config.on_complete, 0);
	ck_assert_int_eq(config.on_failure, 1);
	ck_assert_int_eq(config.max_age, 7 * 86400);
	unit_assert_ok(parse(&config, "compress=19", &err), &err);
	ck_assert_int_eq(config.compress, 19);
	unit_assert_ok(parse(&config, "compress=fast", &err), &err);
	ck_assert_int_eq(config.compress, 1);
	unit_assert_ok(parse(&config, "pool=1M", &err), &err);
	ck_assert_uint_eq(config.pool, 1u << 20);
	unit_assert_ok(parse(&config, "pool=auto", &err), &err);
	ck_assert_uint_eq(config.pool, 0);
	unit_assert_ok(parse(&config, "bandwidth=0", &err), &err);
	ck_assert_uint_eq(config.bandwidth, 0);
	unit_assert_ok(parse(&config, "drain_jobs=0", &err), &err);
	ck_assert_int_eq(config.drain_jobs, 0);
	unit_assert_ok(parse(&config, "drain_share=1", &err), &err);
	ck_assert_int_eq(config.drain_share, 1);
	unit_assert_ok(parse(&config, "on_complete=remove", &err), &err);
	ck_assert_int_eq(config.on_complete, 1);
	unit_assert_ok(parse(&config, "on_failure=keep", &err), &err);
	ck_assert_int_eq(config.on_failure, 0);
	unit_assert_ok(parse(&config, "net=private", &err), &err);
	ck_assert_int_eq(config.private_net, 1);
	unit_assert_ok(parse(&config, "net=host", &err), &err);
	ck_assert_int_eq(config.private_net, 0);
	unit_assert_ok(parse(&config, "timelimit=requeue", &err), &err);
	ck_assert_int_eq(config.timelimit, 1);
	unit_assert_ok(parse(&config, "timelimit=end", &err), &err);
	ck_assert_int_eq(config.timelimit, 0);
}
END_TEST

/* What users write as well: a wrong value changes nothing. */
START_TEST(every_key_of_restarts)
{
	struct cr_config config;
	struct cr_error err;

	cr_config_init(&config);
	ck_assert_int_eq(config.fallback, CR_FALLBACK_HOLD);
	unit_assert_ok(parse(&config, "fallback=fail", &err), &err);
	ck_assert_int_eq(config.fallback, CR_FALLBACK_FAIL);
	unit_assert_ok(parse(&config, "fallback=fresh", &err), &err);
	ck_assert_int_eq(config.fallback, CR_FALLBACK_FRESH);
	unit_assert_ok(parse(&config, "restart_soon=90s", &err), &err);
	ck_assert_int_eq(config.restart_soon, 90);
	unit_assert_ok(parse(&config, "restart_tries=1", &err), &err);
	ck_assert_int_eq(config.restart_tries, 1);
	unit_assert_ok(parse(&config, "restart_cap=0", &err), &err);
	ck_assert_int_eq(config.restart_cap, 0);
	unit_assert_ok(parse(&config, "restart_delay=0", &err), &err);
	ck_assert_int_eq(config.restart_delay, 0);
	unit_assert_ok(parse(&config, "restart_delay=2s", &err), &err);
	ck_assert_int_eq(config.restart_delay, 2);
	unit_assert_ok(parse(&config, "store_wait=3", &err), &err);
	ck_assert_int_eq(config.store_wait, 180);
}
END_TEST

START_TEST(values_of_users)
{
	struct cr_error err = {0};
	uint64_t pool = 77;
	int level = 77, keep = 77, private_net = 77;

	ck_assert_int_eq(cr_config_compress("20", &level, &err), -1);
	unit_assert_error(&err, EINVAL, "not fast, none or a level from 1 to 19");
	ck_assert_int_eq(cr_config_pool("1023K", &pool, &err), -1);
	unit_assert_error(&err, ERANGE, "less than 1M");
	ck_assert_int_eq(cr_config_pool("much", &pool, &err), -1);
	unit_assert_error(&err, EINVAL, "not auto and not a number of bytes");
	ck_assert_int_eq(cr_config_net("none", &private_net, &err), -1);
	unit_assert_error(&err, EINVAL, "not one of host, private");
	ck_assert_int_eq(private_net, 77);
	ck_assert_int_eq(cr_config_keep("0", &keep, &err), -1);
	unit_assert_error(&err, ERANGE, "not a number from 1 to 1000");
	ck_assert_int_eq(level, 77);
	ck_assert_uint_eq(pool, 77);
	ck_assert_int_eq(keep, 77);
}
END_TEST

START_TEST(errors_name_the_argument)
{
	static const char *const cases[] = {
		"",
		"=",
		"dir",
		"dir=",
		"di=/x",
		"dirs=/x",
		"Dir=/x",
		"=x",
		"dir=relative",
		"dir=./x",
		"dir=%u/x",
		"dir=/x/%j",
		"dir=/x/%",
		"scratch=tmp",
		"scratch=",
		"criu=criu",
		"criu",
		"interval=",
		"interval=0",
		"interval=-5",
		"interval=1x",
		"interval=11000d",
		"min_interval=0",
		"preflight=0s",
		"preflight=soon",
		"fence=0s",
		"fence=-1",
		"min_interval=abc",
		"interval=Auto",
		"interval=automatic",
		"min_interval=auto",
		"max_interval=0",
		"mtbf=0",
		"mtbf=auto",
		"max_share=0",
		"max_share=51",
		"max_share=5%",
		"timelimit=",
		"timelimit=1",
		"timelimit=requeued",
		"files=",
		"files=Copy",
		"files=copy,keep",
		"file_limit=",
		"file_limit=64X",
		"ghost_limit=",
		"ghost_limit=x",
		"ghost_limit=-1",
		"ghost_limit=1T",
		"ghost_limit=1KB",
		"ghost_limit=1.5G",
		"ghost_limit=K",
		"ghost_limit= 1",
		"rollback_limit=",
		"rollback_limit=much",
		"ghost_limit=99999999999999999999",
		"ghost_limit=9999999999G",
		"keep=0",
		"keep=-1",
		"keep=",
		"keep=two",
		"keep=1x",
		"keep=1001",
		"keep=18446744073709551617",
		"compress=0",
		"compress=20",
		"compress=-1",
		"compress=",
		"compress=FAST",
		"compress=3x",
		"pool=0",
		"pool=1",
		"pool=",
		"pool=automatic",
		"pool=1T",
		"pool=99999999999999999999",
		"drain_share=0",
		"drain_share=101",
		"drain_share=50%",
		"drain_share=",
		"bandwidth=",
		"bandwidth=fast",
		"bandwidth=1Gbit",
		"net=",
		"net=Private",
		"net=hostile",
		"fallback=",
		"fallback=Hold",
		"fallback=holding",
		"restart_soon=0",
		"restart_tries=0",
		"restart_cap=-1",
		"restart_cap=1000001",
		"restart_delay=x",
		"store_wait=-1",
		"net=1",
		"drain_jobs=-1",
		"drain_jobs=x",
		"drain_jobs=100001",
		"on_complete=",
		"on_complete=delete",
		"on_failure=1",
		"on_failure=removed",
		"max_age=0",
		"max_age=",
		"max_age=old",
		"log=2",
		"log=",
		"log=INFO",
		"log=warning",
		"verbose",
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cr_error err = {0};
		struct cr_config config;
		char quoted[128];

		cr_config_init(&config);
		ck_assert_msg(parse(&config, cases[i], &err) == -1, "\"%s\" was taken", cases[i]);
		ck_assert_int_ne(err.errnum, 0);
		(void)snprintf(quoted, sizeof(quoted), "argument \"%s\"", cases[i]);
		unit_assert_error(&err, err.errnum, quoted);
	}
}
END_TEST

START_TEST(interval_below_least)
{
	char *argv[] = {(char *)"interval=30s", (char *)"min_interval=1m"};
	struct cr_error err = {0};
	struct cr_config config;

	cr_config_init(&config);
	ck_assert_int_eq(cr_config_parse(&config, 2, argv, &err), -1);
	unit_assert_error(&err, ERANGE, "interval= (30s) is less than min_interval= (1m)");
}
END_TEST

START_TEST(long_paths)
{
	static char arg[PATH_MAX + 16];
	struct cr_error err = {0};
	struct cr_config config;

	cr_config_init(&config);
	memset(arg, 'x', PATH_MAX + 10);
	memcpy(arg, "scratch=/", 9);
	ck_assert_int_eq(parse(&config, arg, &err), -1);
	ck_assert_int_eq(err.errnum, ENAMETOOLONG);
	ck_assert_str_eq(config.scratch, "/var/spool/spank_cr");
	memset(arg, 'x', PATH_MAX + 10);
	memcpy(arg, "dir=/", 5);
	ck_assert_int_eq(parse(&config, arg, &err), -1);
	ck_assert_int_eq(err.errnum, ENAMETOOLONG);
	ck_assert_str_eq(config.dir, "");
}
END_TEST

START_TEST(read_plugstack)
{
	struct cr_error err = {0};
	struct cr_config config;

	memset(&config, 0xff, sizeof(config));
	unit_write("p", "# required spank_cr.so keep=9\n\n   \t\n#\nrequired /usr/lib/other.so dir=relative\n"
			"optional x_spank_cr.so keep=8\ninclude spank_cr.so keep=7\n"
			"\t optional\t/usr/lib/slurm/spank_cr.so  dir=/ck/%u\tkeep=3 # keep=6\n"
			"required spank_cr.so keep=5\n");
	unit_assert_ok(cr_config_read(&config, unit_path("p"), &err), &err);
	ck_assert_str_eq(config.dir, "/ck/%u");
	ck_assert_int_eq(config.keep, 3);
	ck_assert_int_eq(config.interval, 3600);
	unit_write("bare", "required spank_cr.so");
	unit_assert_ok(cr_config_read(&config, unit_path("bare"), &err), &err);
	ck_assert_int_eq(config.keep, 2);
	ck_assert_str_eq(config.dir, "");
	unit_write("hash", "required spank_cr.so keep=4#log=debug\n");
	unit_assert_ok(cr_config_read(&config, unit_path("hash"), &err), &err);
	ck_assert_int_eq(config.keep, 4);
	ck_assert_int_eq(config.log_level, 1);
}
END_TEST

START_TEST(read_errors)
{
	static const char *const without[] = {"",
					      "\n",
					      "required\n",
					      "optional \n",
					      "# required spank_cr.so\n",
					      "spank_cr.so\n",
					      "Required spank_cr.so\n",
					      "required spank_cr.so.bak\n",
					      "required #spank_cr.so\n"};
	struct cr_error err = {0};
	struct cr_config config;
	char many[1024] = "required spank_cr.so";

	for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++) {
		unit_write("p", without[i]);
		ck_assert_msg(cr_config_read(&config, unit_path("p"), &err) == -1, "%s", without[i]);
		unit_assert_error(&err, ENOENT, "no line");
	}
	ck_assert_int_eq(cr_config_read(&config, unit_path("missing"), &err), -1);
	unit_assert_error(&err, ENOENT, "missing: No such file");
	ck_assert_int_eq(cr_config_read(&config, unit_dir, &err), -1);
	unit_assert_error(&err, EISDIR, unit_dir);
	unit_write("p", "required spank_cr.so keep=2 kepp=3\n");
	ck_assert_int_eq(cr_config_read(&config, unit_path("p"), &err), -1);
	unit_assert_error(&err, EINVAL, "argument \"kepp=3\" is unknown");
	unit_assert_error(&err, EINVAL, unit_path("p"));
	for (int i = 0; i < 65; i++)
		strcat(many, " keep=2");
	unit_write("p", many);
	ck_assert_int_eq(cr_config_read(&config, unit_path("p"), &err), -1);
	unit_assert_error(&err, E2BIG, "more than 64");
}
END_TEST

START_TEST(common)
{
	static const char *const cases[][2] = {{"/shared/checkpoints/%u", "/shared/checkpoints"},
					       {"/shared/u%U/x", "/shared"},
					       {"/shared/%%/%u", "/shared"},
					       {"/%u", "/"},
					       {"/shared/all", "/shared/all"},
					       {"", ""}};
	struct cr_error err = {0};
	char buf[32];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unit_assert_ok(cr_config_common(cases[i][0], buf, sizeof(buf), &err), &err);
		ck_assert_str_eq(buf, cases[i][1]);
	}
	unit_assert_ok(cr_config_common("/abc/%u", buf, 5, &err), &err);
	ck_assert_int_eq(cr_config_common("/abc/%u", buf, 4, &err), -1);
	unit_assert_error(&err, ENAMETOOLONG, "too long");
}
END_TEST

START_TEST(expand)
{
	struct cr_error err = {0};
	char buf[32];

	unit_assert_ok(cr_config_expand("/s/%u/%U/%%x", 1001, "alice", buf, sizeof(buf), &err), &err);
	ck_assert_str_eq(buf, "/s/alice/1001/%x");
	unit_assert_ok(cr_config_expand("/%U", UINT32_MAX, NULL, buf, sizeof(buf), &err), &err);
	ck_assert_str_eq(buf, "/4294967295");
	unit_assert_ok(cr_config_expand("", 0, NULL, buf, sizeof(buf), &err), &err);
	ck_assert_str_eq(buf, "");
	/* exactly full, and one too many */
	unit_assert_ok(cr_config_expand("/%u", 0, "abc", buf, 5, &err), &err);
	ck_assert_int_eq(cr_config_expand("/%u", 0, "abcd", buf, 5, &err), -1);
	unit_assert_error(&err, ENAMETOOLONG, "too long");
	ck_assert_int_eq(cr_config_expand("", 0, NULL, buf, 0, &err), -1);
	ck_assert_int_eq(cr_config_expand("/a%", 0, "u", buf, sizeof(buf), &err), -1);
	ck_assert_int_eq(cr_config_expand("/a%d", 0, "u", buf, sizeof(buf), &err), -1);
	ck_assert_int_eq(cr_config_expand("/a%s%n", 0, "u", buf, sizeof(buf), &err), -1);
	unit_assert_error(&err, EINVAL, "only u, U or %");
	/* a user name never leads elsewhere; its own % means nothing */
	for (const char *const *name = (const char *const[]){"", ".", "..", "a/b", "/", "../bob", NULL}; *name;
	     name++)
		ck_assert_int_eq(cr_config_expand("/s/%u", 0, *name, buf, sizeof(buf), &err), -1);
	ck_assert_int_eq(cr_config_expand("/s/%u", 0, NULL, buf, sizeof(buf), &err), -1);
	unit_assert_ok(cr_config_expand("/s/%u", 0, "a%U", buf, sizeof(buf), &err), &err);
	ck_assert_str_eq(buf, "/s/a%U");
}
END_TEST

UNIT_MAIN("config", {defaults, false}, {every_key, false}, {every_key_of_the_store, false},
	  {every_key_of_restarts, false}, {values_of_users, false}, {errors_name_the_argument, false},
	  {interval_below_least, false}, {long_paths, false}, {read_plugstack, true}, {read_errors, true},
	  {expand, false}, {common, false})
