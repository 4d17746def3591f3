/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* directories.h - the directories that the job works in, with their modes, as a stream of "MODE PATH" and a NUL
 *
 * Those of its files, those it has open, the working directories of its processes, and all above them.
 */

#ifndef CR_INIT_DIRECTORIES_H
#define CR_INIT_DIRECTORIES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "error.h"
#include "manifest.h"

#define DIRECTORIES_STREAM "files/directories"

struct directory {
	char *path;
	mode_t mode;
	bool made; /* by directories_make */
};

struct directories {
	struct directory *list; /* sorted: a directory before what is in it */
	size_t n;
};

/* Of the outputs of m and of the processes pids, as they are now. */
int directories_record(struct directories *d, const struct cr_manifest *m, const pid_t *pids, size_t n,
		       struct cr_error *err);

int directories_write(const struct directories *d, int fd, struct cr_error *err);
int directories_read(struct directories *d, int fd, struct cr_error *err);

/* Is nothing else in the place of one? Changes nothing. Those below a directory that m says goes back as a whole
 * are not looked at; m may be NULL. */
int directories_check(const struct directories *d, const struct cr_manifest *m, struct cr_error *err);

/* Make those that are missing, writable for now; then, when the files are in them, give them their modes. */
int directories_make(struct directories *d, struct cr_error *err);
int directories_finish(const struct directories *d, struct cr_error *err);

/* Would path, which is missing, be made? */
bool directories_have(const struct directories *d, const char *path);

void directories_clear(struct directories *d);

#endif
