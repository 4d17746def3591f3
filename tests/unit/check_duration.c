/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include "../../libcrcore/duration.h"

START_TEST(good)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} cases[] = {
		{"1", 60},	{"90", 5400},	    {"0:30", 30},	  {"5:00", 300},
		{"1:90", 150},	{"1:00:00", 3600},  {"0:0:1", 1},	  {"01:02:03", 3723},
		{"1-0", 86400}, {"0-1", 3600},	    {"2-3", 183600},	  {"1-02:30", 95400},
		{"0-0:1", 60},	{"1-1:1:1", 90061}, {"45s", 45},	  {"10m", 600},
		{"2h", 7200},	{"3d", 259200},	    {"3650d", 315360000}, {"315360000s", 315360000},
		{"0001", 60},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cr_error err = {0};
		int64_t seconds = -1;

		ck_assert_msg(cr_duration_parse(cases[i].text, &seconds, &err) == 0, "%s: %s", cases[i].text,
			      err.text);
		ck_assert_msg(seconds == cases[i].seconds, "%s is %lld", cases[i].text, (long long)seconds);
	}
}
END_TEST

START_TEST(bad)
{
	static const char *const cases[] = {
		"",	" ",	       " 5",	       "5 ",
		"5 m",	"+5",	       "-5",	       "-",
		":",	"::",	       "1:",	       ":1",
		"1::1", "1:2:3:4",     "1-",	       "-1",
		"1-1:", "1-:1",	       "1-1:1:1:1",    "1-2-3",
		"s",	"m5",	       "5x",	       "5S",
		"5ms",	"5m3s",	       "1h30m",	       "1:30m",
		"1-1h", "1.5",	       "1e3",	       "0x10",
		"five", "UNLIMITED",   "infinite",     "5\n",
		"\t5",	"99999999999", "12345678901s", "99999999999999999999999999",
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cr_error err = {0};
		int64_t seconds = 77;

		ck_assert_msg(cr_duration_parse(cases[i], &seconds, &err) == -1, "\"%s\" was taken", cases[i]);
		unit_assert_error(&err, EINVAL, "is not a time");
		ck_assert_int_eq(seconds, 77);
	}
}
END_TEST

START_TEST(out_of_range)
{
	static const char *const cases[] = {"0",
					    "0s",
					    "0:0",
					    "0-0",
					    "0-0:0:0",
					    "3651d",
					    "315360001s",
					    "9999999999d",
					    "9999999999-0",
					    "9999999999-9999999999:9999999999:9999999999"};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cr_error err = {0};
		int64_t seconds = 77;

		ck_assert_msg(cr_duration_parse(cases[i], &seconds, &err) == -1, "\"%s\" was taken", cases[i]);
		unit_assert_error(&err, ERANGE, cases[i]);
		ck_assert_int_eq(seconds, 77);
	}
	ck_assert_int_eq(cr_duration_parse(NULL, &(int64_t){0}, NULL), -1);
}
END_TEST

START_TEST(format)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} cases[] = {
		{0, "0s"},
		{1, "1s"},
		{45, "45s"},
		{60, "1m"},
		{600, "10m"},
		{5400, "1h30m"},
		{172800, "2d"},
		{90061, "1d1h1m1s"},
		{3601, "1h1s"},
		{-90, "-1m30s"},
		{INT64_MAX, "106751991167300d15h30m7s"},
		{INT64_MIN, "-106751991167300d15h30m8s"},
	};
	char buf[64], small[4];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_str_eq(cr_duration_format(cases[i].seconds, buf, sizeof(buf)), cases[i].text);
	ck_assert_str_eq(cr_duration_format(90061, small, sizeof(small)), "1d1");
	small[0] = 'q';
	ck_assert_ptr_eq(cr_duration_format(5, small, 0), small);
	ck_assert_int_eq(small[0], 'q');
}
END_TEST

UNIT_MAIN("duration", {good, false}, {bad, false}, {out_of_range, false}, {format, false})
