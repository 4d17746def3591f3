/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* watched.h - the paths of files that a job watches (inotify)
 *
 * The kernel tells the inode of a watched file and a handle that only root can open. So its path is looked for
 * where it is likely: in the directories that the job's processes work in, have files open in or were called with,
 * in those that are watched, and then below all of these. What has no name any more has no path.
 */

#ifndef CR_WATCHED_H
#define CR_WATCHED_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "error.h"

struct cr_watch {
	uint64_t ino, device;	  /* as in fdinfo */
	unsigned bytes, type;	  /* of the handle */
	char handle[2 * 128 + 1]; /* in hexadecimal digits */
	char *path;		  /* NULL: not found */
};

/* By inode; each once. */
struct cr_watched {
	struct cr_watch *list;
	size_t n, room, missing;
};

/* What the processes watch, and where that is. proc is open at /proc, but in tests. When it is too much, or
 * deadline_ns (CLOCK_MONOTONIC) has passed, what is found by then is all. */
int cr_watched_find(struct cr_watched *w, int proc, const pid_t *pids, size_t n, int64_t deadline_ns,
		    struct cr_error *err);
void cr_watched_clear(struct cr_watched *w);

/* NULL when it was not found. */
const char *cr_watched_path(const struct cr_watched *w, uint64_t device, uint64_t ino);

/* What was found, for the library in criu: lines "BYTES TYPE HANDLE INODE PATH", behind an empty one. */
int cr_watched_write(const struct cr_watched *w, FILE *f);

#endif
