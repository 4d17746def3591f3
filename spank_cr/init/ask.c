/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "ask.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "caps.h"
#include "spawn.h"

#define ARGS_MAX 16
#define PAUSE_MS 10   /* until somebody else has taken an answer */
#define GRACE_MS 1000 /* between the command's time limit and that of who waits for it */

/* One packet each way. More than one process may wait for its answer, and know it by the id; one may be killed
 * while it waits, and its answer is dropped by whoever finds it. */
struct request {
	int32_t pid;	    /* who asks, as crinit numbers it */
	int64_t id;	    /* CLOCK_MONOTONIC in nanoseconds, when it was asked */
	int64_t timeout_ms; /* from then on */
	uint32_t size;	    /* of args: strings with their ends */
	char args[4096];
};

struct reply {
	int64_t id, timeout_ms; /* of the request */
	int32_t pid;
	int32_t errnum; /* 0: text is the output; otherwise what went wrong */
	char text[65536];
};

static int request_fill(struct request *request, const char *const *argv, int timeout_ms, struct cr_error *err)
{
	memset(request, 0, sizeof(*request));
	request->pid = (int32_t)getpid();
	request->id = cr_time_clock_ns(CLOCK_MONOTONIC);
	request->timeout_ms = timeout_ms;
	for (int i = 0; argv[i]; i++) {
		size_t n = strlen(argv[i]) + 1;

		if (i == ARGS_MAX || n > sizeof(request->args) - request->size)
			return cr_error_set(err, E2BIG, "%s: too many arguments", argv[0]);
		memcpy(request->args + request->size, argv[i], n);
		request->size += (uint32_t)n;
	}
	return 0;
}

/* Never longer than its own time: the process at the other end may be stopped by its user. */
static int request_send(int fd, const struct request *request, struct cr_error *err)
{
	int64_t end = request->id / 1000000 + request->timeout_ms;

	while (send(fd, request, sizeof(*request), MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)sizeof(*request)) {
		struct pollfd p = {.fd = fd, .events = POLLOUT};
		int64_t left = end - cr_time_clock_ns(CLOCK_MONOTONIC) / 1000000;

		if (errno != EAGAIN && errno != EINTR)
			return cr_error_sys(err, errno, "asking Slurm");
		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			return cr_error_set(err, ETIMEDOUT, "the process that asks Slurm takes no request");
	}
	return 0;
}

/* Does somebody else wait for it? */
static bool reply_wanted(const struct reply *head)
{
	int64_t age_ms = (cr_time_clock_ns(CLOCK_MONOTONIC) - head->id) / 1000000;

	return head->pid != (int32_t)getpid() && age_ms < head->timeout_ms + GRACE_MS && kill(head->pid, 0) == 0;
}

/* Wait for the answer to id. Returns 0 with it, -1 when there is none. */
static int reply_receive(int fd, int64_t id, int timeout_ms, struct reply *reply, struct cr_error *err)
{
	int64_t end = id / 1000000 + timeout_ms + GRACE_MS;

	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int64_t left = end - cr_time_clock_ns(CLOCK_MONOTONIC) / 1000000;
		ssize_t n;

		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			return cr_error_set(err, ETIMEDOUT, "no answer from the node's network within %d ms",
					    timeout_ms + GRACE_MS);
		n = recv(fd, reply, sizeof(*reply), MSG_DONTWAIT | MSG_PEEK);
		if (n > (ssize_t)offsetof(struct reply, text) && reply->id != id && reply_wanted(reply)) {
			poll(NULL, 0, PAUSE_MS);
			continue;
		}
		n = recv(fd, reply, sizeof(*reply), MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= (ssize_t)offsetof(struct reply, text))
			return cr_error_set(err, EPIPE, "the process that asks Slurm is gone");
		if (reply->id != id)
			continue; /* for one that was ended before it read it */
		((char *)reply)[n - 1] = '\0';
		return 0;
	}
}

int ask_capture(const struct job *job, const char *const *argv, int timeout_ms, char *buf, size_t size,
		struct cr_error *err)
{
	static struct reply reply;
	struct request request;

	if (job->ask < 0)
		return spawn_capture(argv, spawn_environment(), job->cgroup, -1, timeout_ms, buf, size, err);
	buf[0] = '\0';
	if (request_fill(&request, argv, timeout_ms, err) < 0)
		return -1;
	if (request_send(job->ask, &request, err) < 0 ||
	    reply_receive(job->ask, request.id, timeout_ms, &reply, err) < 0)
		return -1;
	if (reply.errnum)
		return cr_error_set(err, reply.errnum, "%s", reply.text);
	snprintf(buf, size, "%s", reply.text);
	return 0;
}

/* ---- crinit ask ---- */

static int request_check(struct request *request, const char *argv[ARGS_MAX + 1], struct cr_error *err)
{
	int argc = 0;

	if (request->size == 0 || request->size > sizeof(request->args) || request->args[request->size - 1])
		return cr_error_set(err, EPROTO, "a torn request");
	for (uint32_t at = 0; at < request->size; at += (uint32_t)strlen(request->args + at) + 1) {
		if (argc == ARGS_MAX)
			return cr_error_set(err, E2BIG, "too many arguments");
		argv[argc++] = request->args + at;
	}
	argv[argc] = NULL;
	if (strncmp(argv[0], CR_SLURM_BINDIR "/", sizeof(CR_SLURM_BINDIR)) != 0)
		return cr_error_set(err, EPERM, "%s: not a command of Slurm's", argv[0]);
	return 0;
}

static void request_serve(const struct job *job, struct request *request)
{
	static struct reply reply;
	const char *argv[ARGS_MAX + 1];
	struct cr_error err = {0};
	int64_t left = request->timeout_ms - (cr_time_clock_ns(CLOCK_MONOTONIC) - request->id) / 1000000;

	memset(&reply, 0, sizeof(reply));
	reply.id = request->id;
	reply.timeout_ms = request->timeout_ms;
	reply.pid = request->pid;
	if (left <= 0)
		return; /* whoever asked has given up */
	if (request_check(request, argv, &err) < 0 || spawn_capture(argv, spawn_environment(), -1, -1, (int)left,
								    reply.text, sizeof(reply.text), &err) < 0) {
		reply.errnum = err.errnum ? err.errnum : EIO;
		snprintf(reply.text, sizeof(reply.text), "%s", err.text);
	}
	/* who does not read it has ended */
	(void)send(job->ask, &reply, offsetof(struct reply, text) + strlen(reply.text) + 1,
		   MSG_NOSIGNAL | MSG_DONTWAIT);
}

int ask_main(const struct job *job)
{
	static struct request request;
	struct cr_error err;
	ssize_t n;

	/* it is within the job's reach: nobody of this user's may trace it */
	if (cr_caps_shield(&err) < 0)
		return 1;
	(void)prctl(PR_SET_NAME, "crask"); /* for ps and top */
	while ((n = recv(job->ask, &request, sizeof(request), 0)) != 0) {
		if (n == (ssize_t)sizeof(request))
			request_serve(job, &request);
		else if (n < 0 && errno != EINTR)
			return 1;
	}
	return 0;
}
