/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "bundle.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs.h"

#define BLOCK	  512u
#define BUFFER	  (256u << 10)
#define PIECE_MAX (UINT64_C(1) << 30) /* what the eleven octal digits of a header hold is 8 GiB */

/* Of a ustar header. */
#define NAME_SIZE    100u
#define MODE_AT	     100u
#define UID_AT	     108u
#define GID_AT	     116u
#define SIZE_AT	     124u
#define MTIME_AT     136u
#define SUM_AT	     148u
#define TYPE_AT	     156u
#define MAGIC_AT     257u
#define SIZE_DIGITS  11
#define MAGIC	     "ustar\00000"
#define MAGIC_LENGTH 8u

static uint64_t padded(uint64_t length)
{
	return (length + BLOCK - 1) / BLOCK * BLOCK;
}

/* The sum of a header's bytes, its own field taken as blanks. */
static unsigned header_sum(const unsigned char *header)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < BLOCK; i++)
		sum += i >= SUM_AT && i < TYPE_AT ? ' ' : header[i];
	return sum;
}

/* ---- writing ---- */

int bundle_writer_open(struct bundle_writer *w, int fd, struct cr_error *err)
{
	*w = (struct bundle_writer){.fd = fd, .buffer = malloc(BUFFER)};
	return w->buffer ? 0 : cr_error_sys(err, ENOMEM, "copying files");
}

static int writer_flush(struct bundle_writer *w, struct cr_error *err)
{
	size_t used = w->used;

	w->used = 0;
	return cr_fs_write_all(w->fd, w->buffer, used, err);
}

/* Zeros, less than the buffer. */
static int writer_zeros(struct bundle_writer *w, size_t n, struct cr_error *err)
{
	if (BUFFER - w->used < n && writer_flush(w, err) < 0)
		return -1;
	memset(w->buffer + w->used, 0, n);
	w->used += n;
	return 0;
}

static int header_write(struct bundle_writer *w, uint32_t number, uint64_t offset, uint64_t length,
			struct cr_error *err)
{
	char *header;

	if (writer_zeros(w, BLOCK, err) < 0)
		return -1;
	header = w->buffer + w->used - BLOCK;
	snprintf(header, NAME_SIZE, "%" PRIu32 "/%" PRIx64, number, offset);
	memcpy(header + MODE_AT, "0000600", 8);
	memcpy(header + UID_AT, "0000000", 8);
	memcpy(header + GID_AT, "0000000", 8);
	snprintf(header + SIZE_AT, 12, "%011" PRIo64, length);
	memcpy(header + MTIME_AT, "00000000000", 12);
	header[TYPE_AT] = '0';
	memcpy(header + MAGIC_AT, MAGIC, MAGIC_LENGTH);
	snprintf(header + SUM_AT, 8, "%06o", header_sum((const unsigned char *)header));
	header[SUM_AT + 7] = ' ';
	return 0;
}

static int piece_write(struct bundle_writer *w, uint32_t number, int in, uint64_t offset, uint64_t length,
		       struct cr_error *err)
{
	uint64_t left = length;

	if (header_write(w, number, offset, length, err) < 0)
		return -1;
	while (left > 0) {
		size_t n = BUFFER - w->used < left ? BUFFER - w->used : (size_t)left;

		/* somebody outside of the job may have made it shorter: what is not there is zeros */
		memset(w->buffer + w->used, 0, n);
		if (cr_fs_pread_all(in, w->buffer + w->used, n, offset, err) < 0 && err->errnum != EBADMSG)
			return -1;
		w->used += n;
		offset += n;
		left -= n;
		if (w->used == BUFFER && writer_flush(w, err) < 0)
			return -1;
	}
	return writer_zeros(w, (size_t)(padded(length) - length), err);
}

int bundle_add(struct bundle_writer *w, uint32_t number, int in, uint64_t offset, uint64_t length,
	       struct cr_error *err)
{
	while (length > 0) {
		uint64_t n = length < PIECE_MAX ? length : PIECE_MAX;

		if (piece_write(w, number, in, offset, n, err) < 0)
			return -1;
		offset += n;
		length -= n;
	}
	return 0;
}

int bundle_writer_end(struct bundle_writer *w, struct cr_error *err)
{
	return writer_zeros(w, 2 * BLOCK, err) < 0 ? -1 : writer_flush(w, err);
}

void bundle_writer_close(struct bundle_writer *w)
{
	free(w->buffer);
	w->buffer = NULL;
}

/* ---- reading ---- */

int bundle_reader_open(struct bundle_reader *r, int fd, struct cr_error *err)
{
	*r = (struct bundle_reader){.fd = fd, .buffer = malloc(BUFFER)};
	return r->buffer ? 0 : cr_error_sys(err, ENOMEM, "restoring files");
}

static int reader_take(struct bundle_reader *r, size_t n, struct cr_error *err)
{
	for (size_t sum = 0; sum < n;) {
		ssize_t got = read(r->fd, r->buffer + sum, n - sum);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return cr_error_sys(err, errno, "the copies of files");
		if (got == 0)
			return cr_error_set(err, EBADMSG, "the copies of files end too early");
		sum += (size_t)got;
	}
	return 0;
}

static int header_bad(struct cr_error *err)
{
	return cr_error_set(err, EBADMSG, "the copies of files are no archive of this kind");
}

/* number, offset and length of the piece that the header in the buffer begins */
static int header_parse(const struct bundle_reader *r, uint32_t *number, uint64_t *offset, uint64_t *length)
{
	char name[NAME_SIZE + 1] = "", size[SIZE_DIGITS + 1] = "", sum[7] = "", *end;
	const char *header = r->buffer;
	unsigned long long n;

	memcpy(name, header, NAME_SIZE);
	memcpy(size, header + SIZE_AT, SIZE_DIGITS);
	memcpy(sum, header + SUM_AT, 6);
	if (memcmp(header + MAGIC_AT, MAGIC, MAGIC_LENGTH) != 0 || header[TYPE_AT] != '0' ||
	    strspn(size, "01234567") != SIZE_DIGITS || strspn(sum, "01234567") != 6 ||
	    strtoul(sum, NULL, 8) != header_sum((const unsigned char *)header))
		return -1;
	n = strtoull(name, &end, 10);
	if (strspn(name, "0123456789") != (size_t)(end - name) || end == name || *end != '/' || n > UINT32_MAX ||
	    strspn(end + 1, "0123456789abcdef") != strlen(end + 1) || strlen(end + 1) < 1 || strlen(end + 1) > 16)
		return -1;
	*number = (uint32_t)n;
	*offset = strtoull(end + 1, NULL, 16);
	*length = strtoull(size, NULL, 8);
	return *length < 1 || *length > PIECE_MAX || *offset > INT64_MAX - *length ? -1 : 0;
}

static int header_read(struct bundle_reader *r, struct cr_error *err)
{
	uint32_t number;
	uint64_t offset, length;

	if (reader_take(r, BLOCK, err) < 0)
		return -1;
	if (r->buffer[0] == '\0') {
		r->ended = true;
		return 0;
	}
	if (header_parse(r, &number, &offset, &length) < 0)
		return header_bad(err);
	if (number < r->number || (number == r->number && offset < r->offset + r->length))
		return cr_error_set(err, EBADMSG, "the copies of files are not in order");
	r->number = number;
	r->offset = offset;
	r->length = length;
	r->left = padded(length);
	r->found = true;
	return 0;
}

int bundle_next(struct bundle_reader *r, uint32_t number, struct cr_error *err)
{
	if (!r->found && !r->ended && header_read(r, err) < 0)
		return -1;
	return r->found && r->number == number;
}

int bundle_read(struct bundle_reader *r, const void **data, size_t *size, struct cr_error *err)
{
	uint64_t padding = padded(r->length) - r->length;
	size_t n = r->left < BUFFER ? (size_t)r->left : BUFFER;

	if (!r->found || r->left == 0) {
		r->found = false;
		return 0;
	}
	if (reader_take(r, n, err) < 0)
		return -1;
	r->left -= n;
	*data = r->buffer;
	*size = r->left == 0 ? n - (size_t)padding : n;
	return 1;
}

int bundle_reader_end(struct bundle_reader *r, struct cr_error *err)
{
	if (!r->found && !r->ended && header_read(r, err) < 0)
		return -1;
	if (r->found)
		return cr_error_set(err, EBADMSG, "there are copies of a file %" PRIu32 ", which nobody named",
				    r->number);
	/* the second block of the end */
	return reader_take(r, BLOCK, err);
}

void bundle_reader_close(struct bundle_reader *r)
{
	free(r->buffer);
	r->buffer = NULL;
}
