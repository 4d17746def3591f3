/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include <stdint.h>

#include "../../spank_cr/plugin/plan.h"

START_TEST(candidates)
{
	struct candidate c;

	ck_assert(candidate_read(&c, "12 5000000000 9223372036854775807 host"));
	ck_assert_uint_eq(c.generation, 12);
	ck_assert_int_eq(c.monotonic_ns, 5000000000);
	ck_assert_int_eq(c.boottime_ns, INT64_MAX);
	ck_assert_str_eq(c.net, "host");
	ck_assert_str_eq(c.without, "");
	ck_assert(candidate_read(&c, "4294967295 0 0 private 2001,4294967295"));
	ck_assert_str_eq(c.net, "private");
	ck_assert_str_eq(c.without, "2001,4294967295");
}
END_TEST

START_TEST(of_another_job)
{
	char own[] = "candidate 7 1 1 host", other[] = "source candidate 7 1 1 host", none[] = "sourcecandidate";
	char *line = own;

	ck_assert(!source_read(&line));
	ck_assert_ptr_eq(line, own);
	line = other;
	ck_assert(source_read(&line));
	ck_assert_str_eq(line, "candidate 7 1 1 host");
	line = none;
	ck_assert(!source_read(&line));
	ck_assert_str_eq(line, "sourcecandidate");
}
END_TEST

START_TEST(what_is_no_candidate)
{
	static const char *const texts[] = {
		"",
		"0 1 1 host 2001", /* would be a start from the beginning, with groups left */
		"00 1 1 host",
		"4294967296 1 1 host",
		"99999999999999999999 1 1 host",
		"-1 1 1 host",
		" 1 1 1 host",
		"1  1 1 host",
		"1 1 host",
		"1 1 1",
		"1 1 1 ",
		"1 1 1 hosts",
		"1 1 1 Private",
		"1 9223372036854775808 1 host",
		"1 -1 1 host",
		"1 1 1 host 2001 ",
		"1 1 1 host  2001",
		"1 1 1 host 2001,",
		"1 1 1 host ,2001",
		"1 1 1 host 2001,,2002",
		"1 1 1 host 2001 2002",
		"1 1 1 host x",
		"0x1 1 1 host",
	};
	static char longer[2000] = "1 1 1 host ";

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct candidate c = {.generation = 77};

		ck_assert_msg(!candidate_read(&c, texts[i]), "\"%s\" was taken", texts[i]);
		ck_assert_uint_eq(c.generation, 77);
	}
	memset(longer + strlen(longer), '1', 600);
	ck_assert(!candidate_read(&(struct candidate){0}, longer));
}
END_TEST

START_TEST(unfit_ones)
{
	static const char *const none[] = {"", "7", "7 ", "0 why", "x why", "-1 why", "4294967296 why", "7why"};
	static char longer[2000] = "7 ";
	struct unfit unfit = {0};

	ck_assert(unfit_read(&unfit, "7 the processor has no avx2; and 3 more"));
	ck_assert_uint_eq(unfit.generation, 7);
	ck_assert_str_eq(unfit.why, "the processor has no avx2; and 3 more");
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		ck_assert_msg(!unfit_read(&unfit, none[i]), "\"%s\" was taken", none[i]);
	memset(longer + 2, 'x', sizeof(longer) - 3);
	ck_assert(unfit_read(&unfit, longer));
	ck_assert_uint_eq(strlen(unfit.why), sizeof(unfit.why) - 1);
}
END_TEST

START_TEST(setbacks)
{
	static const char *const none[] = {"",	    "hold",  "hold ",	"fresher why", "Fail why",
					   " hold", "0 why", "holdwhy", "74 why",      "hold\twhy"};
	static char longer[2000] = "fail ";
	struct setback s = {0};

	ck_assert(setback_read(&s, "fresh none of its checkpoints"));
	ck_assert(s.is);
	ck_assert_int_eq(s.fallback, CR_FALLBACK_FRESH);
	ck_assert_str_eq(s.why, "none of its checkpoints");
	ck_assert(setback_read(&s, "hold x"));
	ck_assert_int_eq(s.fallback, CR_FALLBACK_HOLD);
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		struct setback bad = {0};

		ck_assert_msg(!setback_read(&bad, none[i]), "\"%s\" was taken", none[i]);
		ck_assert(!bad.is);
	}
	memset(longer + 5, 'x', sizeof(longer) - 6);
	ck_assert(setback_read(&s, longer));
	ck_assert_int_eq(s.fallback, CR_FALLBACK_FAIL);
	ck_assert_uint_eq(strlen(s.why), sizeof(s.why) - 1);
}
END_TEST

START_TEST(delays)
{
	static const char *const none[] = {"", "0", "-1", "3601", "1 ", "1 1", "x", "99999999999999999999"};
	int64_t seconds = 7;

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		ck_assert_msg(!delay_read(&seconds, none[i]) && seconds == 7, "\"%s\" was taken", none[i]);
	ck_assert(delay_read(&seconds, "3600"));
	ck_assert_int_eq(seconds, 3600);
}
END_TEST

UNIT_MAIN("plan", {of_another_job, false}, {candidates, false}, {what_is_no_candidate, false}, {unfit_ones, false},
	  {setbacks, false}, {delays, false})
