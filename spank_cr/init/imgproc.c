/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "imgproc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "caps.h"
#include "cleanup.h"
#include "memory.h"
#include "proc.h"
#include "spawn.h"

#define SOCKET_FD  3
#define LOOK_MS	   1000
#define REAP_MS	   2000
#define REAP_NS	   2000000
#define REAP_TRIES 1000

/* The socket and what is to be kept, nothing else: not the notary, not the log. */
static int fds_close(int *fd, int keep, struct cr_error *err)
{
	unsigned first = keep >= 0 ? IMGPROC_KEPT + 1 : SOCKET_FD + 1;
	int kept = keep >= 0 ? fcntl(keep, F_DUPFD_CLOEXEC, IMGPROC_KEPT + 1) : -1;
	int socket = fcntl(*fd, F_DUPFD_CLOEXEC, IMGPROC_KEPT + 1);

	/* neither is in the other's place */
	if (socket < 0 || (keep >= 0 && kept < 0))
		return cr_error_sys(err, errno, "fcntl");
	if (dup3(socket, SOCKET_FD, O_CLOEXEC) < 0 || (kept >= 0 && dup3(kept, IMGPROC_KEPT, O_CLOEXEC) < 0))
		return cr_error_sys(err, errno, "dup3");
	if (syscall(SYS_close_range, first, ~0U, 0) < 0)
		return cr_error_sys(err, errno, "close_range");
	*fd = SOCKET_FD;
	return 0;
}

/* Should memory run out, this process goes and the job stays. Its entry in /proc is root's while it cannot be
 * traced. For the moment in which it could, it has capabilities, which those who might have not. */
static int oom_first(struct cr_error *err)
{
	if (prctl(PR_SET_DUMPABLE, 1) < 0)
		return cr_error_sys(err, errno, "prctl");
	return cr_memory_oom_first(err);
}

static _Noreturn void child_run(int fd, int keep, void (*run)(int fd, void *arg), void *arg)
{
	struct cr_error err;

	signal(SIGPIPE, SIG_IGN);
	if (oom_first(&err) < 0 || cr_caps_shield(&err) < 0 || cr_caps_drop(&err) < 0 ||
	    fds_close(&fd, keep, &err) < 0) {
		imgproc_fail(fd, &err);
		_exit(1);
	}
	run(fd, arg);
	_exit(0);
}

int imgproc_start(struct imgproc *p, int keep, void (*run)(int fd, void *arg), void *arg, struct cr_error *err)
{
	int fds[2];
	pid_t pid;

	*p = (struct imgproc){.fd = -1};
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return cr_error_sys(err, errno, "socketpair");
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		child_run(fds[1], keep, run, arg);
	}
	close(fds[1]);
	if (pid < 0) {
		int errnum = errno;

		close(fds[0]);
		return cr_error_sys(err, errnum, "starting the image process");
	}
	p->pid = pid;
	p->fd = fds[0];
	return 0;
}

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

int imgproc_send(int fd, const struct imgproc_message *m, int pass, struct cr_error *err)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)m, .iov_len = sizeof(*m)};
	union control control = {0};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};

	if (pass >= 0) {
		struct cmsghdr *c;

		h.msg_control = control.bytes;
		h.msg_controllen = sizeof(control.bytes);
		c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &pass, sizeof(pass));
	}
	if (sendmsg(fd, &h, MSG_NOSIGNAL) != (ssize_t)sizeof(*m))
		return cr_error_sys(err, errno, "image process");
	return 0;
}

int imgproc_receive(int fd, struct imgproc_message *m, int *pass, int timeout_ms, struct cr_error *err)
{
	struct iovec iov = {.iov_base = m, .iov_len = sizeof(*m)};
	union control control = {0};
	struct msghdr h = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control.bytes,
			   .msg_controllen = sizeof(control.bytes)};
	struct pollfd p = {.fd = fd, .events = POLLIN};
	const struct cmsghdr *c;
	int got = -1, rc;
	ssize_t n;

	if (pass)
		*pass = -1;
	do
		rc = poll(&p, 1, timeout_ms);
	while (rc < 0 && errno == EINTR);
	if (rc <= 0)
		return rc == 0 ? 0 : cr_error_sys(err, errno, "poll");
	n = recvmsg(fd, &h, MSG_CMSG_CLOEXEC);
	c = n > 0 ? CMSG_FIRSTHDR(&h) : NULL;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&got, CMSG_DATA(c), sizeof(got));
	if (pass)
		*pass = got;
	else if (got >= 0)
		close(got);
	if (n != (ssize_t)sizeof(*m))
		return cr_error_set(err, EPIPE, "the image process ended without a word");
	m->text[sizeof(m->text) - 1] = '\0';
	return 1;
}

static const char *name_of(const struct imgproc *p)
{
	return p->what ? p->what : "the image process";
}

int imgproc_untraced(const struct imgproc *p, struct cr_error *err)
{
	cleanup_closedir DIR *tasks = NULL;
	struct dirent *e;
	uint64_t tracer = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task", (int)p->pid);
	tasks = opendir(path);
	if (!tasks)
		return cr_error_sys(err, errno, "%s", path);
	while ((e = readdir(tasks))) {
		if (e->d_name[0] != '.' && cr_proc_status(p->pid, e->d_name, "TracerPid", 10, &tracer) &&
		    tracer > 0)
			return cr_error_set(err, EPERM, "somebody traces the image process");
	}
	return 0;
}

/* What a FAILED says. Returns -1. */
static int failed(const struct imgproc_message *m, struct cr_error *err)
{
	return cr_error_set(err, m->value[0] ? (int)m->value[0] : EIO, "%s", m->text);
}

int imgproc_want(const struct imgproc_message *m, enum imgproc_type type, struct cr_error *err)
{
	if (m->type == type)
		return 0;
	if (m->type == IMGPROC_FAILED)
		return failed(m, err);
	return cr_error_set(err, EPROTO, "the image process said %u instead of %d", m->type, (int)type);
}

int imgproc_next(const struct imgproc *p, struct imgproc_message *m, int *pass, int timeout_ms,
		 struct cr_error *err)
{
	int rc;

	while ((rc = imgproc_receive(p->fd, m, pass, timeout_ms, err)) == 1 && m->type == IMGPROC_REMARK)
		if (p->job)
			job_log(p->job, 1, "%s", m->text);
	return rc;
}

int imgproc_expect(struct imgproc *p, enum imgproc_type type, struct imgproc_message *m, struct cr_error *err)
{
	int rc;

	while ((rc = imgproc_next(p, m, NULL, LOOK_MS, err)) == 0) {
		/* one thread that hangs in the storage keeps the socket open after the others have gone */
		if (cr_proc_gone(p->pid) && imgproc_next(p, m, NULL, 0, err) == 0)
			return cr_error_set(err, EPIPE, "%s ended without a word", name_of(p));
	}
	return rc < 0 ? -1 : imgproc_want(m, type, err);
}

/* It has closed its end: was that not its own will? */
static bool was_killed(pid_t pid)
{
	for (int i = 0; i < REAP_TRIES; i++) {
		siginfo_t info = {0};

		if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
			return false;
		if (info.si_pid == pid)
			return info.si_code == CLD_KILLED;
		nanosleep(&(const struct timespec){.tv_nsec = REAP_NS}, NULL);
	}
	return false;
}

int imgproc_failure(struct imgproc *p, int wait_ms, struct cr_error *err)
{
	struct imgproc_message m;
	int rc = 0;

	while (p->pid && (rc = imgproc_next(p, &m, NULL, wait_ms, NULL)) == 1) {
		if (m.type != IMGPROC_FAILED)
			continue;
		(void)failed(&m, err);
		return 1;
	}
	if (!p->pid || rc == 0 || !was_killed(p->pid))
		return 0;
	/* criu only saw a broken pipe */
	cr_error_set(err, ENOMEM, "%s was killed: has the job enough memory (--mem) for itself and a checkpoint?",
		     name_of(p));
	return 1;
}

void imgproc_end(struct imgproc *p)
{
	if (!p->pid)
		return;
	close(p->fd);
	kill(p->pid, SIGKILL);
	/* one that hangs in the storage cannot die; it is crinit's to reap then */
	(void)spawn_ended(p->pid, REAP_MS);
	*p = (struct imgproc){.fd = -1};
}

int imgproc_criu(const struct imgproc *p, pid_t pid, struct cr_error *err)
{
	const struct imgproc_message m = {.type = IMGPROC_CRIU, .value = {(uint64_t)pid}};

	return imgproc_send(p->fd, &m, -1, err);
}

int imgproc_stream(const struct imgproc *p, const char *name, int ours, struct cr_error *err)
{
	struct imgproc_message m = {.type = IMGPROC_STREAM};
	int fds[2], rc;

	snprintf(m.text, sizeof(m.text), "%s", name);
	if (pipe2(fds, O_CLOEXEC) < 0)
		return cr_error_sys(err, errno, "pipe");
	rc = imgproc_send(p->fd, &m, fds[1 - ours], err);
	close(fds[1 - ours]);
	if (rc == 0)
		return fds[ours];
	close(fds[ours]);
	return -1;
}

/* ---- for the process itself ---- */

void imgproc_fail(int fd, const struct cr_error *err)
{
	struct imgproc_message m = {.type = IMGPROC_FAILED, .value = {(uint64_t)err->errnum}};

	snprintf(m.text, sizeof(m.text), "%s", err->text);
	(void)imgproc_send(fd, &m, -1, NULL);
}

void imgproc_remark(int fd, const char *text)
{
	struct imgproc_message m = {.type = IMGPROC_REMARK};

	snprintf(m.text, sizeof(m.text), "%s", text);
	(void)send(fd, &m, sizeof(m), MSG_NOSIGNAL | MSG_DONTWAIT);
}

int imgproc_accept(int *listening, pid_t criu, int *fd, struct cr_error *err)
{
	socklen_t length = sizeof(struct ucred);
	struct ucred peer;

	*fd = accept4(*listening, NULL, NULL, SOCK_CLOEXEC);
	if (*fd < 0)
		return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED
			       ? 0
			       : cr_error_sys(err, errno, "criu's connection");
	/* the job's own processes can reach the socket */
	if (getsockopt(*fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0 || peer.pid != criu) {
		close(*fd);
		*fd = -1;
		return 0;
	}
	close(*listening);
	*listening = -1;
	return 0;
}

int imgproc_room(void **array, size_t element, struct pollfd **polls, size_t own, size_t n, size_t *room,
		 struct cr_error *err)
{
	size_t more = *room ? 2 * *room : 16;
	struct pollfd *p;
	void *a;

	if (n < *room)
		return 0;
	a = reallocarray(*array, more, element);
	if (a)
		*array = a;
	p = a ? reallocarray(*polls, more + own, sizeof(*p)) : NULL;
	if (!p)
		return cr_error_sys(err, ENOMEM, "image process");
	*polls = p;
	*room = more;
	return 0;
}
