/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs.h"

#define BUFFER_LEAST 4096u

void cr_outfile_release(struct cr_outfile *out)
{
	if (out->fd >= 0)
		close(out->fd);
	free(out->path);
	free(out->buffer);
	*out = (struct cr_outfile){.fd = -1};
}

int cr_outfile_create(struct cr_outfile *out, const char *path, size_t buffer, struct cr_error *err)
{
	*out = (struct cr_outfile){.fd = -1, .room = buffer < BUFFER_LEAST ? BUFFER_LEAST : buffer};
	out->path = strdup(path);
	out->buffer = malloc(out->room);
	out->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out->fd >= 0 && out->path && out->buffer)
		return 0;
	cr_error_sys(err, out->fd < 0 ? errno : ENOMEM, "cannot create %s", path);
	cr_outfile_release(out);
	return -1;
}

/* Begin or finish to write a part of the file. An error of the disk's is told once for a descriptor: the fsync at
 * the end would not have it any more. That a file system cannot do this is no error. */
static int range_sync(const struct cr_outfile *out, uint64_t from, uint64_t size, unsigned flags,
		      struct cr_error *err)
{
	if (sync_file_range(out->fd, (off_t)from, (off_t)size, flags) == 0 || errno == ESPIPE || errno == EINVAL ||
	    errno == ENOSYS)
		return 0;
	return cr_error_sys(err, errno, "cannot sync %s", out->path);
}

/* Out to the disk as it comes, and out of the page cache: what is the job's is worth more there. */
static int flushed_sync(const struct cr_outfile *out, uint64_t from, uint64_t size, struct cr_error *err)
{
	uint64_t behind = from > size ? from - size : 0;

	if (range_sync(out, from, size, SYNC_FILE_RANGE_WRITE, err) < 0)
		return -1;
	if (from == 0)
		return 0;
	if (range_sync(out, behind, from - behind,
		       SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER, err) < 0)
		return -1;
	(void)posix_fadvise(out->fd, (off_t)behind, (off_t)(from - behind), POSIX_FADV_DONTNEED);
	return 0;
}

static int outfile_flush(struct cr_outfile *out, struct cr_error *err)
{
	if (out->used == 0)
		return 0;
	if (cr_fs_write_all(out->fd, out->buffer, out->used, err) < 0)
		return cr_error_prefix(err, "%s", out->path);
	if (flushed_sync(out, out->offset, out->used, err) < 0)
		return -1;
	out->offset += out->used;
	out->used = 0;
	return 0;
}

int cr_outfile_put(struct cr_outfile *out, const void *data, size_t size, struct cr_error *err)
{
	const unsigned char *p = data;

	while (size > 0) {
		size_t n = out->room - out->used < size ? out->room - out->used : size;

		memcpy(out->buffer + out->used, p, n);
		out->used += n;
		p += n;
		size -= n;
		if (out->used == out->room && outfile_flush(out, err) < 0)
			return -1;
	}
	return 0;
}

uint64_t cr_outfile_size(const struct cr_outfile *out)
{
	return out->offset + out->used;
}

int cr_outfile_finish(struct cr_outfile *out, struct cr_error *err)
{
	int fd;

	if (outfile_flush(out, err) < 0 || cr_fs_sync(out->fd, out->path, err) < 0)
		return -1;
	fd = out->fd;
	out->fd = -1;
	return close(fd) < 0 ? cr_error_sys(err, errno, "cannot close %s", out->path) : 0;
}
