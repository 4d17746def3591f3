/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "output_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_LEAST 64

static size_t slot_of(const struct output_set *set, uint64_t dev, uint64_t ino)
{
	uint64_t h = (ino ^ dev << 32) * UINT64_C(0x9e3779b97f4a7c15);

	return (size_t)(h >> 20) & (set->room - 1);
}

static void slot_take(struct output_set *set, const struct cr_manifest *m, size_t number)
{
	size_t at = slot_of(set, m->outputs[number].dev, m->outputs[number].ino);

	while (set->slots[at])
		at = (at + 1) & (set->room - 1);
	set->slots[at] = number + 1;
}

int output_set_update(struct output_set *set, const struct cr_manifest *m, struct cr_error *err)
{
	if (2 * (m->n_outputs + 1) > set->room) {
		size_t room = set->room ? set->room : ROOM_LEAST;
		size_t *slots;

		while (4 * (m->n_outputs + 1) > room)
			room *= 2;
		slots = calloc(room, sizeof(*slots));
		if (!slots)
			return cr_error_sys(err, ENOMEM, "the job's files");
		free(set->slots);
		*set = (struct output_set){.slots = slots, .room = room};
	}
	while (set->n < m->n_outputs)
		slot_take(set, m, set->n++);
	return 0;
}

size_t output_set_find(const struct output_set *set, const struct cr_manifest *m, uint64_t dev, uint64_t ino,
		       const char *path)
{
	size_t at;

	if (set->room == 0)
		return OUTPUT_NONE;
	for (at = slot_of(set, dev, ino); set->slots[at]; at = (at + 1) & (set->room - 1)) {
		const struct cr_manifest_output *o = &m->outputs[set->slots[at] - 1];

		if (o->dev == dev && o->ino == ino && (!path || strcmp(o->path, path) == 0))
			return set->slots[at] - 1;
	}
	return OUTPUT_NONE;
}

void output_set_clear(struct output_set *set)
{
	free(set->slots);
	*set = (struct output_set){0};
}
