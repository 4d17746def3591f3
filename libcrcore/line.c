/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "line.h"

#include <stdarg.h>

/* By bytes: what is beyond ASCII is somebody's language. */
static bool is_control(char c)
{
	return (unsigned char)c < ' ' || c == 127;
}

void cr_line_say(FILE *out, const char *fmt, ...)
{
	char text[CR_LINE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (char *c = text; *c; c++)
		if (is_control(*c))
			*c = '?';
	fprintf(out, "%s\n", text);
	fflush(out);
}

static void line_end(struct cr_lines *lines, void (*each)(char *line, void *arg), void *arg)
{
	lines->text[lines->used] = '\0';
	if (lines->bad)
		lines->refused++;
	else
		each(lines->text, arg);
	lines->used = 0;
	lines->bad = false;
}

void cr_lines_feed(struct cr_lines *lines, const char *bytes, size_t n, void (*each)(char *line, void *arg),
		   void *arg)
{
	for (size_t i = 0; i < n; i++) {
		if (bytes[i] == '\n')
			line_end(lines, each, arg);
		else if (is_control(bytes[i]) || lines->used + 1 == sizeof(lines->text))
			lines->bad = true;
		else
			lines->text[lines->used++] = bytes[i];
	}
}
