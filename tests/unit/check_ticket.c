/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include "../../libcrcore/ticket.h"

static const char *ticket(char buf[80], char state, uint64_t unsaved_s, uint32_t job)
{
	cr_ticket_prefix(buf, 80, unsaved_s, job, "batch.0");
	ck_assert_int_eq(buf[0], CR_TICKET_WAITS);
	buf[0] = state;
	return buf;
}

START_TEST(names)
{
	char buf[80];

	ck_assert_str_eq(ticket(buf, 'w', 600, 1234), "w-0000000600-0000001234-batch.0");
	ck_assert_str_eq(ticket(buf, 'w', UINT64_MAX, UINT32_MAX), "w-9999999999-4294967295-batch.0");
	ck_assert_int_eq(buf[CR_TICKET_JOB], '4');
	ck_assert_int_eq(buf[CR_TICKET_PART], 'b');
}
END_TEST

START_TEST(more_unsaved_work_first_then_the_job)
{
	char a[80], b[80];

	ck_assert(cr_ticket_before(ticket(a, 'w', 700, 2), ticket(b, 'w', 600, 1)));
	ck_assert(!cr_ticket_before(b, a));
	ck_assert(cr_ticket_before(ticket(a, 'w', 600, 1), ticket(b, 'w', 600, 2)));
	ck_assert(!cr_ticket_before(b, a));
	ck_assert(!cr_ticket_before(a, a));
}
END_TEST

START_TEST(who_is_in_the_way)
{
	char mine[80], other[80];

	ticket(mine, 'w', 600, 5);
	ck_assert(cr_ticket_in_way(ticket(other, 'h', 1, 9), mine, true));
	ck_assert(cr_ticket_in_way(other, mine, false));
	ck_assert(cr_ticket_in_way(ticket(other, 'w', 700, 9), mine, true));
	ck_assert(!cr_ticket_in_way(other, mine, false));
	ck_assert(!cr_ticket_in_way(ticket(other, 'w', 500, 1), mine, true));
}
END_TEST

UNIT_MAIN("ticket", {names, false}, {more_unsaved_work_first_then_the_job, false}, {who_is_in_the_way, false})
