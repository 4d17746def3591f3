/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* grace_time.c - the numbers of grace.h */

#include "grace.h"

#define KILL_WAIT_LEAST_S 5 /* slurmd waits no less */
#define PERIOD_LEAST_S	  10

int64_t grace_kill_ms(int64_t kill_wait_s)
{
	if (kill_wait_s < 0)
		return GRACE_UNKNOWN;
	return (kill_wait_s > KILL_WAIT_LEAST_S ? kill_wait_s : KILL_WAIT_LEAST_S) * 1000;
}

int64_t grace_period_s(int64_t grace_s)
{
	return grace_s / 4 > PERIOD_LEAST_S ? grace_s / 4 : PERIOD_LEAST_S;
}

static int64_t tens(int64_t ms)
{
	return (ms + 9999) / 10000 * 10;
}

int64_t grace_kill_wait_for(int64_t lead_ms)
{
	return tens(lead_ms);
}

int64_t grace_time_for(int64_t lead_ms, int64_t kill_wait_s)
{
	int64_t more = lead_ms - grace_kill_ms(kill_wait_s), s;

	if (more <= 0)
		return 0;
	/* it may be noticed a period late */
	for (s = tens(more); s * 1000 - grace_period_s(s) * 1000 < more;)
		s += 10;
	return s;
}

int64_t grace_moment_ms(int64_t end_s, int64_t kill_wait_s, int64_t lead_ms)
{
	int64_t kill_ms = grace_kill_ms(kill_wait_s);

	return end_s * 1000 - (lead_ms > kill_ms ? lead_ms - kill_ms : 0);
}
