/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* shared.h - storage that other nodes have as well */

#ifndef CR_INIT_SHARED_H
#define CR_INIT_SHARED_H

#include <stdbool.h>

/* Is path, or where it would be, in a network file system, or in the one that store is in? */
bool shared_is(const char *path, const char *store);

#endif
