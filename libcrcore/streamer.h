/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* streamer.h - what criu says with --stream, over its socket
 *
 * Each request is a u32 of this machine's order, the length, and a protobuf message whose field 1 is a file name.
 * On a dump a descriptor follows, the read end of a pipe; on a restore our reply is the same with a message whose
 * field 1 says whether the file exists, and then, if so, the write end of a pipe follows. One byte carries each
 * descriptor. The end of the socket is the end. (criu/img-streamer.c and images/img-streamer.proto of CRIU)
 */

#ifndef CR_STREAMER_H
#define CR_STREAMER_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"

#define CR_STREAMER_NAME 256u /* bytes of a name with its NUL */
#define CR_STREAMER_MAX	 512u /* bytes of a message */

/* Decode the name out of a message. Empty ones, ones with a NUL or a slash, and too long ones are refused. */
int cr_streamer_decode(const void *message, size_t size, char name[CR_STREAMER_NAME], struct cr_error *err);

/* Receive the next request's name from a blocking socket. Returns 1, 0 at the end, -1. */
int cr_streamer_request(int fd, char name[CR_STREAMER_NAME], struct cr_error *err);

/* Receive the descriptor that follows; returns it. */
int cr_streamer_pipe(int fd, struct cr_error *err);

/* Say whether the file exists. */
int cr_streamer_reply(int fd, bool exists, struct cr_error *err);

#endif
