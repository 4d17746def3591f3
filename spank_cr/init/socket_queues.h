/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* socket_queues.h - datagrams that wait to be read, and where they came from
 *
 * criu leaves those of UDP behind, and sends those of UNIX sockets again from whatever socket it has at hand. Here
 * they are looked at without being taken (MSG_PEEK), and sent again after a restore from the socket that they came
 * from, or from another one with its address.
 */

#ifndef CR_INIT_SOCKET_QUEUES_H
#define CR_INIT_SOCKET_QUEUES_H

#include <stdbool.h>

#include "sockets.h"

/* [["FROM", "TO", "DATA"], ...]; an empty FROM: a socket without a name. NULL without memory, or when it is none
 * that this is for, or nothing waits. notes: of criu's library (shim_queue.h), or NULL. *room is what may still be
 * noted, in bytes; it becomes less.
 */
json_t *socket_queue_take(int fd, const struct socket_at *at, const char *notes, size_t *room);

/* An empty datagram that was looked at is not seen by the next look. So where there is one, all that wait are
 * taken and sent anew, while the job stands still. */
void socket_queue_refresh(int fd, const struct socket_at *at, const json_t *queue, const struct sockets *all);

bool socket_queue_ok(const json_t *queue);

/* Send all of it to the socket fd again; all: the sockets of the job. Returns how many datagrams are lost. */
unsigned socket_queue_apply(int fd, const struct socket_at *at, const json_t *queue, const struct sockets *all);

#endif
