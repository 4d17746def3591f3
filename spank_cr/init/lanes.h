/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* lanes.h - pipes of our own, into which criu's are emptied without copying, and a thread that copies from them
 *
 * A pipe is locked while it is read. If criu's own pipes were read, criu would stand still while its pages are
 * copied, and the copying while criu fetches the next ones. So the pages are moved on to another pipe (splice),
 * which takes no time, and copied from there. They are the job's pages still: it must not be thawed before
 * lanes_settle.
 */

#ifndef CR_INIT_LANES_H
#define CR_INIT_LANES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"
#include "writer.h"

struct lanes;

int lanes_open(struct lanes **lanes, struct cr_writer *writer, struct cr_error *err);

/* Move on what the pipe fd holds now, at most a lane of it. Returns how many bytes that were, 0 at the end of the
 * pipe (which is the stream's), -1 on error; EAGAIN: there is nothing yet. May wait for a lane. */
ssize_t lanes_move(struct lanes *lanes, int fd, uint32_t stream, struct cr_error *err);

/* Wait until everything that was moved has been copied. */
int lanes_settle(struct lanes *lanes, struct cr_error *err);

#endif
