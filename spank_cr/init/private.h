/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* private.h - the content of the job's own /tmp, /var/tmp and /dev/shm, as a tar archive */

#ifndef CR_INIT_PRIVATE_H
#define CR_INIT_PRIVATE_H

#include <stdbool.h>

#include "error.h"
#include "job.h"

/* The name of the archive among a generation's streams, and in format 1 of its file. */
#define PRIVATE_STREAM "private.tar"

/* Is path one of the directories, or in one? It travels with the archive then, and no other way. */
bool private_has(const char *path);

/* Write the archive to fd, or unpack the one that comes from fd. */
int private_save(const struct job *job, int fd, struct cr_error *err);
int private_restore(const struct job *job, int fd, struct cr_error *err);

#endif
