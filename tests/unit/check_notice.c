/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include <string.h>

#include "../../spank_cr/init/notice.h"
#include "unit.h"

#define NOTICE "slurmstepd-n1: error: *** JOB 7 ON n1 CANCELLED AT 2026-11-23T20:06:37 DUE TO PREEMPTION ***\n"

/* What is left of text without the notice about job 7. */
static const char *without(const char *text)
{
	static char left[1024];
	size_t start, end;

	if (!notice_find(text, strlen(text), 7, &start, &end))
		return NULL;
	ck_assert_uint_lt(start, end);
	ck_assert_uint_le(end, strlen(text));
	memcpy(left, text, start);
	strcpy(left + start, text + end);
	return left;
}

START_TEST(found)
{
	ck_assert_str_eq(without(NOTICE), "");
	ck_assert_str_eq(without("a\n" NOTICE "b\n"), "a\nb\n");
	/* in the middle of a line that the program had written half of */
	ck_assert_str_eq(without("-2.29  " NOTICE "5.82\n"), "-2.29  5.82\n");
	ck_assert_str_eq(without("slurmstepd\nx" NOTICE), "slurmstepd\nx");
	ck_assert_str_eq(without("slurmstepd: error: *** JOB 7 ON n1 CANCELLED AT x DUE TO JOB REQUEUE ***\n"),
			 "");
}
END_TEST

START_TEST(not_found)
{
	ck_assert_ptr_null(without(""));
	ck_assert_ptr_null(without("a\nb\n"));
	/* another job's, one cut short, one that slurmstepd did not write */
	ck_assert_ptr_null(without("slurmstepd-n1: error: *** JOB 77 ON n1 CANCELLED AT x ***\n"));
	ck_assert_ptr_null(without("slurmstepd-n1: error: *** JOB 7 ON n1 CANCELLED AT x"));
	ck_assert_ptr_null(without("me: error: *** JOB 7 ON n1 CANCELLED AT x ***\n"));
	ck_assert_ptr_null(without("slurmstepd\n: error: *** JOB 7 ON n1 CANCELLED AT x ***\n"));
}
END_TEST

START_TEST(reason)
{
	ck_assert_str_eq(notice_reason(NOTICE), "preempt");
	ck_assert_str_eq(notice_reason("... DUE TO TIME LIMIT ***\n" NOTICE), "preempt");
	ck_assert_str_eq(notice_reason(NOTICE "... DUE TO JOB REQUEUE ***\n"), "requeue");
	ck_assert_str_eq(notice_reason("... DUE TO NODE FAILURE, SEE SLURMCTLD LOG FOR DETAILS ***\n"),
			 "nodefail");
	ck_assert_ptr_null(notice_reason("nothing of the kind"));
}
END_TEST

UNIT_MAIN("notice", {found, false}, {not_found, false}, {reason, false})
