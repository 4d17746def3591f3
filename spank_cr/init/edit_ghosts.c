/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "edits.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

#include "proto/files.pb-c.h"

/* A generation without removed files has no list of them. */
bool edit_ghosts_wanted(void *arg)
{
	const struct edits *edits = arg;

	return cr_image_find(edits->image, "images/remap-fpath.img") >= 0;
}

/* Once, for whichever image comes first. */
static int ghosts_know(struct edits *edits, struct cr_error *err)
{
	if (edits->ghosts_known)
		return 0;
	edits->ghosts_known = true;
	return ghosts_read(&edits->ghosts, edits->image, edits->job->from_now, err);
}

int edit_ghost_names(ProtobufCMessage *message, struct cr_criuedit_entry *at, struct cr_error *err)
{
	Criu__RegFileEntry *reg = ((Criu__FileEntry *)message)->reg;
	struct edits *edits = at->arg;
	const struct ghost *ghost;
	uint32_t uid, gid, mode;
	char path[PATH_MAX];
	int rc;

	if (!reg || !reg->name)
		return CR_CRIUEDIT_KEEP;
	if (ghosts_know(edits, err) < 0)
		return -1;
	ghost = ghosts_find(&edits->ghosts, reg->id);
	if (!ghost)
		return CR_CRIUEDIT_KEEP;
	if (ghost->nameless) {
		snprintf(path, sizeof(path), GHOSTS_NAMELESS "%u", ghost->id);
		reg->has_ext = reg->ext = true;
		/* it may be writable to who makes it, for that alone */
		reg->has_mode = false;
		return cr_criuedit_text(&reg->name, path, err) < 0 ? -1 : CR_CRIUEDIT_CHANGED;
	}
	rc = ghosts_place(&edits->ghosts, ghost, reg->name, path, sizeof(path), err);
	if (rc < 0 || (rc > 0 && cr_criuedit_text(&reg->name, path, err) < 0))
		return -1;
	if (ghosts_mode(ghost, &uid, &gid, &mode))
		reg->has_mode = false;
	return CR_CRIUEDIT_CHANGED;
}

/* What criu has a descriptor for is no ghost to it. */
int edit_ghost_remap(ProtobufCMessage *message, struct cr_criuedit_entry *at, struct cr_error *err)
{
	const Criu__RemapFilePathEntry *remap = (const Criu__RemapFilePathEntry *)message;
	struct edits *edits = at->arg;
	const struct ghost *ghost;

	if (ghosts_know(edits, err) < 0)
		return -1;
	ghost = ghosts_find(&edits->ghosts, remap->orig_id);
	return ghost && ghost->nameless ? CR_CRIUEDIT_DROP : CR_CRIUEDIT_KEEP;
}

int edits_nameless(struct edits *edits, size_t i, int *fd, uint32_t *id, struct cr_error *err)
{
	if (!edit_ghosts_wanted(edits))
		return 0;
	if (ghosts_know(edits, err) < 0)
		return -1;
	return ghosts_nameless(&edits->ghosts, i, edits->image, fd, id, err);
}

int edit_ghost(ProtobufCMessage *message, struct cr_criuedit_entry *at, struct cr_error *err)
{
	Criu__GhostFileEntry *head = (Criu__GhostFileEntry *)message;
	struct edits *edits = at->arg;
	const struct ghost *ghost;
	uint32_t id;

	if (at->number > 0 || sscanf(at->name, "ghost-file-%" SCNx32 ".img", &id) != 1)
		return CR_CRIUEDIT_KEEP;
	if (ghosts_know(edits, err) < 0)
		return -1;
	ghost = ghosts_get(&edits->ghosts, id);
	if (!ghost || !ghosts_mode(ghost, &head->uid, &head->gid, &head->mode))
		return CR_CRIUEDIT_KEEP;
	return CR_CRIUEDIT_CHANGED;
}
