/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "script.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"
#include "proc.h"

#define SCRIPT_MAX (64u << 20) /* Slurm's own limit is 4 MB by default */

int script_record(const struct job *job, struct cr_manifest *m, struct capture *capture, struct cr_error *err)
{
	int rc = cr_proc_position(job->root, job->script, &m->script_pos, err);
	cleanup_close int in = -1, out = -1;
	struct stat st;

	/* what has not been read yet is no script to read on in */
	if (rc <= 0 || m->script_pos == 0)
		return rc < 0 ? -1 : 0;
	in = open(job->script, O_RDONLY | O_CLOEXEC);
	if (in < 0 || fstat(in, &st) < 0)
		return cr_error_sys(err, errno, "the batch script %s", job->script);
	out = capture_stream(capture, SCRIPT_STREAM, err);
	return out < 0 ? -1 : cr_fs_send(in, 0, (uint64_t)st.st_size, out, err);
}

/* In place: the shell's descriptor, and criu, want this very file. It is the user's. */
static int script_write(const char *path, const char *text, size_t size, struct cr_error *err)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return cr_error_sys(err, errno, "opening the batch script %s", path);
	if (cr_fs_write_all(fd, text, size, err) < 0)
		return cr_error_prefix(err, "%s", path);
	return ftruncate(fd, (off_t)size) < 0 ? cr_error_sys(err, errno, "%s", path) : 0;
}

int script_restore(const struct job *job, const struct cr_manifest *m, struct source *source, struct cr_error *err)
{
	cleanup_free char *then = NULL, *now = NULL;
	cleanup_close int in = -1;
	struct cr_error unread;
	size_t was, is;

	if (m->format < 3 || m->script_pos == 0)
		return 0;
	in = source_stream(source, SCRIPT_STREAM, err);
	if (in < 0 || cr_fs_read_fd(in, SCRIPT_STREAM, SCRIPT_MAX, &then, &was, err) < 0 ||
	    source_streamed(source, err) < 0)
		return -1;
	if (cr_fs_read(job->script, SCRIPT_MAX, &now, &is, &unread) == 0 && is == was &&
	    memcmp(then, now, was) == 0)
		return 0;
	if (job->from_now)
		return cr_error_set(
			err, EINVAL,
			"its shell would read on in a batch script that is not the same: submit that of "
			"job %u (scontrol write batch_script %u), with what is to differ on sbatch's "
			"command line",
			job->from, job->from);
	job_log(job, 0,
		"the batch script is not the one that the job was started with: it goes on with the old one");
	return script_write(job->script, then, was, err);
}
