/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* place.h - where a file of the job's was, looked at and changed without following a link
 *
 * Paths are those that /proc gave at the checkpoint: there was no symbolic link in them. One that is there now was
 * put there since, and may lead to anybody's file. All of it happens with the rights of the job's user alone.
 */

#ifndef CR_INIT_PLACE_H
#define CR_INIT_PLACE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "error.h"
#include "manifest.h"

struct place {
	const char *path;
	int dir; /* that it is in, an O_PATH descriptor, or -1 */
	char name[NAME_MAX + 1];
};

/* Is path below a directory of --checkpoint-rollback? */
bool place_goes_back(const struct cr_manifest *m, const char *path);

/* The directory that path is in. ENOENT when it is missing; a link in the path is ELOOP. */
int place_open(struct place *p, const char *path, struct cr_error *err);
void place_close(struct place *p);

#define cleanup_place __attribute__((cleanup(place_close)))

/* What is there? Returns 1 and *st for a regular file, 0 for nothing, -1 for anything else. */
int place_look(const struct place *p, struct stat *st, struct cr_error *err);

/* Open the regular file ino that is there, and nothing else; flags: O_RDWR or O_WRONLY. */
int place_file(const struct place *p, int flags, uint64_t ino, struct cr_error *err);

/* Put another file there by a rename over what is there: a new one that the caller fills by *fd (readable and
 * writable), or another name of the file at from. Until place_commit nothing is changed but that the temporary
 * name is taken. */
int place_new(const struct place *p, const char *temporary, int *fd, struct cr_error *err);
int place_link(const struct place *p, const char *temporary, const struct place *from, struct cr_error *err);
int place_commit(const struct place *p, const char *temporary, struct cr_error *err);
void place_abandon(const struct place *p, const char *temporary);

/* What is at path, which should be a directory? Returns 1 when it is one, or a link to one: that is no reason not
 * to work in it. 0 when there is nothing, -1. */
int place_directory(const char *path, struct cr_error *err);

/* Make the directory path; mode is set without regard to the umask. */
int place_mkdir(const char *path, mode_t mode, struct cr_error *err);

#endif
