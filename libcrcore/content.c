/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "content.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs.h"

#define BUFFER (256u << 10)
#define PAGE   4096u

int cr_content_open(struct cr_content *c, int fd, struct cr_error *err)
{
	struct stat st;

	*c = (struct cr_content){.fd = fd};
	if (fstat(fd, &st) < 0)
		return cr_error_sys(err, errno, "fstat");
	c->end = (uint64_t)st.st_size;
	c->buffer = malloc(BUFFER);
	return c->buffer ? 0 : cr_error_sys(err, ENOMEM, "restoring files");
}

static int write_at(struct cr_content *c, uint64_t offset, const char *data, size_t size, struct cr_error *err)
{
	for (size_t sum = 0; sum < size;) {
		ssize_t n = pwrite(c->fd, data + sum, size - sum, (off_t)(offset + sum));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return cr_error_sys(err, n < 0 ? errno : EIO, "write");
		sum += (size_t)n;
	}
	c->written += size;
	return 0;
}

/* At most a buffer: what the file has there, compared page by page. */
static int block_put(struct cr_content *c, uint64_t offset, const char *data, size_t size, struct cr_error *err)
{
	size_t have = offset >= c->end ? 0 : c->end - offset < size ? (size_t)(c->end - offset) : size;
	size_t from = 0;

	if (have > 0 && cr_fs_pread_all(c->fd, c->buffer, have, offset, err) < 0)
		return -1;
	while (from < size) {
		size_t to = from;

		/* a run of pages that differ, or are not there */
		while (to < size) {
			size_t n = size - to < PAGE ? size - to : PAGE;

			if (to + n <= have && memcmp(c->buffer + to, data + to, n) == 0)
				break;
			to += n;
		}
		if (to > from && write_at(c, offset + from, data + from, to - from, err) < 0)
			return -1;
		from = to < size ? to + (size - to < PAGE ? size - to : PAGE) : size;
	}
	return 0;
}

static bool all_zero(const char *data, size_t size)
{
	return size == 0 || (data[0] == 0 && memcmp(data, data + 1, size - 1) == 0);
}

/* Where there are no holes: zeros. */
static int zeros_put(struct cr_content *c, uint64_t from, uint64_t to, struct cr_error *err)
{
	while (from < to) {
		size_t n = to - from < BUFFER ? (size_t)(to - from) : BUFFER;

		if (cr_fs_pread_all(c->fd, c->buffer, n, from, err) < 0)
			return -1;
		if (!all_zero(c->buffer, n)) {
			memset(c->buffer, 0, n);
			if (write_at(c, from, c->buffer, n, err) < 0)
				return -1;
		}
		from += n;
	}
	return 0;
}

static int hole_put(struct cr_content *c, uint64_t from, uint64_t to, struct cr_error *err)
{
	off_t data;

	if (to > c->end)
		to = c->end; /* nothing is there yet */
	if (from >= to)
		return 0;
	data = lseek(c->fd, (off_t)from, SEEK_DATA);
	if ((data < 0 && errno == ENXIO) || data >= (off_t)to)
		return 0;
	if (fallocate(c->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from, (off_t)(to - from)) == 0) {
		c->written += to - from;
		return 0;
	}
	return zeros_put(c, from, to, err);
}

int cr_content_put(struct cr_content *c, uint64_t offset, const void *data, size_t size, struct cr_error *err)
{
	const char *bytes = data;

	if (offset < c->at)
		return cr_error_set(err, EBADMSG, "content that does not ascend");
	if (hole_put(c, c->at, offset, err) < 0)
		return -1;
	for (size_t sum = 0; sum < size;) {
		size_t n = size - sum < BUFFER ? size - sum : BUFFER;

		if (block_put(c, offset + sum, bytes + sum, n, err) < 0)
			return -1;
		sum += n;
	}
	c->at = offset + size;
	return 0;
}

int cr_content_end(struct cr_content *c, uint64_t size, struct cr_error *err)
{
	struct stat st;

	if (c->at > size)
		return cr_error_set(err, EBADMSG, "more content than the file had");
	if (hole_put(c, c->at, size, err) < 0)
		return -1;
	if (fstat(c->fd, &st) < 0)
		return cr_error_sys(err, errno, "fstat");
	if ((uint64_t)st.st_size != size && ftruncate(c->fd, (off_t)size) < 0)
		return cr_error_sys(err, errno, "truncate");
	return 0;
}

void cr_content_close(struct cr_content *c)
{
	free(c->buffer);
	c->buffer = NULL;
}
