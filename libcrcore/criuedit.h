/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* criuedit.h - criu's images, changed entry by entry while they are handed over, or only read
 *
 * An edit is a line in a table: which images, what their entries are decoded as, a function. The messages are
 * those of libcrcore/proto, which name only the fields that somebody here looks at: a field that they do not name
 * survives. Several edits of one image see each entry one after the other. Memory is bounded by the largest
 * entry, and its payload where an edit asks for that; an image that no edit is for is not even looked at.
 *
 *	static int mode_forget(ProtobufCMessage *message, struct cr_criuedit_entry *at, struct cr_error *err)
 *	{
 *		Criu__FileEntry *file = (Criu__FileEntry *)message;
 *
 *		if (!file->reg || !file->reg->has_mode)
 *			return CR_CRIUEDIT_KEEP;
 *		file->reg->has_mode = false;
 *		return CR_CRIUEDIT_CHANGED;
 *	}
 *	...
 *	{"files.img", &criu__file_entry__descriptor, mode_forget},
 */

#ifndef CR_CRIUEDIT_H
#define CR_CRIUEDIT_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "image.h"

#define CR_CRIUEDIT_PAYLOAD_MAX (64u << 20) /* bytes of one, where an edit asks for it */

enum { CR_CRIUEDIT_KEEP, CR_CRIUEDIT_CHANGED, CR_CRIUEDIT_DROP };

/* Where in which image an edit is. */
struct cr_criuedit_entry {
	const char *name; /* "core-12.img" */
	uint64_t number;  /* of the entry as it was stored, from 0 */
	void *arg;
	/* what follows the entry, where .payload is set: may be looked at, and cr_criuedit_payload() replaces it
	 */
	const unsigned char *payload;
	size_t payload_size;
	struct cr_criuedit_run *run;
};

struct cr_criuedit {
	const char *pattern; /* of names: "files.img", "core-*.img"; see fnmatch(3) */
	const ProtobufCMessageDescriptor *type;
	/* Look at an entry, change it in place. Returns what became of it, or -1. With CR_CRIUEDIT_DROP its
	 * payload goes as well. Messages are protobuf-c's: texts and arrays are of malloc(). */
	int (*entry)(ProtobufCMessage *message, struct cr_criuedit_entry *at, struct cr_error *err);
	/* After the last entry, to add some more; may be NULL. */
	int (*end)(struct cr_criuedit_entry *at, struct cr_error *err);
	bool (*wanted)(void *arg); /* asked once for each image; NULL: always */
	bool payload;		   /* has it in memory for entry() */
};

/* From within entry() or end(): one more entry, before the current one, with its payload (NULL, 0: none). */
int cr_criuedit_add(struct cr_criuedit_entry *at, const ProtobufCMessage *message, const void *payload,
		    size_t size, struct cr_error *err);

/* From within entry(), where .payload is set: another payload. The entry is to say its length. */
int cr_criuedit_payload(struct cr_criuedit_entry *at, const void *payload, size_t size, struct cr_error *err);

/* Replace a text of a message's. */
int cr_criuedit_text(char **field, const char *text, struct cr_error *err);

/* Where an image comes from: its next piece, valid until the next call. 1, 0 at the end, -1. */
typedef int cr_criuedit_source(void *source, const void **data, size_t *size, struct cr_error *err);

/* An image on its way through the edits (an array that ends with an empty line). *run is NULL when none is for it.
 */
struct cr_criuedit_run;
int cr_criuedit_open(struct cr_criuedit_run **run, const char *name, const struct cr_criuedit *edits, void *arg,
		     cr_criuedit_source *next, void *source, struct cr_error *err);
int cr_criuedit_next(struct cr_criuedit_run *run, const void **data, size_t *size, struct cr_error *err);
void cr_criuedit_close(struct cr_criuedit_run *run);

/* Only look: all of an image through the edits; what they change is lost. */
int cr_criuedit_read(const char *name, const struct cr_criuedit *edits, void *arg, cr_criuedit_source *next,
		     void *source, struct cr_error *err);

/* The same for images/NAME of a generation; ENOENT when it has none. */
int cr_criuedit_read_image(struct cr_image *image, const char *name, const struct cr_criuedit *edits, void *arg,
			   struct cr_error *err);

#endif
