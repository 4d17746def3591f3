/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "criuimg.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

#define MAGIC_COMMON 0x54564319u

/* Entries that say in these fields how many bytes follow them. */
static const struct {
	const char *pattern;
	unsigned fields[2];
} payloads[] = {
	{"pipes-data.img", {2, 0}},
	{"fifo-data.img", {2, 0}},
	{"sk-queues.img", {2, 0}},
	{"tcp-stream-*.img", {1, 3}},
};

/* ghost-file-*.img: an entry, and all of the file behind it, or chunks with their own lengths */
#define GHOST_PATTERN	   "ghost-file-*.img"
#define GHOST_CHUNKS	   9
#define GHOST_CHUNK_LENGTH 1

void cr_criuimg_init(struct cr_criuimg *img, const char *name)
{
	*img = (struct cr_criuimg){.name = name};
}

void cr_criuimg_clear(struct cr_criuimg *img)
{
	free(img->held);
	img->held = NULL;
}

/* ---- what an entry says of its payload ---- */

/* Read a number of at most ten bytes. Returns how many it took, 0 when it is none. */
static size_t varint(const unsigned char *p, size_t size, uint64_t *value)
{
	*value = 0;
	for (size_t i = 0; i < size && i < 10; i++) {
		*value |= (uint64_t)(p[i] & 0x7f) << (7 * i);
		if (!(p[i] & 0x80))
			return i + 1;
	}
	return 0;
}

/* What is behind a tag. Returns how many bytes it takes, 0 when it makes no sense. */
static size_t value_skip(unsigned wire, const unsigned char *p, size_t size, uint64_t *value)
{
	size_t n;

	switch (wire) {
	case 0:
		return varint(p, size, value);
	case 1:
		return size >= 8 ? 8 : 0;
	case 2:
		n = varint(p, size, value);
		return n > 0 && *value <= size - n ? n + (size_t)*value : 0;
	case 5:
		return size >= 4 ? 4 : 0;
	default:
		return 0;
	}
}

/* The number in a field of a message, 0 when it has none. */
static int number_find(const unsigned char *p, size_t size, unsigned field, uint64_t *found)
{
	*found = 0;
	while (size > 0) {
		uint64_t tag, value = 0;
		size_t n = varint(p, size, &tag), m;

		m = n > 0 ? value_skip(tag & 7, p + n, size - n, &value) : 0;
		if (m == 0)
			return -1;
		if (tag == (uint64_t)field << 3)
			*found = value;
		p += n + m;
		size -= n + m;
	}
	return 0;
}

static int payload_ghost(struct cr_criuimg *img, const unsigned char *p, size_t size, uint64_t *payload)
{
	uint64_t chunked;

	if (img->entries > 0)
		return number_find(p, size, GHOST_CHUNK_LENGTH, payload);
	if (number_find(p, size, GHOST_CHUNKS, &chunked) < 0)
		return -1;
	*payload = chunked ? 0 : UINT64_MAX;
	return 0;
}

static int payload_find(struct cr_criuimg *img, const unsigned char *p, size_t size, uint64_t *payload)
{
	*payload = 0;
	if (fnmatch(GHOST_PATTERN, img->name, 0) == 0)
		return payload_ghost(img, p, size, payload);
	for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
		if (fnmatch(payloads[i].pattern, img->name, 0) != 0)
			continue;
		for (size_t k = 0; k < 2 && payloads[i].fields[k]; k++) {
			uint64_t n;

			if (number_find(p, size, payloads[i].fields[k], &n) < 0 || n > UINT32_MAX)
				return -1;
			*payload += n;
		}
	}
	return 0;
}

/* ---- pieces ---- */

static int hold(struct cr_criuimg *img, const unsigned char *data, size_t size, struct cr_error *err)
{
	size_t wanted = img->held_size + size;

	if (wanted > img->held_room) {
		size_t room = wanted > 2 * img->held_room ? wanted : 2 * img->held_room;
		unsigned char *p = realloc(img->held, room);

		if (!p)
			return cr_error_sys(err, ENOMEM, "%s", img->name);
		img->held = p;
		img->held_room = room;
	}
	if (size > 0)
		memcpy(img->held + img->held_size, data, size);
	img->held_size = wanted;
	return 0;
}

/* Collect until wanted bytes are held: 1, or 0 when the data is used up before that. */
static int fill(struct cr_criuimg *img, size_t wanted, const unsigned char **data, size_t *size,
		struct cr_error *err)
{
	size_t n = img->held_size < wanted ? wanted - img->held_size : 0;

	if (n > *size)
		n = *size;
	if (hold(img, *data, n, err) < 0)
		return -1;
	*data += n;
	*size -= n;
	return img->held_size >= wanted;
}

static int head_take(struct cr_criuimg *img, const unsigned char **data, size_t *size,
		     struct cr_criuimg_piece *piece, struct cr_error *err)
{
	uint32_t magic;
	int rc = fill(img, sizeof(magic), data, size, err);

	if (rc <= 0)
		return rc;
	memcpy(&magic, img->held, sizeof(magic));
	if (magic != MAGIC_COMMON && strcmp(img->name, "inventory.img") != 0)
		return cr_error_set(err, EBADMSG, "%s is no image of criu's", img->name);
	if (magic == MAGIC_COMMON) {
		rc = fill(img, 2 * sizeof(magic), data, size, err);
		if (rc <= 0)
			return rc;
	}
	*piece = (struct cr_criuimg_piece){.part = CR_CRIUIMG_HEAD, .data = img->held, .size = img->held_size};
	img->held_size = 0;
	img->headed = true;
	return 1;
}

static int entry_take(struct cr_criuimg *img, const unsigned char **data, size_t *size,
		      struct cr_criuimg_piece *piece, struct cr_error *err)
{
	uint32_t length;
	int rc = fill(img, sizeof(length), data, size, err);

	if (rc <= 0)
		return rc;
	memcpy(&length, img->held, sizeof(length));
	if (length > CR_CRIUIMG_ENTRY_MAX)
		return cr_error_set(err, EBADMSG, "%s has an entry of %u bytes", img->name, length);
	rc = fill(img, sizeof(length) + (size_t)length, data, size, err);
	if (rc <= 0)
		return rc;
	*piece = (struct cr_criuimg_piece){
		.part = CR_CRIUIMG_ENTRY, .data = img->held + sizeof(length), .size = length};
	if (payload_find(img, piece->data, length, &piece->payload) < 0)
		return cr_error_set(err, EBADMSG, "%s has an entry that is none", img->name);
	img->held_size = 0;
	img->payload = piece->payload;
	img->entries++;
	return 1;
}

int cr_criuimg_next(struct cr_criuimg *img, const unsigned char **data, size_t *size,
		    struct cr_criuimg_piece *piece, struct cr_error *err)
{
	size_t n;

	if (!img->headed)
		return head_take(img, data, size, piece, err);
	if (img->payload == 0)
		return *size > 0 ? entry_take(img, data, size, piece, err) : 0;
	n = *size < img->payload ? *size : (size_t)img->payload;
	if (n == 0)
		return 0;
	*piece = (struct cr_criuimg_piece){.part = CR_CRIUIMG_PAYLOAD, .data = *data, .size = n};
	*data += n;
	*size -= n;
	if (img->payload != UINT64_MAX)
		img->payload -= n;
	return 1;
}

int cr_criuimg_end(const struct cr_criuimg *img, struct cr_error *err)
{
	if (img->headed && img->held_size == 0 && (img->payload == 0 || img->payload == UINT64_MAX))
		return 0;
	return cr_error_set(err, EBADMSG, "%s ends too early", img->name);
}
