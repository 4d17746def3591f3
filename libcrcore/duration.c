/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "duration.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define MINUTE	     60
#define HOUR	     (60 * MINUTE)
#define DAY	     (24 * HOUR)
#define DURATION_MAX (3650LL * DAY)

/* Take one unsigned decimal field off *p. More than ten digits are out of range in any unit. */
static int duration_field(const char **p, int64_t *value)
{
	const char *start = *p;
	int64_t v = 0;

	while (**p >= '0' && **p <= '9') {
		if (*p - start >= 10)
			return -1;
		v = v * 10 + (**p - '0');
		(*p)++;
	}
	*value = v;
	return *p == start ? -1 : 0;
}

static int64_t duration_unit(char suffix)
{
	switch (suffix) {
	case 's':
		return 1;
	case 'm':
		return MINUTE;
	case 'h':
		return HOUR;
	case 'd':
		return DAY;
	default:
		return 0;
	}
}

/* What stands behind "days-" or at the start: fields separated by colons, at most three. */
static int duration_fields(const char *p, int64_t fields[3], int *n)
{
	for (*n = 0; *n < 3;) {
		if (duration_field(&p, &fields[(*n)++]) < 0)
			return -1;
		if (!*p)
			return 0;
		if (*p++ != ':')
			return -1;
	}
	return -1;
}

static int duration_scan(const char *text, int64_t *seconds)
{
	static const int64_t after_days[3] = {HOUR, MINUTE, 1};
	/* what the first field is, by the number of fields, when there are no days */
	static const int64_t plain[3][3] = {{MINUTE, 0, 0}, {MINUTE, 1, 0}, {HOUR, MINUTE, 1}};
	const char *p = text;
	int64_t first, fields[3] = {0, 0, 0}, total = 0;
	bool days;
	int n;

	if (duration_field(&p, &first) < 0)
		return -1;
	if (duration_unit(*p) && !p[1]) {
		*seconds = first * duration_unit(*p);
		return 0;
	}
	days = *p == '-';
	if (duration_fields(days ? p + 1 : text, fields, &n) < 0)
		return -1;
	for (int i = 0; i < n; i++)
		total += fields[i] * (days ? after_days[i] : plain[n - 1][i]);
	*seconds = total + (days ? first * DAY : 0);
	return 0;
}

int cr_duration_parse(const char *text, int64_t *seconds, struct cr_error *err)
{
	int64_t total;

	if (!text || duration_scan(text, &total) < 0)
		return cr_error_set(err, EINVAL,
				    "\"%s\" is not a time: write minutes, minutes:seconds, hours:minutes:seconds, "
				    "days-hours[:minutes[:seconds]], or a number with s, m, h or d",
				    text ? text : "");
	if (total == 0)
		return cr_error_set(err, ERANGE, "the time \"%s\" is zero", text);
	if (total > DURATION_MAX)
		return cr_error_set(err, ERANGE, "the time \"%s\" is longer than ten years", text);
	*seconds = total;
	return 0;
}

const char *cr_duration_format(int64_t seconds, char *buf, unsigned long size)
{
	static const struct {
		uint64_t seconds;
		char suffix;
	} units[] = {{DAY, 'd'}, {HOUR, 'h'}, {MINUTE, 'm'}, {1, 's'}};
	uint64_t rest = seconds < 0 ? 0 - (uint64_t)seconds : (uint64_t)seconds;
	char text[64];
	int length = 0;

	if (seconds < 0)
		text[length++] = '-';
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		uint64_t count = rest / units[i].seconds;

		rest %= units[i].seconds;
		if (count > 0 || (seconds == 0 && units[i].suffix == 's'))
			length += snprintf(text + length, sizeof(text) - (size_t)length, "%" PRIu64 "%c", count,
					   units[i].suffix);
	}
	text[length] = '\0';
	if (size > 0)
		(void)snprintf(buf, size, "%s", text);
	return buf;
}
