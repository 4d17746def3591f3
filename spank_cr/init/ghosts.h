/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* ghosts.h - files and directories that were removed while the job had them, and where criu makes them again
 *
 * criu makes a "ghost" anew beside its old name, links it to that name, opens it, and removes both. It cannot in a
 * directory that the user may not write, and must not where the name is another file's by now. So a ghost gets a
 * place of the job's own: GHOSTS in its private /tmp, or in its /dev/shm what was in memory there, and below that
 * the path that it had, which /proc shows. Its owner becomes the job's user, who could make no other.
 */

#ifndef CR_INIT_GHOSTS_H
#define CR_INIT_GHOSTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"
#include "image.h"

#define GHOSTS ".spank_cr.ghosts"

struct ghost {
	uint32_t id;
	uint32_t mode, uid, gid;
	uint32_t want; /* the owner's permissions that it takes to open it again */
	uint64_t size;
	bool placed;
	bool nameless;	  /* made without a name: there is a descriptor for it, and no place */
	char *dir;	  /* of a file without a name */
	const char *base; /* the directory that GHOSTS is in; NULL: it stays where it was */
};

/* One of the names: an entry of files.img. */
struct ghost_name {
	uint32_t file, ghost; /* ids */
};

struct ghosts {
	struct ghost *list; /* by id */
	size_t n;
	struct ghost_name *names; /* by file */
	size_t n_names;
	const char *tmp, *shm; /* "/tmp", "/dev/shm" */
	bool strict;	       /* others restore the same: nothing is made outside of the job's own places */
	bool made[2];	       /* GHOSTS in tmp, in shm */
	uint64_t sum;	       /* bytes in tmp */
};

/* Read what there is of them in a generation, and give each its place. */
int ghosts_read(struct ghosts *g, struct cr_image *image, bool strict, struct cr_error *err);
void ghosts_clear(struct ghosts *g);

/* The ghost behind an entry of files.img, the one of that id; or NULL. */
struct ghost *ghosts_find(const struct ghosts *g, uint32_t file);
struct ghost *ghosts_get(const struct ghosts *g, uint32_t id);

/* Where it is made, into path; its directories are made now. 1, 0 when it stays where it was, -1. */
int ghosts_place(struct ghosts *g, const struct ghost *ghost, const char *name, char *path, size_t size,
		 struct cr_error *err);

/* How many files there may be that were made without a name (O_TMPFILE), and can be given one as before: they
 * are made so again, by us, and criu gets descriptors, for which it has some room. Of more, and where that cannot
 * be done, ghosts are made. */
#define GHOSTS_NAMELESS_MAX 128
#define GHOSTS_NAMELESS	    "spank_cr.nameless." /* and the id: how criu knows the descriptor */

/* Make the next of them from i on: *fd, open for both, and *id. Returns the i to go on with, 0 at the end, -1. */
int ghosts_nameless(struct ghosts *g, size_t i, struct cr_image *image, int *fd, uint32_t *id,
		    struct cr_error *err);

/* Owner and permissions that this user can give it. True when they are not what they were. */
bool ghosts_mode(const struct ghost *ghost, uint32_t *uid, uint32_t *gid, uint32_t *mode);

/* The path that it had before it was a ghost, in name. */
const char *ghosts_origin(const struct ghosts *g, const char *name);

/* criu has opened them all: remove the directories. */
void ghosts_remove(void);

#endif
