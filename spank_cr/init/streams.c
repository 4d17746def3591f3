/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "streams.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "content.h"
#include "fs.h"
#include "notice.h"
#include "output_record.h"
#include "private.h"

/* Where descriptor fd of crinit's own, Slurm's stdout or stderr of the job, leads. Returns 1 when it is a file. */
static int stream_path(int fd, char *path, struct stat *st)
{
	char link[32];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, PATH_MAX - 1);
	if (n <= 0 || path[0] != '/' || fstat(fd, st) < 0 || !S_ISREG(st->st_mode) || st->st_nlink == 0)
		return 0;
	path[n] = '\0';
	return !private_has(path);
}

#define NOTICE_TAIL 65536 /* how far from the end slurmstepd's notice is looked for */

/* Send size bytes of in to out, without a notice that slurmstepd wrote in this run of the job. The job appends, so
 * nothing depends on where the rest stands. *size becomes what was sent. */
static int stream_send(const struct job *job, int in, int out, uint64_t *size, struct cr_error *err)
{
	uint64_t from = *size > NOTICE_TAIL ? *size - NOTICE_TAIL : 0;
	cleanup_free char *tail = NULL;
	size_t start, end, length;
	ssize_t n;

	if (from < (uint64_t)job->notice_from)
		from = (uint64_t)job->notice_from;
	if (from >= *size)
		return cr_fs_send(in, 0, *size, out, err);
	length = (size_t)(*size - from);
	tail = malloc(length);
	if (!tail)
		return cr_error_sys(err, ENOMEM, "copying stdout or stderr");
	n = pread(in, tail, length, (off_t)from);
	if (n != (ssize_t)length || !notice_find(tail, length, job->id, &start, &end))
		return cr_fs_send(in, 0, *size, out, err);
	*size -= end - start;
	if (cr_fs_send(in, 0, from + start, out, err) < 0)
		return -1;
	return cr_fs_write_all(out, tail + end, length - end, err);
}

/* stdout and stderr are often one file. */
static bool stream_known(const struct cr_manifest *m, const struct stat *st)
{
	for (size_t i = 0; i < m->n_outputs; i++) {
		if (m->outputs[i].dev == st->st_dev && m->outputs[i].ino == st->st_ino)
			return true;
	}
	return false;
}

/* Copy what stdout or stderr holds into the generation. */
static int stream_save(const struct job *job, int fd, const char *name, struct cr_manifest *m,
		       struct capture *capture, struct cr_error *err)
{
	char path[PATH_MAX], saved[32];
	cleanup_close int in = -1, out = -1;
	struct stat st;
	struct cr_manifest_output output = {.path = path, .saved = saved};

	if (!stream_path(fd, path, &st) || stream_known(m, &st))
		return 0;
	snprintf(saved, sizeof(saved), "files/%s", name);
	in = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (in < 0)
		return cr_error_sys(err, errno, "copying the job's %s %s", name, path);
	out = capture_stream(capture, saved, err);
	if (out < 0)
		return -1;
	output.size = (uint64_t)st.st_size;
	output.dev = st.st_dev;
	output.ino = st.st_ino;
	output.mode = st.st_mode & 07777;
	output.mtime_ns = st.st_mtim.tv_sec < 0 ? 0 : (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	output.uid = st.st_uid;
	output.links = (uint32_t)st.st_nlink;
	if (stream_send(job, in, out, &output.size, err) < 0)
		return cr_error_prefix(err, "copying the job's %s %s", name, path);
	return cr_manifest_add_output(m, &output, err);
}

int streams_record(const struct job *job, struct cr_manifest *m, struct capture *capture, struct cr_error *err)
{
	if (stream_save(job, 1, "stdout", m, capture, err) < 0)
		return -1;
	return stream_save(job, 2, "stderr", m, capture, err);
}

/* ---- restore ---- */

static int stream_of(const struct cr_manifest_output *o)
{
	return strcmp(o->saved, "files/stderr") == 0 ? 2 : 1;
}

int streams_check(const struct cr_manifest *m, struct cr_error *err)
{
	for (size_t i = 0; i < m->n_outputs; i++) {
		const struct cr_manifest_output *o = &m->outputs[i];
		char path[PATH_MAX];
		struct stat st;

		if (o->saved && !output_copied(o) && !stream_path(stream_of(o), path, &st))
			return cr_error_set(err, EINVAL, "%s was the job's %s, which is no file now", o->path,
					    stream_of(o) == 1 ? "stdout" : "stderr");
	}
	return 0;
}

/* All that comes from in. */
static int stream_receive(int in, struct cr_content *c, struct cr_error *err)
{
	static char block[65536];
	ssize_t n;

	for (;;) {
		n = read(in, block, sizeof(block));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? 0 : cr_error_sys(err, errno, "read");
		if (cr_content_put(c, c->at, block, (size_t)n, err) < 0)
			return -1;
	}
}

/* All of the saved content to out, which may hold it already and more (--open-mode=append). What is more goes
 * last: a copy that cannot be read costs nothing of it. */
static int stream_fill(const struct cr_manifest_output *o, struct source *source, int out, struct cr_error *err)
{
	cleanup_close int in = source_stream(source, o->saved, err);
	struct cr_content c;
	int rc;

	if (in < 0)
		return -1;
	rc = cr_content_open(&c, out, err);
	if (rc == 0)
		rc = stream_receive(in, &c, err);
	if (rc == 0)
		rc = source_streamed(source, err);
	if (rc == 0 && c.at != o->size)
		rc = cr_error_set(err, EBADMSG, "%s has %llu bytes, its manifest says %llu", o->saved,
				  (unsigned long long)c.at, (unsigned long long)o->size);
	if (rc == 0)
		rc = cr_content_end(&c, o->size, err);
	cr_content_close(&c);
	return rc;
}

/* Write the saved content to where Slurm has stdout or stderr now. */
static int stream_restore(const struct cr_manifest_output *o, struct source *source,
			  struct outputs_restored *restored, struct cr_error *err)
{
	int fd = stream_of(o);
	cleanup_close int out = -1;
	struct stat now, opened;
	char path[PATH_MAX];
	int fresh;

	if (!stream_path(fd, path, &now))
		return cr_error_set(err, EINVAL, "%s was the job's %s, which is no file now", o->path,
				    fd == 1 ? "stdout" : "stderr");
	out = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (out < 0 || fstat(out, &opened) < 0)
		return cr_error_sys(err, errno, "opening %s", path);
	if (opened.st_dev != now.st_dev || opened.st_ino != now.st_ino)
		return cr_error_set(err, ESTALE, "%s was replaced while the job started", path);
	restored->was[fd - 1] = now.st_size;
	if (stream_fill(o, source, out, err) < 0)
		return cr_error_prefix(err, "writing %s", path);
	/* the same path: criu opens it again itself, with its own position and flags */
	if (strcmp(path, o->path) == 0)
		return 0;
	/* opened in here: criu does not find the mount of the descriptor that Slurm opened */
	fresh = open(path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
	if (fresh < 0)
		return cr_error_sys(err, errno, "opening %s", path);
	return outputs_inherit(restored, fresh, o->path, err);
}

int streams_restore(const struct cr_manifest *m, struct source *source, struct outputs_restored *restored,
		    struct cr_error *err)
{
	for (size_t i = 0; i < m->n_outputs; i++) {
		const struct cr_manifest_output *o = &m->outputs[i];

		if (o->saved && !output_copied(o) && stream_restore(o, source, restored, err) < 0)
			return -1;
	}
	return 0;
}

static int stream_begin(const struct cr_manifest_output *o, struct outputs_restored *restored,
			struct cr_error *err)
{
	char link[32], path[PATH_MAX];
	ssize_t n;
	int fd;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", stream_of(o));
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0 || path[0] != '/')
		return cr_error_set(err, EINVAL, "the job's %s is neither a file nor a device",
				    stream_of(o) == 1 ? "stdout" : "stderr");
	path[n] = '\0';
	/* opened in here: criu does not find the mount of the descriptor that Slurm opened */
	fd = open(path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return cr_error_sys(err, errno, "opening %s", path);
	return outputs_inherit(restored, fd, o->path, err);
}

int streams_begin(const struct cr_manifest *m, struct outputs_restored *restored, struct cr_error *err)
{
	for (size_t i = 0; i < m->n_outputs; i++) {
		const struct cr_manifest_output *o = &m->outputs[i];

		if (o->saved && !output_copied(o) && stream_begin(o, restored, err) < 0)
			return -1;
	}
	return 0;
}

void streams_undo(const struct job *job, const struct outputs_restored *restored)
{
	for (int i = 0; i < 2; i++) {
		struct stat st;

		/* with --open-mode=append it may have been longer: what the job wrote after the checkpoint is gone
		 * either way */
		if (restored->was[i] < 0 || fstat(i + 1, &st) < 0 || st.st_size <= restored->was[i])
			continue;
		if (ftruncate(i + 1, restored->was[i]) < 0)
			job_log(job, 0, "putting the job's %s back: %s", i ? "stderr" : "stdout", strerror(errno));
	}
}
