/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include <sched.h>

#include "../../libcrcore/cpus.h"

static struct cr_cpus cpus(const char *text)
{
	struct cr_error err = {0};
	struct cr_cpus set;

	memset(&set, 'x', sizeof(set));
	unit_assert_ok(cr_cpus_parse(&set, text, &err), &err);
	return set;
}

static char text[CR_CPUS_TEXT];

START_TEST(text_and_back)
{
	static const char *const same[] = {"",	    "0",     "7",    "0-3",    "0,2",
					   "0-1,3", "63-64", "8191", "0-8191", "1,3,5,8190"};

	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		struct cr_cpus set = cpus(same[i]);

		ck_assert_str_eq(cr_cpus_format(&set, text, sizeof(text)), same[i]);
	}
}
END_TEST

START_TEST(text_that_is_put_in_order)
{
	struct cr_cpus set = cpus("3,1,2,0,2-2");

	ck_assert_str_eq(cr_cpus_format(&set, text, sizeof(text)), "0-3");
	ck_assert_uint_eq(cr_cpus_count(&set), 4);
	ck_assert(cr_cpus_has(&set, 3) && !cr_cpus_has(&set, 4) && !cr_cpus_has(&set, 100000));
}
END_TEST

START_TEST(text_that_is_no_list)
{
	static const char *const bad[] = {
		",",   "0,",   ",0",	 "0,,1",	   "-1",  "1-",	  "3-1", "a", "0-a", "0 1", " 0",
		"0\n", "8192", "0-8192", "99999999999999", "0x1", "1-2-3"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct cr_cpus set = cpus("5");
		struct cr_error err = {0};

		ck_assert_msg(cr_cpus_parse(&set, bad[i], &err) == -1, "\"%s\" was taken", bad[i]);
		unit_assert_error(&err, EINVAL, "no list of processors");
		ck_assert_str_eq(cr_cpus_format(&set, text, sizeof(text)), "5");
	}
}
END_TEST

START_TEST(a_buffer_that_is_too_short)
{
	struct cr_cpus set = cpus("10,20,30");
	char small[6];

	ck_assert_str_eq(cr_cpus_format(&set, small, sizeof(small)), "10,20");
}
END_TEST

START_TEST(from_one_allocation_to_another)
{
	static const struct {
		const char *mask, *before, *now, *mapped;
	} cases[] = {
		/* the whole stays the whole, whatever its size */
		{"0-3", "0-3", "8-9", "8-9"},
		{"0-3", "0-3", "4-11", "4-11"},
		{"5", "5", "0-7", "0-7"},
		/* a mask that is wider than its allocation is the whole, too */
		{"0-7", "2-3", "5", "5"},
		/* the same place */
		{"1", "0-3", "0-3", "1"},
		{"0,2", "0-3", "0-3", "0,2"},
		/* the i-th to the i-th */
		{"0", "0-3", "4-7", "4"},
		{"3", "0-3", "4-7", "7"},
		{"1,3", "0-3", "10,20,30,40", "20,40"},
		{"20", "10,20,30", "0-2", "1"},
		/* more now: the others stay free */
		{"1-2", "0-2", "0-7", "1-2"},
		/* fewer now: counted round */
		{"2", "0-3", "0-1", "0"},
		{"3", "0-3", "0-1", "1"},
		{"1,3", "0-3", "4-5", "5"},
		{"2-3", "0-3", "4-5", "4-5"},
		{"6", "0-7", "1,3,5", "1"},
		{"0,3", "0-3", "9", "9"},
		/* beside the allocation it had: no counterpart */
		{"9", "0-3", "4-7", "4-7"},
		{"1,9", "0-3", "4-7", "5"},
		/* nothing to go by */
		{"0-3", "", "1-2", "1-2"},
		{"", "0-3", "1-2", "1-2"},
		{"", "", "1", "1"},
		{"1", "0-3", "", ""},
		/* at the ends of the set */
		{"8191", "8190-8191", "0,8191", "8191"},
		{"0", "0,8191", "63-64", "63"},
		{"8191", "0,8191", "63-64", "64"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cr_cpus mask = cpus(cases[i].mask), before = cpus(cases[i].before);
		struct cr_cpus now = cpus(cases[i].now), mapped;

		memset(&mapped, 'x', sizeof(mapped));
		cr_cpus_map(&mask, &before, &now, &mapped);
		ck_assert_msg(strcmp(cr_cpus_format(&mapped, text, sizeof(text)), cases[i].mapped) == 0,
			      "%s of %s in %s is %s, not %s", cases[i].mask, cases[i].before, cases[i].now, text,
			      cases[i].mapped);
	}
}
END_TEST

/* Whatever the masks: within now, not empty, and no larger than what it was. */
START_TEST(every_mapping_of_small_sets)
{
	for (unsigned m = 0; m < 32; m++) {
		for (unsigned b = 0; b < 32; b++) {
			for (unsigned n = 1; n < 32; n++) {
				struct cr_cpus mask = {{m}}, before = {{b}}, now = {{n}}, mapped;
				unsigned both = (unsigned)__builtin_popcount(m & b);

				cr_cpus_map(&mask, &before, &now, &mapped);
				ck_assert_uint_eq(mapped.bits[0] & ~(unsigned long)n, 0);
				ck_assert_uint_gt(cr_cpus_count(&mapped), 0);
				if (both == 0 || (m & b) == b)
					ck_assert(cr_cpus_equal(&mapped, &now));
				else
					ck_assert_uint_le(cr_cpus_count(&mapped), both);
			}
		}
	}
}
END_TEST

START_TEST(the_caller_itself)
{
	struct cr_error err = {0};
	struct cr_cpus all, one = {0}, now;
	unsigned cpu = 0;

	unit_assert_ok(cr_cpus_get(0, &all, &err), &err);
	while (!cr_cpus_has(&all, cpu))
		cpu++;
	cr_cpus_add(&one, cpu);
	unit_assert_ok(cr_cpus_set(getpid(), &one, &err), &err);
	unit_assert_ok(cr_cpus_get(0, &now, &err), &err);
	ck_assert(cr_cpus_equal(&now, &one));
	ck_assert_int_eq(sched_getcpu(), (int)cpu);
	memset(&one, 0, sizeof(one));
	ck_assert_int_eq(cr_cpus_set(0, &one, &err), -1);
	unit_assert_error(&err, EINVAL, "setting the processors of thread 0");
	ck_assert_int_eq(cr_cpus_get(INT32_MAX, &one, &err), -1);
	unit_assert_error(&err, ESRCH, "the processors of thread");
}
END_TEST

UNIT_MAIN("cpus", {text_and_back, false}, {text_that_is_put_in_order, false}, {text_that_is_no_list, false},
	  {a_buffer_that_is_too_short, false}, {from_one_allocation_to_another, false},
	  {every_mapping_of_small_sets, false}, {the_caller_itself, false})
