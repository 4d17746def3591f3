/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* site.h - whose checkpoints the site's directory has */

#ifndef CLI_SITE_H
#define CLI_SITE_H

#include <stddef.h>
#include <sys/types.h>

#include "error.h"

/* The uids of all users, but root, that have something where template (dir=, with %u and %U) leads, ascending and
 * each once, into a malloc'ed array that the caller frees. Nothing that a user can write is entered or followed:
 * only names and owners in a directory that all of them share are looked at. */
int site_users(const char *template, uid_t **users, size_t *n, struct cr_error *err);

#endif
