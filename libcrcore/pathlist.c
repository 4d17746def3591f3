/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "pathlist.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Whatever the locale says. */
static bool is_plain(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("/._-+", c));
}

static int digit(char c)
{
	static const char digits[] = "0123456789ABCDEF";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

int cr_pathlist_add(char *list, size_t size, const char *path, struct cr_error *err)
{
	size_t n = strlen(list), before = n;

	/* the longest that a byte becomes, and the colon, and the end */
	for (const char *p = path; *p || p == path; p++) {
		if (size - n < 5) {
			list[before] = '\0';
			return cr_error_set(err, ENAMETOOLONG, "the directories' names are too long together");
		}
		if (p == path && before > 0)
			list[n++] = ':';
		if (!*p)
			break;
		n += (size_t)(is_plain((unsigned char)*p) ? sprintf(list + n, "%c", *p)
							  : sprintf(list + n, "%%%02X", (unsigned char)*p));
	}
	list[n] = '\0';
	return 0;
}

int cr_pathlist_next(const char **at, char *path, size_t size, struct cr_error *err)
{
	const char *p = *at;
	size_t n = 0;

	if (!*p)
		return 0;
	for (; *p && *p != ':'; p++) {
		int value = (unsigned char)*p;

		if (*p == '%') {
			int high = digit(p[1]), low = high < 0 ? -1 : digit(p[2]);

			value = low < 0 ? 0 : high * 16 + low;
			p += 2;
		} else if (!is_plain((unsigned char)*p)) {
			value = 0;
		}
		if (value == 0 || n + 1 >= size)
			return cr_error_set(err, EINVAL, "not a list of paths");
		path[n++] = (char)value;
	}
	path[n] = '\0';
	*at = *p ? p + 1 : p;
	if (path[0] != '/' || (*p && !p[1]))
		return cr_error_set(err, EINVAL, "not a list of absolute paths");
	return 1;
}
