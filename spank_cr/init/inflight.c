/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "inflight.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "criu.h"

#define LINES_MAX (1u << 20)

enum { STATE_SYN_RECV = 3, STATE_FIN_WAIT1 = 4, STATE_LAST_ACK = 9, STATE_CLOSING = 11 };

/* A line of /proc/net/tcp. */
struct end {
	char local[48], remote[48]; /* ADDRESS:PORT, as the kernel writes them */
	unsigned state, queued;
	uint64_t ino;
};

struct ends {
	struct end *all;
	size_t n, room;
};

bool inflight_said(const struct job *job)
{
	static const char *const said[] = {"In-flight connection", "in-flight socket", "Dangling connection",
					   "ctty inheritance detected", "corked dgram socket"};
	char reason[512];

	criu_log_reason(job, "dump", reason, sizeof(reason));
	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++)
		if (strstr(reason, said[i]))
			return true;
	return false;
}

static int end_add(struct ends *ends, const struct end *e, struct cr_error *err)
{
	if (ends->n == ends->room) {
		size_t room = ends->room ? 2 * ends->room : 64;
		struct end *more = room < LINES_MAX ? realloc(ends->all, room * sizeof(*more)) : NULL;

		if (!more)
			return cr_error_sys(err, ENOMEM, "the list of connections");
		ends->all = more;
		ends->room = room;
	}
	ends->all[ends->n++] = *e;
	return 0;
}

/* crinit is in the job's network, and so is this. A table that the kernel does not have is empty. */
static int ends_read(struct ends *ends, const char *path, struct cr_error *err)
{
	cleanup_fclose FILE *f = fopen(path, "re");
	char line[512];

	while (f && fgets(line, sizeof(line), f)) {
		struct end e = {0};

		if (sscanf(line, " %*d: %47s %47s %x %x:%*x %*s %*x %*u %*d %" SCNu64, e.local, e.remote, &e.state,
			   &e.queued, &e.ino) == 5 &&
		    end_add(ends, &e, err) < 0)
			return -1;
	}
	return 0;
}

/* Does a process have the other end? */
static bool peer_lives(const struct ends *ends, const struct end *e)
{
	for (size_t i = 0; i < ends->n; i++)
		if (ends->all[i].ino && strcmp(ends->all[i].local, e->remote) == 0 &&
		    strcmp(ends->all[i].remote, e->local) == 0)
			return true;
	return false;
}

static unsigned port_of(const char *end)
{
	const char *colon = strrchr(end, ':');

	return colon ? (unsigned)strtoul(colon + 1, NULL, 16) : 0;
}

/* What nobody has is lost at a restore; what its peer waits for must not be. */
static int end_check(const struct ends *ends, const struct end *e, struct cr_error *err)
{
	bool making = e->state == STATE_SYN_RECV;
	bool ending = e->state == STATE_FIN_WAIT1 || e->state == STATE_LAST_ACK || e->state == STATE_CLOSING;

	if (e->ino || !(making || ending) || !peer_lives(ends, e))
		return 0;
	if (making)
		return cr_error_set(err, EAGAIN, "a TCP connection to port %u was just being made",
				    port_of(e->local));
	return cr_error_set(
		err, EAGAIN,
		"a TCP connection from port %u to port %u was closed with %u bytes still on their way: "
		"no process has that end, so criu cannot save it; have the other end read, or wait for "
		"its end of file before you close",
		port_of(e->local), port_of(e->remote), e->queued);
}

int inflight_look(const struct job *job, struct cr_error *err)
{
	struct ends ends = {0};
	int rc = 0;

	if (!job->private_net)
		return 0;
	rc = ends_read(&ends, "/proc/net/tcp", err);
	if (rc == 0)
		rc = ends_read(&ends, "/proc/net/tcp6", err);
	for (size_t i = 0; rc == 0 && i < ends.n; i++)
		rc = end_check(&ends, &ends.all[i], err);
	free(ends.all);
	return rc;
}
