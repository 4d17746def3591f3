/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* listen.h - the sockets at which criu and its hooks find us
 *
 * T makes them, in directories that only root can change: nobody can put another one in their place. crinit gets
 * their descriptors.
 */

#ifndef CR_LISTEN_H
#define CR_LISTEN_H

#include <sys/types.h>

#include "error.h"

#define CR_LISTEN_HOOK	  "hook.sock"
#define CR_LISTEN_CAPTURE "streamer-capture.sock" /* criu's own names */
#define CR_LISTEN_SERVE	  "streamer-serve.sock"

/* Listen at DIR/name, where uid and gid alone may connect; type as socket(2) has it. What an earlier one has left
 * is replaced. Returns the descriptor, close-on-exec. */
int cr_listen(const char *dir, const char *name, int type, uid_t uid, gid_t gid, struct cr_error *err);

/* Hang up on those who wait there, up to a hundred. Who is served is known by his pid: connections that wait for
 * long may be of a process that is gone, and has the pid of another one now. */
void cr_listen_flush(int fd);

#endif
