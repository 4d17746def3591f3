/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* shim_fifos.h - the names of named pipes, as crinit tells them to the library in criu
 *
 * A line each, the path in hex digits, for it may hold any bytes. A pipe that was removed is made again in a place
 * of the job's own (ghosts.h), and criu gives some another end: neither is part of the name.
 */

#ifndef CR_INIT_SHIM_FIFOS_H
#define CR_INIT_SHIM_FIFOS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define SHIM_FIFO_HEX  "0123456789abcdef"
#define SHIM_FIFO_NAME (2 * PATH_MAX)

/* The name of what is at path, an absolute one. name has SHIM_FIFO_NAME bytes. */
void shim_fifo_name(const char *path, char *name);

/* Is path, one below the root that criu opens, among those of the list text? */
bool shim_fifo_listed(const char *text, const char *path);

#endif
