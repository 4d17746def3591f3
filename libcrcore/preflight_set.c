/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* preflight_set.c - numbers that were met before: what children have inherited is looked at once */

#include "preflight_part.h"

#include <errno.h>
#include <stdlib.h>

/* Where key is, or would be. */
static size_t slot_of(const uint64_t *slots, size_t room, uint64_t key)
{
	size_t at = (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 16) & (room - 1);

	while (slots[at] && slots[at] != key)
		at = (at + 1) & (room - 1);
	return at;
}

static int set_grow(struct preflight_set *set, struct cr_error *err)
{
	size_t room = set->room ? 2 * set->room : 256;
	uint64_t *slots = calloc(room, sizeof(*slots));

	if (!slots)
		return cr_error_sys(err, ENOMEM, "the list of descriptors");
	for (size_t i = 0; i < set->room; i++)
		if (set->slots[i])
			slots[slot_of(slots, room, set->slots[i])] = set->slots[i];
	free(set->slots);
	set->slots = slots;
	set->room = room;
	return 0;
}

bool preflight_set_has(const struct preflight_set *set, uint64_t key)
{
	return key && set->room && set->slots[slot_of(set->slots, set->room, key)] == key;
}

int preflight_set_add(struct preflight_set *set, uint64_t key, struct cr_error *err)
{
	size_t at;

	if (!key || preflight_set_has(set, key))
		return 0;
	if (2 * (set->n + 1) > set->room && set_grow(set, err) < 0)
		return -1;
	at = slot_of(set->slots, set->room, key);
	set->slots[at] = key;
	set->n++;
	return 1;
}
