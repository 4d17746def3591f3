/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* shim_queue.h - what waits at UNIX sockets, as criu looks at it while it dumps
 *
 * criu takes an empty datagram for the end of the queue, and fails at what comes beside a datagram and is no
 * descriptor. The library in criu shows it neither: it goes on behind an empty one, and tells crinit of it, a line
 * "INODE PLACE NAME" each. PLACE counts all that wait from 0, NAME is the sender's address in hexadecimal digits.
 */

#ifndef CR_INIT_SHIM_QUEUE_H
#define CR_INIT_SHIM_QUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#define SHIM_QUEUES	"shim.queues"
#define SHIM_QUEUES_MAX (4u << 20)

struct shim_queue_note {
	uint64_t ino;
	unsigned at;
	char from[2 * sizeof(struct sockaddr_un) + 1];
};

/* The next line of text: what is behind it, or NULL when there is none, or it is no such line. */
const char *shim_queue_parse(const char *text, struct shim_queue_note *note);

/* A line with its end; returns its length, or -1. */
int shim_queue_line(char *line, size_t room, uint64_t ino, unsigned at, const struct sockaddr_un *from,
		    socklen_t size);

/* Leave of what came beside a datagram the descriptors. Returns whether there was anything: nothing comes beside
 * the end of a connection. */
bool shim_queue_control(struct msghdr *msg);

#endif
