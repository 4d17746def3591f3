/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* pipe.h - large pipes, as far as the user has room for them
 *
 * Linux counts the pages of all pipes of a user on a node (fs.pipe-user-pages-soft, 64 MiB by default). Beyond
 * that, a new pipe is tiny and none can be made larger: criu, which needs pipes as large as the job's, then fails
 * at dumps and at restores, those of the user's other jobs on the node among them. So what is only there for speed
 * must leave room.
 */

#ifndef CR_INIT_PIPE_H
#define CR_INIT_PIPE_H

#define PIPE_LARGE (1 << 20) /* bytes of a large pipe: what anybody may ask for */

/* Make a pipe PIPE_LARGE, if its user then still has room for PIPE_SPARE others of that size; else it stays as it
 * is. Returns its size. */
int pipe_grow(int fd);

#define PIPE_SPARE 16

#endif
