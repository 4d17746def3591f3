/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include <time.h>

#include "../../libcrcore/cleanup.h"
#include "../../libcrcore/fs.h"
#include "../../libcrcore/store.h"
#include "../../spank_cr/cli/gc.h"

static struct cr_config config;
static struct cr_store store;
static struct gc gc;

static void begin(const char *option)
{
	char *argv[] = {strdup(option)};
	struct cr_error err = {0};

	cr_config_init(&config);
	unit_assert_ok(cr_config_parse(&config, *option ? 1 : 0, argv, &err), &err);
	free(argv[0]);
	gc = (struct gc){.config = &config, .uid = geteuid(), .now = time(NULL), .removed = json_array()};
	unit_assert_ok(cr_store_open(&store, unit_dir, 4711, "batch.0", geteuid(), true, &err), &err);
}

static void event_of(uint32_t restart, const char *name)
{
	struct cr_journal_event e = {.event = name, .restart = restart, .node = "n1", .time = "t", .ms = -1};
	struct cr_error err = {0};

	unit_assert_ok(cr_journal_append(&store, &e, &err), &err);
}

static void event(const char *name)
{
	event_of(0, name);
}

static void make(const char *name)
{
	struct cr_error err = {0};
	char path[256];

	(void)snprintf(path, sizeof(path), "4711/batch.0/%s", name);
	unit_assert_ok(cr_fs_mkdirs(unit_path(path), 0700, &err), &err);
	(void)snprintf(path, sizeof(path), "4711/batch.0/%s/index", name);
	unit_write(path, "0123456789");
}

static bool there(const char *name)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "4711/batch.0/%s", name);
	return unit_exists(path);
}

/* Returns the bytes it says. */
static json_int_t run(void)
{
	struct cr_error err = {0};
	json_int_t sum = 0;
	json_t *item;
	size_t i;

	unit_assert_ok(gc_job(&gc, unit_dir, 4711, &err), &err);
	json_array_foreach (gc.removed, i, item)
		sum += json_integer_value(json_object_get(item, "bytes"));
	json_array_clear(gc.removed);
	return sum;
}

START_TEST(leftovers)
{
	begin("");
	event("fresh");
	make("000001");
	make(".000002.tmp");
	make(".000003.del");
	gc.dry_run = true;
	ck_assert_int_eq(run(), 20);
	ck_assert(there(".000002.tmp") && there(".000003.del"));
	gc.dry_run = false;
	ck_assert_int_eq(run(), 20);
	ck_assert(!there(".000002.tmp") && !there(".000003.del"));
	ck_assert(there("000001") && there("journal.jsonl"));
	ck_assert_int_eq(run(), 0);
	json_decref(gc.removed);
}
END_TEST

START_TEST(how_it_ended)
{
	static const struct {
		const char *option, *last;
		bool goes;
	} cases[] = {
		{"", "completed", true},
		{"on_complete=keep", "completed", false},
		{"", "ended", false},
		{"on_failure=remove", "ended", true},
		/* started again after its end, and lost */
		{"", "fresh", false},
		{"on_failure=remove", "restored", false},
		{"on_failure=remove", "failed", true}, /* a checkpoint, nothing of its end */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cr_error err = {0};

		begin(cases[i].option);
		make("000001");
		event("fresh");
		event(strcmp(cases[i].last, "completed") == 0 ? "failed" : "ended");
		event(cases[i].last);
		ck_assert_int_eq(run(), cases[i].goes ? 10 : 0);
		ck_assert_msg(there("000001") == !cases[i].goes, "%s %s", cases[i].option, cases[i].last);
		ck_assert(there("journal.jsonl"));
		json_decref(gc.removed);
		unit_assert_ok(cr_fs_remove_tree(unit_path("4711"), &err), &err);
	}
}
END_TEST

/* On a node that was cut off, while the job goes on elsewhere. */
START_TEST(an_older_starts_end)
{
	static const char *const ends[] = {"completed", "ended"};

	begin("on_failure=remove");
	make("000001");
	event("fresh");
	for (size_t i = 0; i < 2; i++) {
		event_of(1, "start");
		event(ends[i]);
		ck_assert_int_eq(run(), 0);
		event_of(1, "restored");
		event(ends[i]);
		ck_assert_int_eq(run(), 0);
		ck_assert(there("000001"));
	}
	event_of(1, "completed");
	ck_assert_int_eq(run(), 10);
	json_decref(gc.removed);
}
END_TEST

START_TEST(old_age)
{
	begin("max_age=1d");
	event("fresh");
	make("000001");
	gc.now += 86000;
	ck_assert_int_eq(run(), 0);
	gc.now += 1000;
	gc.dry_run = true;
	ck_assert_int_gt(run(), 10);
	ck_assert(there("000001"));
	gc.dry_run = false;
	ck_assert_int_gt(run(), 10);
	ck_assert(!unit_exists("4711"));
	json_decref(gc.removed);
	/* a clock that is behind removes nothing of a job that is only just there */
	begin("max_age=1d");
	event("fresh");
	gc.now = 0;
	ck_assert_int_eq(run(), 0);
	ck_assert(there("journal.jsonl"));
	json_decref(gc.removed);
}
END_TEST

START_TEST(what_is_empty)
{
	struct cr_error err = {0};

	begin("");
	ck_assert_int_eq(run(), 0);
	ck_assert(!unit_exists("4711"));
	/* links that the site's directory has for jobs that keep theirs elsewhere */
	ck_assert_int_eq(symlink("/nowhere/4711", unit_path("4711")), 0);
	gc.dry_run = true;
	ck_assert_int_eq(run(), 0);
	ck_assert(unit_exists("4711"));
	gc.dry_run = false;
	ck_assert_int_eq(run(), 0);
	ck_assert(!unit_exists("4711"));
	unit_assert_ok(gc_job(&gc, unit_dir, 4711, &err), &err);
	json_decref(gc.removed);
}
END_TEST

START_TEST(whose_it_is_not)
{
	struct cr_error err = {0};

	begin("");
	make(".000002.tmp");
	gc.uid++;
	ck_assert_int_eq(gc_job(&gc, unit_dir, 4711, &err), -1);
	unit_assert_error(&err, EPERM, "belongs to uid");
	ck_assert(there(".000002.tmp"));
	/* a link to something that does not bear the job's id */
	gc.uid--;
	ck_assert_int_eq(symlink("4711", unit_path("4712")), 0);
	ck_assert_int_eq(gc_job(&gc, unit_dir, 4712, &err), -1);
	unit_assert_error(&err, EINVAL, "not a directory of job 4712");
	ck_assert(there(".000002.tmp"));
	json_decref(gc.removed);
}
END_TEST

START_TEST(earlier_jobs)
{
	struct cr_error err = {0};

	begin("max_age=1d");
	ck_assert_int_eq(mkdir(unit_path("7.old-1700000000"), 0700), 0);
	unit_write("7.old-1700000000/x", "0123456789");
	unit_assert_ok(gc_old(&gc, unit_dir, "7.old-1700000000", 7, &err), &err);
	ck_assert(unit_exists("7.old-1700000000"));
	gc.now += 2 * 86400;
	unit_assert_ok(gc_old(&gc, unit_dir, "7.old-1700000000", 7, &err), &err);
	ck_assert(!unit_exists("7.old-1700000000"));
	ck_assert_uint_eq(json_array_size(gc.removed), 1);
	ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(gc.removed, 0), "bytes")), 10);
	/* a link in its place goes, what it leads to does not */
	ck_assert_int_eq(mkdir(unit_path("victim"), 0700), 0);
	unit_write("victim/x", "precious");
	ck_assert_int_eq(symlink("victim", unit_path("8.old-1")), 0);
	unit_assert_ok(gc_old(&gc, unit_dir, "8.old-1", 8, &err), &err);
	ck_assert(!unit_exists("8.old-1"));
	ck_assert(unit_exists("victim/x"));
	json_decref(gc.removed);
}
END_TEST

UNIT_MAIN("gc", {leftovers, true}, {how_it_ended, true}, {an_older_starts_end, true}, {old_age, true},
	  {what_is_empty, true}, {whose_it_is_not, true}, {earlier_jobs, true})
