/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* store_entry.h - what lies in a part's directory, for the files of store.h alone */

#ifndef CR_STORE_ENTRY_H
#define CR_STORE_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store.h"

enum cr_store_entry {
	ENTRY_OTHER,
	ENTRY_COMMITTED, /* NNNNNN */
	ENTRY_BAD,	 /* NNNNNN.bad */
	ENTRY_TMP,	 /* .NNNNNN.tmp */
	ENTRY_DEL,	 /* .NNNNNN.del */
	ENTRY_PACK,	 /* packs/NNNNNN.pack */
};

/* The absolute path of such an entry into buf of PATH_MAX bytes. */
void cr_store_entry_path(const struct cr_store *s, enum cr_store_entry kind, uint32_t generation, char *buf);

typedef int (*cr_store_each)(enum cr_store_entry kind, uint32_t generation, void *arg, struct cr_error *err);

/* Call each for every generation's directory, or for every pack, in no order, until it returns -1. No directory
 * packs is an empty one. */
int cr_store_scan(const struct cr_store *s, cr_store_each each, void *arg, struct cr_error *err);
int cr_store_scan_packs(const struct cr_store *s, cr_store_each each, void *arg, struct cr_error *err);

/* A growing list of generation numbers; items is malloc'ed and the caller's. */
struct cr_store_numbers {
	uint32_t *items;
	size_t n, room;
};

int cr_store_numbers_add(struct cr_store_numbers *numbers, uint32_t number, struct cr_error *err);
bool cr_store_numbers_have(const struct cr_store_numbers *numbers, uint32_t number);

#endif
