/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include "../../spank_cr/cli/target.h"

START_TEST(accepted)
{
	static const struct {
		const char *text;
		uint32_t job;
		bool is_task;
		uint32_t task, generation;
		const char *name;
	} cases[] = {
		{"1", 1, false, 0, 0, "1"},
		{"4711", 4711, false, 0, 0, "4711"},
		{"007", 7, false, 0, 0, "7"},
		{"4294967295", UINT32_MAX, false, 0, 0, "4294967295"},
		{"12.3", 12, false, 0, 3, "12"},
		{"12_0", 12, true, 0, 0, "12_0"},
		{"12_7.9", 12, true, 7, 9, "12_7"},
		{"4294967295_4294967295.4294967295", UINT32_MAX, true, UINT32_MAX, UINT32_MAX,
		 "4294967295_4294967295"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cr_error err = {0};
		struct target t;

		memset(&t, 'x', sizeof(t));
		ck_assert_msg(target_parse(cases[i].text, &t, &err) == 0, "%s: %s", cases[i].text, err.text);
		ck_assert_uint_eq(t.job, cases[i].job);
		ck_assert_int_eq(t.is_task, cases[i].is_task);
		ck_assert_uint_eq(t.task, cases[i].task);
		ck_assert_uint_eq(t.generation, cases[i].generation);
		ck_assert_str_eq(t.name, cases[i].name);
	}
}
END_TEST

START_TEST(refused)
{
	static const char *const cases[] = {
		"",
		"0",
		"-1",
		"+1",
		" 1",
		"1 ",
		"1\n",
		"x",
		"1x",
		"0x10",
		"1.",
		"1.0",
		"1.-1",
		"1.x",
		"1..2",
		"1.2.3",
		"1_",
		"1_x",
		"1_-2",
		"1_2_3",
		"_1",
		".1",
		"1_2.",
		"1_2.0",
		"1,2",
		"1/../2",
		"../1",
		"1;id",
		"$(id)",
		"--help",
		"1+0",
		"1_[1-3]",
		"1e3",
		"1.5 ",
		"\xd9\xa1",
		"1\t",
		"1_ 2",
		"4294967296",
		"1_4294967296",
		"1.4294967296",
		"18446744073709551617",
		"99999999999999999999999999999999999999999999999999",
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cr_error err = {0};
		struct target t;

		ck_assert_msg(target_parse(cases[i], &t, &err) == -1, "\"%s\" was taken", cases[i]);
		ck_assert_int_eq(err.errnum, EINVAL);
		ck_assert_ptr_nonnull(strstr(err.text, "write JOBID, JOBID_TASK or JOBID.GENERATION"));
		ck_assert_str_eq(t.name, "");
	}
}
END_TEST

START_TEST(long_text_is_told_short)
{
	struct cr_error err = {0};
	struct target t;
	char text[5000];

	memset(text, '1', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	ck_assert_int_eq(target_parse(text, &t, &err), -1);
	ck_assert_uint_lt(strlen(err.text), 200);
}
END_TEST

UNIT_MAIN("target", {accepted, false}, {refused, false}, {long_text_is_told_short, false})
