/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* line.h - lines from the plain user's crinit to T, which has root's capabilities and acts on them
 *
 * A line may quote what the user has chosen, the names of files before all. Such a text must never become a line
 * of its own: not by a newline in it, and not by being so long that its reader takes it in two.
 */

#ifndef CR_LINE_H
#define CR_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define CR_LINE_MAX 2048 /* with its end */

/* Print one line and its newline, and flush: control characters become '?', what is too long is cut. */
void cr_line_say(FILE *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

struct cr_lines {
	char text[CR_LINE_MAX];
	size_t used;
	bool bad;	  /* the line that is being read is not to be believed */
	unsigned refused; /* how many of them there were */
};

/* Take n bytes as they come, and call each for every line that ends in them, without its newline. A line that is
 * too long or has a control character in it is refused as a whole; one without an end is none. */
void cr_lines_feed(struct cr_lines *lines, const char *bytes, size_t n, void (*each)(char *line, void *arg),
		   void *arg);

#endif
