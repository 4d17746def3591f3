/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* tree_read.h - the archive of a tree, entry by entry, each checked: for the modules that put trees back */

#ifndef CR_TREE_READ_H
#define CR_TREE_READ_H

#include <stddef.h>
#include <stdint.h>

#include "tree.h"

/* The extended attribute, of the archive alone, that tells an entry's inode in decimal digits. */
#define TREE_READ_INO "spank_cr.ino"

/* And the one that tells the name of a file with holes: libarchive cuts a long one there. */
#define TREE_READ_NAME "spank_cr.name"

struct tree_read;

int tree_read_open(struct tree_read **read, int in, struct cr_error *err);

/* The next entry into *e, whose texts live until the next call. It is of a kind that is saved, its name stays
 * below the directory and lies in a directory that seen has, and what it is another name of is a file that seen
 * has. Returns 1; 0 when the archive and all that comes from in has been read; -1. */
int tree_read_entry(struct tree_read *read, const struct cr_tree *seen, struct cr_tree_entry *e,
		    struct cr_error *err);

/* The next piece of the entry's content: size bytes at *offset, behind a hole unless that is where the last one
 * ended. Returns 1, 0 at its end, -1. */
int tree_read_data(struct tree_read *read, const void **data, size_t *size, uint64_t *offset,
		   struct cr_error *err);

/* NULL is fine. */
void tree_read_close(struct tree_read *read);

#endif
