/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* crew.c - do the same to many, some of them at a time, each in a process of its own */

#include "crew.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ANSWER_MAX = 1 << 20 };

struct member {
	pid_t pid; /* 0: none */
	int fd;
	size_t i;
	char *text;
	size_t size;
};

static void member_work(const struct crew *crew, size_t i, int fd, pid_t parent)
{
	json_t *answer;

	/* who does it must not go on alone when the command is interrupted */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(1);
	answer = crew->work(i, crew->arg);
	_exit(answer && json_dumpfd(answer, fd, JSON_COMPACT) == 0 ? 0 : 1);
}

static int member_start(const struct crew *crew, size_t i, struct member *m, struct cr_error *err)
{
	pid_t parent = getpid();
	int pair[2];

	if (pipe2(pair, O_CLOEXEC) < 0)
		return cr_error_sys(err, errno, "pipe");
	m->pid = fork();
	if (m->pid < 0) {
		cr_error_sys(err, errno, "fork");
		close(pair[0]);
		close(pair[1]);
		m->pid = 0;
		return -1;
	}
	if (m->pid == 0)
		member_work(crew, i, pair[1], parent);
	close(pair[1]);
	m->fd = pair[0];
	m->i = i;
	m->text = NULL;
	m->size = 0;
	return 0;
}

static void member_end(const struct crew *crew, struct member *m)
{
	json_t *answer = m->text ? json_loadb(m->text, m->size, 0, NULL) : NULL;

	close(m->fd);
	while (waitpid(m->pid, NULL, 0) < 0 && errno == EINTR)
		;
	m->pid = 0;
	free(m->text);
	crew->told(m->i, answer, crew->arg);
	json_decref(answer);
}

/* One read; at the end, or when it says too much, that was it. */
static void member_read(const struct crew *crew, struct member *m)
{
	char buf[4096], *more;
	ssize_t n = read(m->fd, buf, sizeof(buf));

	if (n < 0 && errno == EINTR)
		return;
	more = n > 0 && m->size + (size_t)n <= ANSWER_MAX ? realloc(m->text, m->size + (size_t)n) : NULL;
	if (!more) {
		member_end(crew, m);
		return;
	}
	m->text = more;
	memcpy(m->text + m->size, buf, (size_t)n);
	m->size += (size_t)n;
}

/* Returns how many are at work. */
static nfds_t crew_wait(const struct crew *crew, struct member *members, size_t at_once)
{
	struct pollfd fds[CREW_MOST];
	struct member *who[CREW_MOST];
	nfds_t n = 0;

	for (size_t k = 0; k < at_once; k++) {
		if (!members[k].pid)
			continue;
		who[n] = &members[k];
		fds[n++] = (struct pollfd){.fd = members[k].fd, .events = POLLIN};
	}
	if (n && poll(fds, n, -1) > 0)
		for (nfds_t k = 0; k < n; k++)
			if (fds[k].revents)
				member_read(crew, who[k]);
	return n;
}

int crew_run(const struct crew *crew, size_t n, size_t at_once, struct cr_error *err)
{
	struct member members[CREW_MOST] = {0};
	size_t next = 0;
	int rc = 0;

	at_once = at_once < 1 ? 1 : at_once > CREW_MOST ? CREW_MOST : at_once;
	do {
		for (size_t k = 0; k < at_once && next < n && rc == 0; k++)
			if (!members[k].pid && (rc = member_start(crew, next, &members[k], err)) == 0)
				next++;
	} while (crew_wait(crew, members, at_once) || (next < n && rc == 0));
	return rc;
}
