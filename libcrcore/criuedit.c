/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "criuedit.h"

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "criuimg.h"

#define EDITS_MAX 16u /* of one image */

/* Bytes that grow. */
struct bytes {
	unsigned char *data;
	size_t size, room;
};

struct cr_criuedit_run {
	struct cr_criuimg img;
	const struct cr_criuedit *edits[EDITS_MAX];
	size_t n;
	void *arg;
	cr_criuedit_source *next;
	void *source;
	const unsigned char *data; /* of the source's, not taken yet */
	size_t left;
	bool dropping; /* the payload of an entry that is gone */
	bool ended;
	bool held;	       /* entry waits for its payload */
	uint64_t wanted;       /* bytes of it */
	uint64_t number;       /* of the entry */
	struct bytes entry;    /* the message as it is by now */
	struct bytes packed;   /* the same, from the edit that has just changed it */
	struct bytes payload;  /* where an edit asks for it */
	struct bytes replaced; /* by an edit */
	bool is_replaced;
	struct bytes out;
};

/* ---- bytes ---- */

static int bytes_add(struct bytes *b, const void *data, size_t size, struct cr_error *err)
{
	if (size > b->room - b->size) {
		size_t room = b->size + size > 2 * b->room ? b->size + size : 2 * b->room;
		unsigned char *p = realloc(b->data, room);

		if (!p)
			return cr_error_sys(err, ENOMEM, "an image of criu's");
		b->data = p;
		b->room = room;
	}
	if (size > 0)
		memcpy(b->data + b->size, data, size);
	b->size += size;
	return 0;
}

static int bytes_set(struct bytes *b, const void *data, size_t size, struct cr_error *err)
{
	b->size = 0;
	return bytes_add(b, data, size, err);
}

/* A buffer of protobuf-c's that packs into ours. */
struct packer {
	ProtobufCBuffer base;
	struct bytes *to;
	struct cr_error *err;
	bool failed;
};

static void packer_append(ProtobufCBuffer *base, size_t size, const uint8_t *data)
{
	struct packer *p = (struct packer *)base;

	if (!p->failed && bytes_add(p->to, data, size, p->err) < 0)
		p->failed = true;
}

static int bytes_pack(struct bytes *b, const ProtobufCMessage *message, struct cr_error *err)
{
	struct packer p = {.base = {.append = packer_append}, .to = b, .err = err};

	(void)protobuf_c_message_pack_to_buffer(message, &p.base);
	return p.failed ? -1 : 0;
}

/* ---- what edits call ---- */

static int entry_out(struct cr_criuedit_run *run, const struct bytes *entry, struct cr_error *err)
{
	const uint32_t length = (uint32_t)entry->size;

	if (entry->size > CR_CRIUIMG_ENTRY_MAX)
		return cr_error_set(err, EFBIG, "%s: an entry has become too long", run->img.name);
	if (bytes_add(&run->out, &length, sizeof(length), err) < 0)
		return -1;
	return bytes_add(&run->out, entry->data, entry->size, err);
}

int cr_criuedit_add(struct cr_criuedit_entry *at, const ProtobufCMessage *message, const void *payload,
		    size_t size, struct cr_error *err)
{
	struct bytes packed = {0};
	int rc = bytes_pack(&packed, message, err);

	if (rc == 0)
		rc = entry_out(at->run, &packed, err);
	if (rc == 0)
		rc = bytes_add(&at->run->out, payload, size, err);
	free(packed.data);
	return rc;
}

int cr_criuedit_payload(struct cr_criuedit_entry *at, const void *payload, size_t size, struct cr_error *err)
{
	at->run->is_replaced = true;
	return bytes_set(&at->run->replaced, payload, size, err);
}

int cr_criuedit_text(char **field, const char *text, struct cr_error *err)
{
	char *copy = strdup(text);

	if (!copy)
		return cr_error_sys(err, ENOMEM, "an image of criu's");
	if (*field != protobuf_c_empty_string)
		free(*field);
	*field = copy;
	return 0;
}

/* ---- an entry ---- */

static struct cr_criuedit_entry entry_at(struct cr_criuedit_run *run)
{
	return (struct cr_criuedit_entry){.name = run->img.name,
					  .number = run->number,
					  .arg = run->arg,
					  .payload = run->payload.data,
					  .payload_size = run->payload.size,
					  .run = run};
}

static int edit_one(struct cr_criuedit_run *run, const struct cr_criuedit *edit, struct cr_error *err)
{
	struct cr_criuedit_entry at = entry_at(run);
	ProtobufCMessage *message;
	int rc;

	message = protobuf_c_message_unpack(edit->type, NULL, run->entry.size, run->entry.data);
	if (!message)
		return cr_error_set(err, EBADMSG, "%s has an entry that is none", run->img.name);
	rc = edit->entry(message, &at, err);
	if (rc == CR_CRIUEDIT_CHANGED) {
		struct bytes swap = run->entry;

		run->packed.size = 0;
		if (bytes_pack(&run->packed, message, err) < 0)
			rc = -1;
		run->entry = run->packed;
		run->packed = swap;
	}
	if (rc >= 0 && run->is_replaced) {
		struct bytes swap = run->payload;

		run->payload = run->replaced;
		run->replaced = swap;
		run->is_replaced = false;
	}
	protobuf_c_message_free_unpacked(message, NULL);
	return rc;
}

/* All edits, and what is left of the entry to the output. */
static int entry_edit(struct cr_criuedit_run *run, struct cr_error *err)
{
	for (size_t i = 0; i < run->n; i++) {
		int rc = run->edits[i]->entry ? edit_one(run, run->edits[i], err) : CR_CRIUEDIT_KEEP;

		if (rc < 0)
			return -1;
		if (rc == CR_CRIUEDIT_DROP) {
			run->dropping = true;
			run->payload.size = 0;
			return 0;
		}
	}
	if (entry_out(run, &run->entry, err) < 0)
		return -1;
	return bytes_add(&run->out, run->payload.data, run->payload.size, err);
}

static bool payload_asked(const struct cr_criuedit_run *run)
{
	for (size_t i = 0; i < run->n; i++) {
		if (run->edits[i]->payload)
			return true;
	}
	return false;
}

static int entry_begin(struct cr_criuedit_run *run, const struct cr_criuimg_piece *piece, struct cr_error *err)
{
	run->dropping = false;
	run->payload.size = 0;
	run->number = run->img.entries - 1;
	if (bytes_set(&run->entry, piece->data, piece->size, err) < 0)
		return -1;
	if (!payload_asked(run) || piece->payload == 0)
		return entry_edit(run, err);
	if (piece->payload > CR_CRIUEDIT_PAYLOAD_MAX)
		return cr_error_set(err, EFBIG, "%s: too many bytes after an entry", run->img.name);
	run->held = true;
	run->wanted = piece->payload;
	return 0;
}

static int payload_take(struct cr_criuedit_run *run, const struct cr_criuimg_piece *piece, struct cr_error *err)
{
	if (!run->held)
		return run->dropping ? 0 : bytes_add(&run->out, piece->data, piece->size, err);
	if (bytes_add(&run->payload, piece->data, piece->size, err) < 0)
		return -1;
	if (run->payload.size < run->wanted)
		return 0;
	run->held = false;
	return entry_edit(run, err);
}

static int piece_take(struct cr_criuedit_run *run, const struct cr_criuimg_piece *piece, struct cr_error *err)
{
	switch (piece->part) {
	case CR_CRIUIMG_HEAD:
		return bytes_add(&run->out, piece->data, piece->size, err);
	case CR_CRIUIMG_ENTRY:
		return entry_begin(run, piece, err);
	default:
		return payload_take(run, piece, err);
	}
}

/* ---- an image ---- */

int cr_criuedit_open(struct cr_criuedit_run **run, const char *name, const struct cr_criuedit *edits, void *arg,
		     cr_criuedit_source *next, void *source, struct cr_error *err)
{
	const struct cr_criuedit *found[EDITS_MAX];
	size_t n = 0;

	*run = NULL;
	for (const struct cr_criuedit *e = edits; e->pattern; e++) {
		if (fnmatch(e->pattern, name, 0) != 0 || (e->wanted && !e->wanted(arg)))
			continue;
		if (n >= EDITS_MAX)
			return cr_error_set(err, E2BIG, "%s: too many edits", name);
		found[n++] = e;
	}
	if (n == 0)
		return 0;
	*run = calloc(1, sizeof(**run));
	if (!*run)
		return cr_error_sys(err, ENOMEM, "%s", name);
	cr_criuimg_init(&(*run)->img, name);
	memcpy((*run)->edits, found, n * sizeof(struct cr_criuedit *));
	(*run)->n = n;
	(*run)->arg = arg;
	(*run)->next = next;
	(*run)->source = source;
	return 0;
}

static int image_end(struct cr_criuedit_run *run, struct cr_error *err)
{
	struct cr_criuedit_entry at;

	run->ended = true;
	if (cr_criuimg_end(&run->img, err) < 0)
		return -1;
	run->number = run->img.entries;
	run->payload.size = 0;
	at = entry_at(run);
	for (size_t i = 0; i < run->n; i++) {
		if (run->edits[i]->end && run->edits[i]->end(&at, err) < 0)
			return -1;
	}
	return 0;
}

/* Take all that there is of the source's piece, or get the next one. */
static int image_once(struct cr_criuedit_run *run, struct cr_error *err)
{
	struct cr_criuimg_piece piece;
	const void *data;
	int rc;

	while ((rc = cr_criuimg_next(&run->img, &run->data, &run->left, &piece, err)) > 0) {
		if (piece_take(run, &piece, err) < 0)
			return -1;
	}
	if (rc < 0 || run->out.size > 0)
		return rc;
	rc = run->next(run->source, &data, &run->left, err);
	if (rc < 0)
		return -1;
	run->data = data;
	if (rc == 0)
		run->left = 0;
	return rc == 0 ? image_end(run, err) : 0;
}

int cr_criuedit_next(struct cr_criuedit_run *run, const void **data, size_t *size, struct cr_error *err)
{
	run->out.size = 0;
	while (run->out.size == 0) {
		if (run->ended)
			return 0;
		if (image_once(run, err) < 0)
			return -1;
	}
	*data = run->out.data;
	*size = run->out.size;
	return 1;
}

void cr_criuedit_close(struct cr_criuedit_run *run)
{
	if (!run)
		return;
	cr_criuimg_clear(&run->img);
	free(run->entry.data);
	free(run->packed.data);
	free(run->payload.data);
	free(run->replaced.data);
	free(run->out.data);
	free(run);
}

int cr_criuedit_read(const char *name, const struct cr_criuedit *edits, void *arg, cr_criuedit_source *next,
		     void *source, struct cr_error *err)
{
	struct cr_criuedit_run *run;
	const void *data;
	size_t n;
	int rc;

	if (cr_criuedit_open(&run, name, edits, arg, next, source, err) < 0)
		return -1;
	if (!run)
		return 0;
	while ((rc = cr_criuedit_next(run, &data, &n, err)) > 0)
		;
	cr_criuedit_close(run);
	return rc;
}

static int reader_next(void *reader, const void **data, size_t *size, struct cr_error *err)
{
	return cr_image_reader_next(reader, data, size, err);
}

int cr_criuedit_read_image(struct cr_image *image, const char *name, const struct cr_criuedit *edits, void *arg,
			   struct cr_error *err)
{
	struct cr_image_reader *reader;
	char stream[NAME_MAX + 1];
	int64_t found;
	int rc;

	snprintf(stream, sizeof(stream), "images/%s", name);
	found = cr_image_find(image, stream);
	if (found < 0)
		return cr_error_set(err, ENOENT, "there is no %s", stream);
	if (cr_image_reader_open(&reader, image, (size_t)found, err) < 0)
		return -1;
	rc = cr_criuedit_read(name, edits, arg, reader_next, reader, err);
	cr_image_reader_close(reader);
	return rc;
}
