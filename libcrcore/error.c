/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TEXT_SIZE sizeof(((struct cr_error *)0)->text)

/* Texts carry file names and words of users: a control character in one must not break the log line. */
static void error_store(struct cr_error *err, int errnum, const char *text)
{
	size_t i;

	err->errnum = errnum ? errnum : EIO;
	for (i = 0; i < TEXT_SIZE - 1 && text[i]; i++) {
		unsigned char c = (unsigned char)text[i];

		err->text[i] = c < 0x20 || c == 0x7f ? ' ' : text[i];
	}
	while (i > 0 && err->text[i - 1] == ' ')
		i--;
	err->text[i] = '\0';
}

/* The arguments may point into err->text, so the text is made elsewhere first. */
int cr_error_set(struct cr_error *err, int errnum, const char *fmt, ...)
{
	char text[TEXT_SIZE];
	va_list ap;

	if (!err)
		return -1;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	error_store(err, errnum, text);
	return -1;
}

int cr_error_sys(struct cr_error *err, int errnum, const char *fmt, ...)
{
	char text[TEXT_SIZE], message[128];
	size_t length;
	va_list ap;

	if (!err)
		return -1;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	length = strlen(text);
	/* The GNU strerror_r: for a known number it returns a constant and leaves the buffer alone. */
	(void)snprintf(text + length, sizeof(text) - length, ": %s",
		       strerror_r(errnum ? errnum : EIO, message, sizeof(message)));
	error_store(err, errnum, text);
	return -1;
}

int cr_error_prefix(struct cr_error *err, const char *fmt, ...)
{
	/* room for both: only what error_store keeps is cut, from the end */
	char text[2 * TEXT_SIZE + 2];
	size_t length;
	va_list ap;

	if (!err)
		return -1;
	va_start(ap, fmt);
	if (vsnprintf(text, TEXT_SIZE, fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	length = strlen(text);
	(void)snprintf(text + length, sizeof(text) - length, ": %s", err->text);
	error_store(err, err->errnum, text);
	return -1;
}
