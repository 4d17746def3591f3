/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* sockets.h - what criu forgets of the job's sockets: options, multicast groups, datagrams that wait to be read
 *
 * Taken while the job is frozen, into identity.json; put back before any of it runs. doc/identity.md has the form.
 */

#ifndef CR_INIT_SOCKETS_H
#define CR_INIT_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include "error.h"
#include "job.h"

/* A socket of the job, at the first descriptor that it was met at. */
struct socket_at {
	uint64_t ino;
	pid_t pid;
	int fd;
	int family, type, protocol;
};

struct sockets {
	struct socket_at *list;
	size_t n, room;
};

/* Those of the families UNIX, INET and INET6 that the processes have open. */
int sockets_list(struct sockets *sockets, const pid_t *pids, size_t n, struct cr_error *err);
void sockets_clear(struct sockets *sockets);

/* A list of those of which there is something to note. notes: what criu's library has met (shim_queue.h), or NULL.
 * NULL without memory. */
json_t *sockets_take(const pid_t *pids, size_t n, const char *notes);

/* Is it such a list, or NULL, as in what an earlier version has written? */
bool sockets_ok(const json_t *noted);

/* Put it back. What cannot be is logged: it is no reason not to go on. */
void sockets_apply(const json_t *noted, const pid_t *pids, size_t n, const struct job *job);

#endif
