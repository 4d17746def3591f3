/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* error.h - the error object every library function fills
 *
 * Library functions return 0 or -1 and describe what went wrong in a struct cr_error owned by the
 * caller. Nothing here allocates, so it is safe in pid 1 and after fork. The library never logs and
 * never exits: each binary reports once, at its top.
 */

#ifndef CR_ERROR_H
#define CR_ERROR_H

struct cr_error {
	int errnum;	/* an errno value; never 0 once set */
	char text[768]; /* one line, no trailing newline: what, where, why, what to do */
};

/* Fill err with errnum and a formatted text. err may be NULL. Always returns -1, so that a function
 * can end in "return cr_error_set(...)". */
int cr_error_set(struct cr_error *err, int errnum, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* As cr_error_set, with ": " and the message of errnum appended. */
int cr_error_sys(struct cr_error *err, int errnum, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Put a formatted context and ": " before what err says already. Always returns -1. */
int cr_error_prefix(struct cr_error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
