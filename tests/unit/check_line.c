/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include "../../libcrcore/line.h"

static char seen[8][CR_LINE_MAX];
static int n_seen;

static void note(char *line, void *arg)
{
	(void)arg;
	ck_assert_int_lt(n_seen, 8);
	(void)snprintf(seen[n_seen++], sizeof(seen[0]), "%s", line);
}

static void feed(struct cr_lines *lines, const char *bytes, size_t n)
{
	n_seen = 0;
	cr_lines_feed(lines, bytes, n, note, NULL);
}

START_TEST(lines_as_they_come)
{
	struct cr_lines lines = {0};

	feed(&lines, "one\ntw", 6);
	ck_assert_int_eq(n_seen, 1);
	ck_assert_str_eq(seen[0], "one");
	feed(&lines, "o\n\nthree", 8);
	ck_assert_int_eq(n_seen, 2);
	ck_assert_str_eq(seen[0], "two");
	ck_assert_str_eq(seen[1], "");
	/* not a line before its end has come */
	feed(&lines, "\n", 1);
	ck_assert_str_eq(seen[0], "three");
	ck_assert_uint_eq(lines.refused, 0);
}
END_TEST

START_TEST(a_line_that_is_too_long_is_none)
{
	static char text[3 * CR_LINE_MAX];
	struct cr_lines lines = {0};
	int n = CR_LINE_MAX + 100;

	/* what is behind the reader's end of it is no line of its own */
	memset(text, 'x', sizeof(text));
	(void)snprintf(text + n, sizeof(text) - (size_t)n, "candidate 0 1 1 host 2001\nready\n");
	feed(&lines, text, strlen(text));
	ck_assert_int_eq(n_seen, 1);
	ck_assert_str_eq(seen[0], "ready");
	ck_assert_uint_eq(lines.refused, 1);
	/* the longest that fits */
	memset(text, 'y', CR_LINE_MAX - 1);
	text[CR_LINE_MAX - 1] = '\n';
	feed(&lines, text, CR_LINE_MAX);
	ck_assert_int_eq(n_seen, 1);
	ck_assert_uint_eq(strlen(seen[0]), CR_LINE_MAX - 1);
}
END_TEST

START_TEST(control_characters_make_none)
{
	static const char text[] = "a\tb\nc\0d\ne\x7f\ngr\xc3\xbc\xc3\x9f\n\r\n";
	struct cr_lines lines = {0};

	feed(&lines, text, sizeof(text) - 1);
	ck_assert_int_eq(n_seen, 1);
	ck_assert_str_eq(seen[0], "gr\xc3\xbc\xc3\x9f");
	ck_assert_uint_eq(lines.refused, 4);
}
END_TEST

/* What cr_line_say makes of a text, as it comes out of a file. */
static const char *said(const char *text)
{
	static char bytes[2 * CR_LINE_MAX];
	FILE *f = fmemopen(bytes, sizeof(bytes), "w");

	memset(bytes, 0, sizeof(bytes));
	ck_assert_ptr_nonnull(f);
	cr_line_say(f, "note %s", text);
	ck_assert_int_eq(fclose(f), 0);
	return bytes;
}

START_TEST(one_line_is_said)
{
	static char path[4000];
	struct cr_lines lines = {0};
	const char *text;

	ck_assert_str_eq(said("a"), "note a\n");
	ck_assert_str_eq(said("/x\ncandidate 0 1 1 host 2001\n"), "note /x?candidate 0 1 1 host 2001?\n");
	ck_assert_str_eq(said("gr\xc3\xbc\xc3\x9f\x1b[0m"), "note gr\xc3\xbc\xc3\x9f?[0m\n");
	/* what is too long is cut, and can be read */
	memset(path, 'x', sizeof(path) - 1);
	text = said(path);
	ck_assert_uint_eq(strlen(text), CR_LINE_MAX);
	feed(&lines, text, strlen(text));
	ck_assert_int_eq(n_seen, 1);
	ck_assert_uint_eq(lines.refused, 0);
}
END_TEST

UNIT_MAIN("line", {lines_as_they_come, false}, {a_line_that_is_too_long_is_none, false},
	  {control_characters_make_none, false}, {one_line_is_said, false})
