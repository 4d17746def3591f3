/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* fence_watch.c - find out that Slurm has started the job again elsewhere, also between checkpoints
 *
 * A child reads the journal now and then: it may have to wait for storage, crinit never does.
 */

#include "loop_state.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "caps.h"
#include "fence.h"
#include "fs.h"

#define SECOND_NS INT64_C(1000000000)

static void child_look(const struct job *job, int fd)
{
	struct cr_error err;

	(void)prctl(PR_SET_NAME, "crfence"); /* for ps and top */
	/* a restore takes what has any for a forgery (tasks.h) */
	if (cr_caps_drop(&err) < 0)
		_exit(1);
	if (fence_check(job, &err) < 0 && err.errnum == FENCE_LOST)
		(void)cr_fs_write_all(fd, err.text, sizeof(err.text), NULL);
	_exit(0);
}

static void child_start(struct fence *f, const struct job *job)
{
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return;
	pid = fork();
	if (pid == 0)
		child_look(job, fds[1]);
	close(fds[1]);
	/* its text fits into the pipe of a user with many of them, too */
	if (pid < 0 || fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0)
		close(fds[0]);
	else
		f->fd = fds[0];
}

void fence_lost(struct loop *l, const char *text)
{
	/* not an error: that would go to the job's stderr, and that file is the newer start's */
	job_log(l->job, 1, "%s, and what is left of it here is ended", text);
	ending_set(l, SIGKILL);
	/* all that is in this namespace, at once: storage may keep what comes after this */
	if (kill(-1, SIGKILL) < 0 && errno != ESRCH)
		job_log(l->job, 1, "ending the job's processes failed");
}

void fence_serve(struct loop *l)
{
	struct fence *f = &l->fence;
	int64_t now = cr_time_clock_ns(CLOCK_MONOTONIC), every = l->job->fence * SECOND_NS;
	struct cr_error found;
	ssize_t n;

	if (l->over || every == 0)
		return;
	if (f->fd <= 0) {
		if (f->next_ns == 0)
			f->next_ns = now + every;
		if (now < f->next_ns)
			return;
		f->next_ns = now + every;
		child_start(f, l->job);
		return;
	}
	n = read(f->fd, found.text, sizeof(found.text));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return; /* one that hangs is not joined by another */
	close(f->fd);
	f->fd = 0;
	if (n != (ssize_t)sizeof(found.text))
		return;
	found.text[sizeof(found.text) - 1] = '\0';
	fence_lost(l, found.text);
}
