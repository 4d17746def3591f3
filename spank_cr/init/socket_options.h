/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* socket_options.h - options of a socket that are not as they are in a new one
 *
 * criu knows some of them. All that can be read and set without a capability is noted, and what is otherwise after
 * the restore is set.
 */

#ifndef CR_INIT_SOCKET_OPTIONS_H
#define CR_INIT_SOCKET_OPTIONS_H

#include <stdbool.h>

#include <jansson.h>

/* A new socket of the same kind; one is kept for many. Initialise fd with -1, close it in the end. */
struct socket_new {
	int fd, family, type, protocol;
};

/* [[LEVEL, NAME, "BYTES"], ...]; a fourth member is the name of an interface. NULL without memory. */
json_t *socket_options_take(int fd, int family, int type, int protocol, struct socket_new *fresh);

bool socket_options_ok(const json_t *options);

/* late: those that would be in the way of sending and receiving before the job runs; else all others. Returns the
 * number of those that this node does not take, the first of them in *level and *name. */
unsigned socket_options_apply(int fd, const json_t *options, bool late, int *level, int *name);

#endif
