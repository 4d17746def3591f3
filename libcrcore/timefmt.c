/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "timefmt.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define NS_PER_S 1000000000LL

const char *cr_time_format(int64_t realtime_ns, char *buf, size_t size)
{
	int64_t seconds = realtime_ns / NS_PER_S, ns = realtime_ns % NS_PER_S;
	char text[64];
	struct tm tm;
	time_t t;

	if (ns < 0) {
		ns += NS_PER_S;
		seconds--;
	}
	t = (time_t)seconds;
	/* 64 bits of nanoseconds end within the years 1677 to 2262, which gmtime_r can do */
	if (!gmtime_r(&t, &tm) || strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		text[0] = '\0';
	if (size > 0)
		(void)snprintf(buf, size, "%s.%03dZ", text, (int)(ns / 1000000));
	return buf;
}

int64_t cr_time_parse(const char *text)
{
	struct tm tm = {0};
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	int64_t ns = 0, unit = NS_PER_S / 10;

	if (!rest)
		return 0;
	if (*rest == '.')
		for (rest++; *rest >= '0' && *rest <= '9'; rest++, unit /= 10)
			ns += (*rest - '0') * unit;
	return strcmp(rest, "Z") == 0 ? (int64_t)timegm(&tm) * NS_PER_S + ns : 0;
}

int64_t cr_time_clock_ns(clockid_t clock)
{
	struct timespec now = {0};

	(void)clock_gettime(clock, &now); /* cannot fail for the clocks that every kernel has */
	return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t cr_time_now_ns(void)
{
	return cr_time_clock_ns(CLOCK_REALTIME);
}
