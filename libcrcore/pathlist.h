/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* pathlist.h - several paths in one text, which an environment variable or an argument carries unharmed
 *
 * What is not a letter, a digit or one of / . _ - + is written as %XX; a colon stands between two paths.
 */

#ifndef CR_PATHLIST_H
#define CR_PATHLIST_H

#include <stddef.h>

#include "error.h"

/* Append path to what list holds. size: of list. */
int cr_pathlist_add(char *list, size_t size, const char *path, struct cr_error *err);

/* The path at *at of a list, decoded into path (of size bytes); *at moves on. Returns 1, 0 at the end, -1 for text
 * that cr_pathlist_add does not write, or that names no absolute path. */
int cr_pathlist_next(const char **at, char *path, size_t size, struct cr_error *err);

#endif
