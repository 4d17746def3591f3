/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* shared.h - storage that other nodes have as well */

#ifndef CR_INIT_SHARED_H
#define CR_INIT_SHARED_H

#include <stdbool.h>

/* Is path, or where it would be, in a network file system, or in the one that store is in? */
bool shared_is(const char *path, const char *store);

/* The user's directory is missing: has it never been made? So it is when the directory that it would be in, which
 * is common (all users') or below, has something in it and is on a file system of its own, not on that of root:
 * the place where storage is not mounted is missing, empty, or a directory of the node's. */
bool shared_lacks(const char *dir, const char *common, const char *root);

#endif
