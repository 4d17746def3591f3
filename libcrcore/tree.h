/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* tree.h - a directory and all below it: listed, saved into a tar archive, and put back to what an archive says
 *
 * Nothing here follows a symbolic link, leaves the directory, or enters another file system. What belongs to
 * another user, sockets, devices, and what the caller wants left alone are listed as "left": they are neither
 * saved nor changed nor removed, and a tree that needs their place is refused.
 */

#ifndef CR_TREE_H
#define CR_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "error.h"

/* Something in a tree. */
struct cr_tree_entry {
	char *path; /* relative; "." is the directory itself, which comes first */
	char *link; /* target of a symbolic link, or the path of the first name of a file with several, or NULL */
	mode_t mode;
	uid_t uid;
	uint64_t ino, size;
	uint64_t data; /* bytes of it that are no holes; of an archive's entries */
	int64_t mtime_ns;
	uint32_t nlink;
	bool left;
	bool stays;  /* left, and its place is its own whatever an archive has there */
	bool hard;   /* link is another name of the same file */
	bool opened; /* a directory that has got more permissions until it has been compared */
	bool cloned;
	/* of an archive's entries, as cr_tree_compare finds them */
	enum cr_tree_state {
		CR_TREE_SAME,
		CR_TREE_META,	 /* mode or time */
		CR_TREE_GREW,	 /* it begins with what it is to be */
		CR_TREE_CONTENT, /* to be written */
		CR_TREE_MISSING, /* or of another type */
	} state;
};

/* Whether to leave name, in directory dir, alone: CR_TREE_STAYS also where an archive has something of that name,
 * which is not put back then. */
enum cr_tree_left { CR_TREE_TAKEN, CR_TREE_LEFT, CR_TREE_STAYS };
typedef enum cr_tree_left (*cr_tree_leave)(void *arg, int dir, const char *name, const struct stat *st);

/* What is being made has this name beside its place; none is saved. */
#define CR_TREE_TEMPORARY ".spank_cr-rollback"

struct cr_tree {
	int root; /* descriptor; -1: not open */
	uint64_t dev;
	uid_t uid;
	struct cr_tree_entry *entries; /* parents before what is in them */
	size_t n, room;
	size_t most;	/* names that it may have, as the caller sets it; 0: any number */
	void *paths;	/* tsearch(3)'s tree of entries by path, see cr_tree_find */
	uint64_t bytes; /* that the files occupy */
	size_t moved;	/* files that somebody has written, or put there, while they were saved */
};

#define CR_TREE_NONE ((struct cr_tree){.root = -1})

/* Open dir, which must be a directory of uid's own; neither it nor anything on the way is a symbolic link. */
int cr_tree_open(struct cr_tree *tree, const char *dir, uid_t uid, struct cr_error *err);

/* List all of it. leave may be NULL. */
int cr_tree_list(struct cr_tree *tree, cr_tree_leave leave, void *arg, struct cr_error *err);

/* The entry of that path, or NULL; valid until one is added. */
struct cr_tree_entry *cr_tree_find(const struct cr_tree *tree, const char *path);

void cr_tree_close(struct cr_tree *tree);

/* ---- saving what was listed ---- */

/* Clone every file's content into the empty directory clones. Returns 1, or 0 when the file systems cannot do that
 * for one of the files (then nothing is left in clones), or -1. */
int cr_tree_clone(struct cr_tree *tree, int clones, struct cr_error *err);

/* Have the files' dirty pages written back, until the time until of CLOCK_MONOTONIC in ns: a clone waits for them.
 */
void cr_tree_write_back(const struct cr_tree *tree, int64_t until);

/* Write the archive to out; content comes from clones, or, when that is -1, from the tree. What was removed since
 * it was listed is left out. A file that somebody writes meanwhile is saved as it was read, and counted in moved;
 * but one with several names, or one that was replaced by another user's, is an error. */
int cr_tree_save(struct cr_tree *tree, int clones, int out, struct cr_error *err);

/* ---- putting back ---- */

/* What is to be done to make a directory what its archive says. */
struct cr_tree_plan {
	struct cr_tree now, then;
	size_t remove;	/* entries of now that the archive does not have */
	size_t change;	/* entries of the archive that are not there so */
	uint64_t needs; /* bytes that have to be written where nothing is yet, about */
	bool tight;	/* there is room for them only when other files have been removed */
};

#define CR_TREE_PLAN_NONE ((struct cr_tree_plan){.now.root = -1, .then.root = -1})

/* Read an archive from in to its end, and compare; nothing is changed (a directory that its owner may not read has
 * more permissions meanwhile). An archive that leads anywhere else, or whose place is taken by what is left alone,
 * is refused, and so is one for which there is no room. */
int cr_tree_compare(struct cr_tree_plan *plan, const char *dir, uid_t uid, cr_tree_leave leave, void *arg, int in,
		    struct cr_error *err);

/* Do it; in has the same archive once more. With remove and change both 0 there is nothing to do. */
int cr_tree_apply(struct cr_tree_plan *plan, int in, struct cr_error *err);

void cr_tree_plan_clear(struct cr_tree_plan *plan);

/* ---- for these modules ---- */

/* Open path below a tree without following links, entering mounts or leaving it. */
int cr_tree_openat(const struct cr_tree *tree, const char *path, uint64_t flags);

/* Add permissions to the user's own open file or directory, an O_PATH descriptor of it will do. Returns 1 when
 * that was done, 0 when there was nothing to do, or -1. */
int cr_tree_mode_add(int fd, mode_t bits);
int cr_tree_mode_set(int fd, mode_t mode);

/* Open up a directory for its owner, and mark it. */
int cr_tree_dir_open(const struct cr_tree *tree, struct cr_tree_entry *e);

/* cr_tree_list for a tree that is to be changed: directories that the user cannot read are opened up, and marked.
 */
int cr_tree_list_all(struct cr_tree *tree, cr_tree_leave leave, void *arg, struct cr_error *err);

/* Take that back. */
void cr_tree_close_again(struct cr_tree *tree);

/* Add a copy of entry (which must not be there yet: EEXIST). */
int cr_tree_add(struct cr_tree *tree, const struct cr_tree_entry *entry, struct cr_error *err);

/* A time in ns, as far as that reaches, and back. */
int64_t cr_tree_time(int64_t seconds, int64_t ns);
struct timespec cr_tree_timespec(int64_t ns);

/* Read on from *offset where a file has data: [*offset, *offset + *length); returns 0 behind the last. */
int cr_tree_extent(int fd, uint64_t size, uint64_t *offset, uint64_t *length);

#endif
