/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* outputs.c - the order in which the job's files are recorded and put back
 *
 *   record    streams.c        stdout and stderr with their content
 *             output_record.c  what else is open for writing or mapped, and its content
 *             directories.c    where all that is
 *   restore   look at all of it; then directories, streams, files; descriptors for what is elsewhere now
 */

#include "outputs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "directories.h"
#include "output_record.h"
#include "output_restore.h"
#include "proc.h"
#include "script.h"
#include "streams.h"

/* ---- record ---- */

static int content_record(const struct job *job, struct cr_manifest *m, struct capture *capture,
			  struct cr_error *err)
{
	cleanup_close int out = -1;

	if (job->files != CR_FILES_COPY)
		return 0;
	out = capture_stream(capture, OUTPUT_STREAM, err);
	return out < 0 ? -1 : output_copy(m, job->file_limit, out, err);
}

static int directories_save(const struct cr_manifest *m, const pid_t *pids, size_t n, struct capture *capture,
			    struct cr_error *err)
{
	struct directories d;
	cleanup_close int out = -1;
	int rc = directories_record(&d, m, pids, n, err);

	if (rc == 0) {
		out = capture_stream(capture, DIRECTORIES_STREAM, err);
		rc = out < 0 ? -1 : directories_write(&d, out, err);
	}
	directories_clear(&d);
	return rc;
}

int outputs_record(const struct job *job, struct cr_manifest *m, struct capture *capture, struct cr_error *err)
{
	cleanup_free pid_t *pids = NULL;
	size_t n;

	if (streams_record(job, m, capture, err) < 0 || cr_proc_tree(job->root, &pids, &n, err) < 0)
		return -1;
	m->tasks = (uint32_t)n;
	if (script_record(job, m, capture, err) < 0 || output_collect(m, pids, n, err) < 0 ||
	    content_record(job, m, capture, err) < 0)
		return -1;
	return directories_save(m, pids, n, capture, err);
}

/* Returns 1, 0 when what becomes of the file shows at the restore, or -1. */
static int sync_open(const struct cr_manifest_output *o, int *fd, struct cr_error *err)
{
	struct stat st;

	*fd = o->lease_pid ? output_lease_open(o) : open(o->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	/* its owner has closed it, or ended; removed or replaced since, or write-only; a lease since then */
	if (*fd < 0 && (o->lease_pid || errno == ENOENT || errno == EACCES || errno == ELOOP || errno == ENOTDIR ||
			errno == EAGAIN))
		return 0;
	if (*fd < 0)
		return cr_error_sys(err, errno, "syncing %s", o->path);
	/* a log that was rotated: another file, and not the one that was recorded */
	return fstat(*fd, &st) == 0 && st.st_dev == o->dev && st.st_ino == o->ino;
}

int outputs_sync(const struct cr_manifest *m, struct cr_error *err)
{
	for (size_t i = 0; i < m->n_outputs; i++) {
		const struct cr_manifest_output *o = &m->outputs[i];
		cleanup_close int fd = -1;
		/* of what is copied the copy counts */
		int rc = o->saved ? 0 : sync_open(o, &fd, err);

		if (rc < 0)
			return -1;
		if (rc > 0 && fsync(fd) < 0 && errno != EINVAL && errno != EROFS)
			return cr_error_sys(err, errno, "syncing %s", o->path);
	}
	return 0;
}

/* ---- restore ---- */

int outputs_inherit(struct outputs_restored *restored, int fd, const char *path, struct cr_error *err)
{
	if (restored->n == OUTPUTS_INHERIT) {
		close(fd);
		return cr_error_set(err, ENOSPC, "no room for a descriptor of %s", path);
	}
	restored->inherit[restored->n].fd = fd;
	restored->inherit[restored->n].path = path;
	restored->n++;
	return 0;
}

/* bash reads its script as it goes; Slurm writes it anew at each start, perhaps under another path. */
static int script_inherit(const struct job *job, const struct cr_manifest *m, struct outputs_restored *restored,
			  struct cr_error *err)
{
	int fd;

	if (!m->script || !*job->script || strcmp(m->script, job->script) == 0)
		return 0;
	fd = open(job->script, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return cr_error_sys(err, errno, "opening the batch script %s", job->script);
	if (lseek(fd, (off_t)m->script_pos, SEEK_SET) < 0) {
		close(fd);
		return cr_error_sys(err, errno, "%s", job->script);
	}
	return outputs_inherit(restored, fd, m->script, err);
}

/* Before format 3 there was no such stream. */
static int directories_load(const struct cr_manifest *m, struct source *source, struct directories *d,
			    struct cr_error *err)
{
	cleanup_close int in = -1;

	*d = (struct directories){0};
	if (m->format < 3)
		return 0;
	in = source_stream(source, DIRECTORIES_STREAM, err);
	if (in < 0 || directories_read(d, in, err) < 0)
		return -1;
	return source_streamed(source, err);
}

static bool has_copies(const struct job *job, const struct cr_manifest *m)
{
	for (size_t i = 0; job->files == CR_FILES_COPY && i < m->n_outputs; i++) {
		if (output_copied(&m->outputs[i]))
			return true;
	}
	return false;
}

static int files_change(struct output_restore *files, struct source *source, struct cr_error *err)
{
	cleanup_close int in = -1;

	if (!has_copies(files->job, files->m))
		return output_change(files, -1, err);
	in = source_stream(source, OUTPUT_STREAM, err);
	if (in < 0 || output_change(files, in, err) < 0)
		return -1;
	return source_streamed(source, err);
}

int outputs_open(struct outputs *outputs, const struct job *job, const struct cr_manifest *m,
		 struct source *source, struct cr_error *err)
{
	*outputs = (struct outputs){0};
	if (directories_load(m, source, &outputs->directories, err) < 0)
		return -1;
	return output_restore_open(&outputs->files, job, m, &outputs->directories, err);
}

int outputs_check(struct outputs *outputs, bool rolled, struct cr_error *err)
{
	struct output_restore *files = &outputs->files;

	files->rolled = rolled;
	if (files->job->files == CR_FILES_COPY &&
	    directories_check(&outputs->directories, rolled ? NULL : files->m, err) < 0)
		return -1;
	return output_check(files, err) < 0 || (!files->job->from_now && streams_check(files->m, err) < 0) ? -1
													   : 0;
}

/* What another job has printed is in its own files; this one's begin with what comes now. */
static int streams_put(const struct output_restore *files, struct source *source,
		       struct outputs_restored *restored, struct cr_error *err)
{
	return files->job->from_now ? streams_begin(files->m, restored, err)
				    : streams_restore(files->m, source, restored, err);
}

int outputs_restore(struct outputs *outputs, struct source *source, struct outputs_restored *restored,
		    struct cr_error *err)
{
	struct output_restore *files = &outputs->files;
	struct directories *d = &outputs->directories;
	bool copy = files->job->files == CR_FILES_COPY;

	restored->n = 0;
	restored->was[0] = restored->was[1] = -1;
	/* a new job's may be another one: before anything is changed */
	if (files->job->from_now && script_restore(files->job, files->m, source, err) < 0)
		return -1;
	if ((copy && directories_make(d, err) < 0) || streams_put(files, source, restored, err) < 0 ||
	    files_change(files, source, err) < 0 || (copy && directories_finish(d, err) < 0))
		return -1;
	/* what it says of an old one's is in the stderr that the job goes on with */
	if (!files->job->from_now && script_restore(files->job, files->m, source, err) < 0)
		return -1;
	return script_inherit(files->job, files->m, restored, err);
}

void outputs_close(struct outputs *outputs)
{
	output_restore_close(&outputs->files);
	directories_clear(&outputs->directories);
}

void outputs_undo(const struct job *job, const struct outputs_restored *restored)
{
	streams_undo(job, restored);
}

void outputs_release(struct outputs_restored *restored)
{
	for (int i = 0; i < restored->n; i++)
		close(restored->inherit[i].fd);
	restored->n = 0;
}
