/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "output_record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundle.h"
#include "cleanup.h"
#include "output_set.h"
#include "private.h"
#include "proc.h"
#include "tree.h"

struct collect {
	struct cr_manifest *m;
	struct output_set set;
	struct cr_error *err;
};

bool output_copied(const struct cr_manifest_output *o)
{
	return o->saved && strcmp(o->saved, OUTPUT_STREAM) == 0;
}

static int collect_one(const struct cr_proc_file *file, void *arg)
{
	struct collect *c = arg;
	struct cr_manifest_output output = {.path = (char *)(uintptr_t)file->path,
					    .size = file->size,
					    .dev = file->dev,
					    .ino = file->ino,
					    .mode = file->mode,
					    .mtime_ns = file->mtime_ns,
					    .offset = file->offset > INT64_MAX ? 0 : file->offset,
					    .flags = file->flags,
					    .mapped = file->mapped,
					    .uid = file->uid,
					    .links = file->links,
					    .lease_pid = file->leased ? file->pid : 0,
					    .lease_fd = file->fd};
	size_t known;

	if (private_has(file->path))
		return 0;
	known = output_set_find(&c->set, c->m, file->dev, file->ino, NULL);
	if (known != OUTPUT_NONE && c->m->outputs[known].saved)
		return 0;
	known = output_set_find(&c->set, c->m, file->dev, file->ino, file->path);
	if (known == OUTPUT_NONE)
		return cr_manifest_add_output(c->m, &output, c->err) < 0
			       ? -1
			       : output_set_update(&c->set, c->m, c->err);
	if (file->mapped)
		c->m->outputs[known].mapped = 1;
	if (file->leased) {
		c->m->outputs[known].lease_pid = file->pid;
		c->m->outputs[known].lease_fd = file->fd;
	}
	return 0;
}

int output_collect(struct cr_manifest *m, const pid_t *pids, size_t n, struct cr_error *err)
{
	struct collect c = {.m = m, .err = err};
	int rc = output_set_update(&c.set, m, err);

	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = cr_proc_written(pids[i], collect_one, &c, err);
	output_set_clear(&c.set);
	return rc;
}

/* ---- the copies ---- */

/* Bytes of data in a file of size bytes. */
static uint64_t data_sum(int fd, uint64_t size)
{
	uint64_t from = 0, length, sum = 0;

	for (; cr_tree_extent(fd, size, &from, &length); from += length)
		sum += length;
	return sum;
}

static int data_copy(struct bundle_writer *w, uint32_t number, int fd, uint64_t size, struct cr_error *err)
{
	uint64_t from = 0, length;

	for (; cr_tree_extent(fd, size, &from, &length); from += length) {
		if (bundle_add(w, number, fd, from, length, err) < 0)
			return -1;
	}
	return 0;
}

int output_lease_open(const struct cr_manifest_output *o)
{
	return cr_proc_descriptor((pid_t)o->lease_pid, (int)o->lease_fd);
}

/* To read it; -1 when its descriptor is for writing alone. */
static int leased_open(const struct cr_manifest_output *o)
{
	int fd = output_lease_open(o);

	if (fd < 0 || (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR)
		return fd;
	close(fd);
	return -1;
}

/* Returns 1 when the file was copied, 0 when it cannot be or is not to be. */
static int file_copy(struct bundle_writer *w, const struct cr_manifest_output *o, size_t number, uint64_t limit,
		     struct cr_error *err)
{
	cleanup_close int fd =
		o->lease_pid ? leased_open(o) : open(o->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	int rc;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_dev != o->dev || st.st_ino != o->ino)
		return 0;
	if (o->size > limit && (o->lease_pid || data_sum(fd, o->size) > limit))
		return 0;
	/* looking for holes would move the job's descriptor */
	rc = o->lease_pid ? bundle_add(w, (uint32_t)number, fd, 0, o->size, err)
			  : data_copy(w, (uint32_t)number, fd, o->size, err);
	return rc < 0 ? cr_error_prefix(err, "copying %s", o->path) : 1;
}

static int files_copy(struct cr_manifest *m, uint64_t limit, const struct output_set *set, struct bundle_writer *w,
		      struct cr_error *err)
{
	for (size_t i = 0; i < m->n_outputs; i++) {
		struct cr_manifest_output *o = &m->outputs[i];
		int rc;

		/* stdout and stderr; another name of the same file */
		if (o->saved || output_set_find(set, m, o->dev, o->ino, NULL) != i)
			continue;
		rc = file_copy(w, o, i, limit, err);
		if (rc < 0)
			return -1;
		if (rc == 0)
			continue;
		o->saved = strdup(OUTPUT_STREAM);
		if (!o->saved)
			return cr_error_sys(err, ENOMEM, "copying %s", o->path);
	}
	return bundle_writer_end(w, err);
}

int output_copy(struct cr_manifest *m, uint64_t limit, int fd, struct cr_error *err)
{
	struct output_set set = {0};
	struct bundle_writer w;
	int rc = output_set_update(&set, m, err);

	if (rc == 0)
		rc = bundle_writer_open(&w, fd, err);
	if (rc == 0) {
		rc = files_copy(m, limit, &set, &w, err);
		bundle_writer_close(&w);
	}
	output_set_clear(&set);
	return rc;
}
