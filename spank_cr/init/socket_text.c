/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "socket_text.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

static const char digits[] = "0123456789abcdef";

json_t *socket_text(const void *data, size_t size)
{
	cleanup_free char *text = malloc(2 * size + 1);
	const unsigned char *bytes = data;

	for (size_t i = 0; text && i < size; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	return text ? json_stringn_nocheck(text, 2 * size) : NULL;
}

static int digit(char c)
{
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

int socket_bytes(const json_t *text, void *data, size_t size)
{
	const char *s = json_string_value(text);
	size_t n = json_string_length(text) / 2;
	unsigned char *bytes = data;

	if (!s || json_string_length(text) % 2 || n > size || n > INT_MAX)
		return -1;
	for (size_t i = 0; i < n; i++) {
		int high = digit(s[2 * i]), low = digit(s[2 * i + 1]);

		if (high < 0 || low < 0)
			return -1;
		if (bytes)
			bytes[i] = (unsigned char)(high << 4 | low);
	}
	return (int)n;
}
