/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "script.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
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

int script_check(const struct job *job, const struct cr_manifest *m, struct source *source, struct cr_error *err)
{
	cleanup_free char *was = NULL, *is = NULL;
	size_t was_size, is_size;
	cleanup_close int in = -1;

	if (m->script_pos == 0)
		return 0;
	in = source_stream(source, SCRIPT_STREAM, err);
	if (in < 0 || cr_fs_read_fd(in, SCRIPT_STREAM, SCRIPT_MAX, &was, &was_size, err) < 0 ||
	    source_streamed(source, err) < 0 || cr_fs_read(job->script, SCRIPT_MAX, &is, &is_size, err) < 0)
		return -1;
	if (was_size == is_size && memcmp(was, is, is_size) == 0)
		return 0;
	return cr_error_set(
		err, EINVAL,
		"its shell would read on in a batch script that is not the same: submit that of job %u "
		"(scontrol write batch_script %u), with what is to differ on sbatch's command line",
		job->from, job->from);
}
