/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "reg_files.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#define MAGIC_COMMON 0x54564319u
#define MAGIC_FILES  0x56303138u

/* of file_entry */
#define FIELD_REG  3
/* of reg_file_entry */
#define FIELD_NAME 6
#define FIELD_SIZE 8
#define FIELD_MODE 10

#define WIRE_VARINT 0
#define WIRE_64	    1
#define WIRE_BYTES  2
#define WIRE_32	    5

/* A field of a protobuf message. */
struct field {
	unsigned number, wire;
	const unsigned char *whole, *data; /* with its tag; what is in it, of WIRE_BYTES */
	size_t length, data_length;
};

/* Read a number of at most ten bytes. Returns how many it took, 0 when it is none. */
static size_t varint_read(const unsigned char *p, size_t size, uint64_t *value)
{
	*value = 0;
	for (size_t i = 0; i < size && i < 10; i++) {
		*value |= (uint64_t)(p[i] & 0x7f) << (7 * i);
		if (!(p[i] & 0x80))
			return i + 1;
	}
	return 0;
}

static size_t varint_write(unsigned char *p, uint64_t value)
{
	size_t n = 0;

	for (; value >= 0x80; value >>= 7)
		p[n++] = (unsigned char)(value | 0x80);
	p[n++] = (unsigned char)value;
	return n;
}

/* The field at p. Returns -1 when there is none that fits into size bytes. */
static int field_read(struct field *f, const unsigned char *p, size_t size)
{
	uint64_t tag, value = 0;
	size_t at = varint_read(p, size, &tag), n;

	if (at == 0 || tag >> 3 == 0 || tag >> 3 > UINT32_MAX >> 3)
		return -1;
	*f = (struct field){.number = (unsigned)(tag >> 3), .wire = tag & 7, .whole = p};
	switch (f->wire) {
	case WIRE_VARINT:
		n = varint_read(p + at, size - at, &value);
		if (n == 0)
			return -1;
		at += n;
		break;
	case WIRE_64:
		at += 8;
		break;
	case WIRE_32:
		at += 4;
		break;
	case WIRE_BYTES:
		n = varint_read(p + at, size - at, &value);
		if (n == 0 || value > size - at - n)
			return -1;
		at += n;
		f->data = p + at;
		f->data_length = (size_t)value;
		at += (size_t)value;
		break;
	default:
		return -1;
	}
	f->length = at;
	return at <= size ? 0 : -1;
}

/* The last field of that number and kind in a message: 1, 0 when it has none, -1 when it is no message. */
static int field_find(struct field *found, const unsigned char *p, size_t size, unsigned number, unsigned wire)
{
	struct field f;
	int rc = 0;

	for (size_t at = 0; at < size; at += f.length) {
		if (field_read(&f, p + at, size - at) < 0)
			return -1;
		if (f.number == number && f.wire == wire) {
			*found = f;
			rc = 1;
		}
	}
	return rc;
}

/* A reg_file_entry without size and mode, to out; returns its length. Its fields were read before. */
static size_t reg_write(unsigned char *out, const unsigned char *p, size_t size)
{
	struct field f;
	size_t n = 0;

	for (size_t at = 0; at < size && field_read(&f, p + at, size - at) == 0; at += f.length) {
		if (f.wire == WIRE_VARINT && (f.number == FIELD_SIZE || f.number == FIELD_MODE))
			continue;
		memmove(out + n, f.whole, f.length);
		n += f.length;
	}
	return n;
}

/* How long that will be. */
static size_t reg_length(const unsigned char *p, size_t size)
{
	struct field f;
	size_t n = 0;

	for (size_t at = 0; at < size && field_read(&f, p + at, size - at) == 0; at += f.length)
		n += f.wire == WIRE_VARINT && (f.number == FIELD_SIZE || f.number == FIELD_MODE) ? 0 : f.length;
	return n;
}

/* A file_entry whose field reg is that; returns its length. Nothing grows: what is read lies ahead of out. */
static size_t entry_write(unsigned char *out, const unsigned char *p, size_t size, const struct field *reg)
{
	size_t before = (size_t)(reg->whole - p), behind = size - before - reg->length, n = 0;
	const unsigned char *rest = reg->whole + reg->length, *data = reg->data;
	size_t data_length = reg->data_length;

	memmove(out, p, before);
	n = before;
	n += varint_write(out + n, FIELD_REG << 3 | WIRE_BYTES);
	n += varint_write(out + n, reg_length(data, data_length));
	n += reg_write(out + n, data, data_length);
	memmove(out + n, rest, behind);
	return n + behind;
}

static size_t record_forget(unsigned char *out, const unsigned char *p, size_t size,
			    bool (*match)(const char *name, size_t n, void *arg), void *arg)
{
	struct field reg, name;

	switch (field_find(&reg, p, size, FIELD_REG, WIRE_BYTES)) {
	case -1:
		return 0;
	case 1:
		if (field_find(&name, reg.data, reg.data_length, FIELD_NAME, WIRE_BYTES) < 0)
			return 0;
		if (field_find(&name, reg.data, reg.data_length, FIELD_NAME, WIRE_BYTES) == 1 &&
		    match((const char *)name.data, name.data_length, arg))
			return entry_write(out, p, size, &reg);
		break;
	default:
		break;
	}
	memmove(out, p, size);
	return size;
}

int reg_files_forget(void *image, size_t *size, bool (*match)(const char *name, size_t n, void *arg), void *arg,
		     struct cr_error *err)
{
	unsigned char *bytes = image;
	uint32_t magic[2], length;
	size_t out = sizeof(magic);

	if (*size < sizeof(magic) || (memcpy(magic, bytes, sizeof(magic)), magic[0] != MAGIC_COMMON) ||
	    magic[1] != MAGIC_FILES)
		return cr_error_set(err, EBADMSG, "%s is no list of files", REG_FILES_STREAM);
	for (size_t at = sizeof(magic); at < *size; at += length) {
		size_t n;

		if (*size - at < sizeof(length))
			return cr_error_set(err, EBADMSG, "%s ends too early", REG_FILES_STREAM);
		memcpy(&length, bytes + at, sizeof(length));
		at += sizeof(length);
		if (length == 0 || length > *size - at)
			return cr_error_set(err, EBADMSG, "%s ends too early", REG_FILES_STREAM);
		n = record_forget(bytes + out + sizeof(length), bytes + at, length, match, arg);
		if (n == 0)
			return cr_error_set(err, EBADMSG, "%s has an entry that is none", REG_FILES_STREAM);
		memcpy(bytes + out, &(uint32_t){(uint32_t)n}, sizeof(length));
		out += sizeof(length) + n;
	}
	*size = out;
	return 0;
}
