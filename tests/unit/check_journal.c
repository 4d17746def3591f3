/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include "../../libcrcore/cleanup.h"
#include "../../libcrcore/fs.h"
#include "../../libcrcore/store.h"

#define GOOD "{\"time\":\"t\",\"event\":\"fresh\",\"generation\":1,\"run\":1,\"restart\":0,\"node\":\"n1\"}"

static struct cr_store store;

/* what the walks below have seen, as "event:generation …" */
static char seen[4096];

static void open_store(void)
{
	struct cr_error err = {0};

	unit_assert_ok(cr_store_open(&store, unit_dir, 1, "x", geteuid(), true, &err), &err);
}

static int see(const struct cr_journal_event *event, void *arg)
{
	ck_assert_ptr_eq(arg, &store);
	(void)snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "%s%s:%u", seen[0] ? " " : "",
		       event->event, event->generation);
	return 0;
}

static const char *walk(void)
{
	struct cr_error err = {0};

	seen[0] = '\0';
	unit_assert_ok(cr_journal_each(&store, see, &store, &err), &err);
	return seen;
}

static void append(const char *name, uint32_t generation)
{
	struct cr_journal_event event = {
		.event = name, .generation = generation, .run = 1, .node = "n1", .time = "t", .ms = -1};
	struct cr_error err = {0};

	unit_assert_ok(cr_journal_append(&store, &event, &err), &err);
}

static const struct cr_journal_event full = {
	.event = "restored",
	.generation = 7,
	.run = 2,
	.restart = 3,
	.node = "n2",
	.time = "2026-03-01T12:34:56.789Z",
	.reason = "nodefail",
	.text = "line\nbreak \"quoted\" ü",
	.ms = 812,
	.clock_ms = 15000,
};

static int compare_full(const struct cr_journal_event *event, void *arg)
{
	ck_assert_str_eq(event->event, full.event);
	ck_assert_uint_eq(event->generation, full.generation);
	ck_assert_uint_eq(event->run, full.run);
	ck_assert_uint_eq(event->restart, full.restart);
	ck_assert_str_eq(event->node, full.node);
	ck_assert_str_eq(event->time, full.time);
	ck_assert_str_eq(event->reason, full.reason);
	ck_assert_str_eq(event->text, full.text);
	ck_assert_int_eq(event->ms, full.ms);
	ck_assert_int_eq(event->clock_ms, full.clock_ms);
	++*(int *)arg;
	return 0;
}

START_TEST(round_trip)
{
	struct cr_error err = {0};
	cleanup_free char *text = NULL;
	size_t size = 0;
	int n = 0;

	open_store();
	ck_assert_str_eq(walk(), "");
	unit_assert_ok(cr_journal_append(&store, &full, &err), &err);
	unit_assert_ok(cr_journal_each(&store, compare_full, &n, &err), &err);
	ck_assert_int_eq(n, 1);
	unit_assert_ok(cr_fs_read(unit_path("1/x/journal.jsonl"), 1000, &text, &size, &err), &err);
	ck_assert_ptr_eq(strchr(text, '\n'), text + size - 1);
	append("fresh", 0);
	append("failed", 9);
	ck_assert_str_eq(walk(), "restored:7 fresh:0 failed:9");
}
END_TEST

static int null_texts(const struct cr_journal_event *event, void *arg)
{
	(void)arg;
	ck_assert_ptr_null(event->reason);
	ck_assert_ptr_null(event->text);
	ck_assert_int_eq(event->ms, -1);
	return 5;
}

START_TEST(nulls_and_early_end)
{
	struct cr_error err = {0};

	open_store();
	append("fresh", 0);
	append("fresh", 0);
	ck_assert_int_eq(cr_journal_each(&store, null_texts, NULL, &err), 5);
}
END_TEST

START_TEST(torn_lines)
{
	static const char torn[] = "{\"time\":\"t\",\"event\":\"fre";
	static const char hole[64]; /* what some file systems leave after a crash */
	char text[1024];

	open_store();
	(void)snprintf(text, sizeof(text), "%s\n%s", GOOD, torn);
	unit_write("1/x/journal.jsonl", text);
	ck_assert_str_eq(walk(), "fresh:1");
	append("failed", 2);
	ck_assert_str_eq(walk(), "fresh:1 failed:2");
	/* every length of a torn line, with a good one behind it */
	for (size_t i = 0; i < strlen(GOOD); i++) {
		(void)snprintf(text, sizeof(text), "%.*s", (int)i, GOOD);
		unit_write("1/x/journal.jsonl", text);
		append("failed", 2);
		ck_assert_str_eq(walk(), "failed:2");
	}
	unit_write_bytes("1/x/journal.jsonl", hole, sizeof(hole));
	append("failed", 3);
	ck_assert_str_eq(walk(), "failed:3");
	/* whole, and only its newline lost */
	unit_write("1/x/journal.jsonl", GOOD);
	append("failed", 4);
	ck_assert_str_eq(walk(), "fresh:1 failed:4");
}
END_TEST

START_TEST(strange_lines)
{
	static const char *const lines[] = {
		"",
		"null",
		"7",
		"[]",
		"{}",
		"x",
		"\xff",
		GOOD GOOD,
		"{\"time\":\"t\",\"event\":7,\"generation\":1,\"run\":1,\"restart\":0,\"node\":\"n1\"}",
		"{\"time\":\"t\",\"event\":\"x\",\"generation\":-1,\"run\":1,\"restart\":0,\"node\":\"n1\"}",
		"{\"time\":\"t\",\"event\":\"x\",\"generation\":4294967296,\"run\":1,\"restart\":0,\"node\":"
		"\"n1\"}",
		"{\"time\":\"t\",\"event\":\"x\",\"generation\":\"1\",\"run\":1,\"restart\":0,\"node\":"
		"\"n1\"}",
		"{\"time\":\"t\",\"event\":\"x\",\"generation\":1,\"run\":1,\"restart\":0,\"node\":null}",
		"{\"time\":\"t\",\"event\":\"x\",\"generation\":1,\"run\":1,\"restart\":0}",
		"{\"event\":\"x\",\"generation\":1,\"run\":1,\"restart\":0,\"node\":\"n1\"}",
		"{\"time\":\"t\",\"event\":\"x\",\"generation\":1,\"run\":1,\"restart\":0,\"node\":\"n1\","
		"\"text\":7}",
	};
	char text[1024];

	open_store();
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		(void)snprintf(text, sizeof(text), "%s\n" GOOD "\n", lines[i]);
		unit_write("1/x/journal.jsonl", text);
		ck_assert_str_eq(walk(), "fresh:1");
	}
	/* a later version may say more */
	unit_write("1/x/journal.jsonl",
		   "{\"v\":[2],\"time\":\"t\",\"event\":\"new-kind\",\"generation\":1,\"run\":1,"
		   "\"restart\":0,\"node\":\"n1\",\"ms\":\"x\"}\n");
	ck_assert_str_eq(walk(), "new-kind:1");
}
END_TEST

START_TEST(append_refuses)
{
	struct cr_journal_event event = full;
	struct cr_error err = {0};

	open_store();
	event.event = NULL;
	ck_assert_int_eq(cr_journal_append(&store, &event, &err), -1);
	unit_assert_error(&err, EINVAL, "needs a name");
	event = full;
	event.node = NULL;
	ck_assert_int_eq(cr_journal_append(&store, &event, &err), -1);
	event = full;
	event.text = "no \xff utf8";
	unit_assert_ok(cr_journal_append(&store, &event, &err), &err);
	ck_assert_str_eq(walk(), "restored:7");
}
END_TEST

START_TEST(planted)
{
	struct cr_error err = {0};

	open_store();
	unit_write("victim", "precious");
	ck_assert_int_eq(symlink("../../victim", unit_path("1/x/journal.jsonl")), 0);
	ck_assert_int_eq(cr_journal_append(&store, &full, &err), -1);
	unit_assert_error(&err, ELOOP, "journal.jsonl");
	ck_assert_int_eq(cr_journal_each(&store, see, &store, &err), -1);
	unit_assert_error(&err, ELOOP, "journal.jsonl");
	ck_assert_int_eq(unlink(unit_path("1/x/journal.jsonl")), 0);
	ck_assert_int_eq(mkfifo(unit_path("1/x/journal.jsonl"), 0600), 0);
	ck_assert_int_eq(cr_journal_append(&store, &full, &err), -1);
	unit_assert_error(&err, EINVAL, "not a regular file");
	ck_assert_int_eq(unlink(unit_path("1/x/journal.jsonl")), 0);
	ck_assert_int_eq(mkdir(unit_path("1/x/journal.jsonl"), 0700), 0);
	ck_assert_int_eq(cr_journal_append(&store, &full, &err), -1);
	ck_assert_int_eq(cr_journal_each(&store, see, &store, &err), -1);
	unit_assert_error(&err, EISDIR, "journal.jsonl");
}
END_TEST

UNIT_MAIN("journal", {round_trip, true}, {nulls_and_early_end, true}, {torn_lines, true}, {strange_lines, true},
	  {append_refuses, true}, {planted, true})
