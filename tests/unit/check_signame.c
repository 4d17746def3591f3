/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include <signal.h>

#include "../../libcrcore/signame.h"

START_TEST(what_is_understood)
{
	static const struct {
		const char *text;
		int before, after, lead;
	} cases[] = {
		{"USR1", SIGUSR1, SIGUSR1, 1},	   {"SIGUSR1", SIGUSR1, SIGUSR1, 1},
		{"10", SIGUSR1, SIGUSR1, 1},	   {"usr2", SIGUSR2, SIGUSR2, 1},
		{"sigterm", SIGTERM, SIGTERM, 1},  {"USR1,USR2", SIGUSR1, SIGUSR2, 1},
		{"12,SIGHUP", SIGUSR2, SIGHUP, 1}, {"USR1@0", SIGUSR1, SIGUSR1, 0},
		{"USR1@60", SIGUSR1, SIGUSR1, 60}, {"USR1,USR2@5", SIGUSR1, SIGUSR2, 5},
		{"34,64@007", 34, 64, 7},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cr_error err = {0};
		struct cr_signal s;

		memset(&s, 'x', sizeof(s));
		ck_assert_msg(cr_signal_parse(&s, cases[i].text, &err) == 0, "%s: %s", cases[i].text, err.text);
		ck_assert_int_eq(s.before, cases[i].before);
		ck_assert_int_eq(s.after, cases[i].after);
		ck_assert_int_eq(s.lead, cases[i].lead);
	}
}
END_TEST

START_TEST(what_is_not)
{
	static const struct {
		const char *text;
		int errnum;
		const char *part;
	} cases[] = {
		{"", EINVAL, "\"\" is no signal"},
		{"@5", EINVAL, "\"\" is no signal"},
		{"USR3", EINVAL, "\"USR3\" is no signal"},
		{"SIG", EINVAL, "no signal"},
		{"SIGSIGUSR1", EINVAL, "no signal"},
		{"0", EINVAL, "no signal"},
		{"-1", EINVAL, "no signal"},
		{"65", EINVAL, "no signal"},
		{"1000000000010", EINVAL, "no signal"},
		{" USR1", EINVAL, "no signal"},
		{"USR1 ", EINVAL, "no signal"},
		{"USR1,", EINVAL, "\"\" is no signal"},
		{",USR1", EINVAL, "\"\" is no signal"},
		{"USR1,USR2,HUP", EINVAL, "\"USR2,HUP\" is no signal"},
		{"KILL", EINVAL, "\"KILL\" cannot be caught"},
		{"USR1,19", EINVAL, "\"19\" cannot be caught"},
		{"USR1@", ERANGE, "seconds from 0 to 60"},
		{"USR1@61", ERANGE, "seconds from 0 to 60"},
		{"USR1@-1", ERANGE, "seconds from 0 to 60"},
		{"USR1@1s", ERANGE, "seconds from 0 to 60"},
		{"USR1@1@2", ERANGE, "seconds from 0 to 60"},
		{"USR1@4294967297", ERANGE, "seconds from 0 to 60"},
		{"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", EINVAL, "no signal"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cr_signal s = {1, 2, 3};
		struct cr_error err = {0};

		ck_assert_msg(cr_signal_parse(&s, cases[i].text, &err) == -1, "\"%s\" was taken", cases[i].text);
		unit_assert_error(&err, cases[i].errnum, cases[i].part);
		ck_assert(s.before == 1 && s.after == 2 && s.lead == 3);
	}
}
END_TEST

UNIT_MAIN("signame", {what_is_understood, false}, {what_is_not, false})
