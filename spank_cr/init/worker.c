/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

void report_send(int fd, enum report_type type, uint32_t generation, int64_t value, uint64_t extra,
		 const char *text)
{
	struct report r;

	memset(&r, 0, sizeof(r));
	r.type = type;
	r.generation = generation;
	r.value = value;
	r.extra = extra;
	if (text)
		snprintf(r.text, sizeof(r.text), "%s", text);
	/* crinit holds the other end for as long as this namespace lives */
	if (send(fd, &r, sizeof(r), MSG_NOSIGNAL) < 0)
		errno = 0;
}

/* fork; the child keeps one end of a socket pair. Returns as fork. */
static pid_t worker_fork(struct worker *w, int *child_fd, struct cr_error *err)
{
	int fds[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return cr_error_sys(err, errno, "socketpair");
	pid = fork();
	if (pid < 0) {
		cr_error_sys(err, errno, "starting a worker");
		close(fds[0]);
		close(fds[1]);
		return -1;
	}
	if (pid == 0) {
		(void)prctl(PR_SET_NAME, "crworker"); /* for ps and top */
		close(fds[0]);
		*child_fd = fds[1];
		return 0;
	}
	close(fds[1]);
	w->pid = pid;
	w->fd = fds[0];
	return pid;
}

void worker_hurry(const struct worker *w)
{
	const char byte = WORKER_HURRY;

	/* a worker that has ended needs no word */
	if (w->pid && send(w->fd, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		errno = 0;
}

int worker_start_dump(struct worker *w, struct job *job, enum dump_mode mode, const struct slurm_state *state,
		      struct cr_error *err)
{
	int fd = -1;
	pid_t pid = worker_fork(w, &fd, err);

	if (pid == 0) {
		dump_work(job, fd, mode, state);
		_exit(0);
	}
	return pid < 0 ? -1 : 0;
}

int worker_start_restore(struct worker *w, struct job *job, struct cr_error *err)
{
	int fd = -1;
	pid_t pid = worker_fork(w, &fd, err);

	if (pid == 0) {
		restore_work(job, fd);
		_exit(0);
	}
	return pid < 0 ? -1 : 0;
}
