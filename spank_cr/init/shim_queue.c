/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "shim_queue.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef SCM_PIDFD
#define SCM_PIDFD 0x04
#endif

const char *shim_queue_parse(const char *text, struct shim_queue_note *note)
{
	const char *end = strchr(text, '\n');
	char *at;
	size_t n;

	if (!end)
		return NULL;
	note->ino = strtoull(text, &at, 10);
	if (at == text || *at != ' ')
		return NULL;
	text = at + 1;
	note->at = (unsigned)strtoul(text, &at, 10);
	if (at == text || *at != ' ')
		return NULL;
	n = (size_t)(end - (at + 1));
	if (n >= sizeof(note->from) || n % 2 || strspn(at + 1, "0123456789abcdef") != n)
		return NULL;
	memcpy(note->from, at + 1, n);
	note->from[n] = '\0';
	return end + 1;
}

int shim_queue_line(char *line, size_t room, uint64_t ino, unsigned at, const struct sockaddr_un *from,
		    socklen_t size)
{
	const unsigned char *bytes = (const unsigned char *)from;
	int n = snprintf(line, room, "%" PRIu64 " %u ", ino, at);

	if (size <= offsetof(struct sockaddr_un, sun_path) || size > sizeof(*from))
		size = 0;
	if (n < 0 || (size_t)n + 2 * size + 2 > room)
		return -1;
	for (socklen_t i = 0; i < size; i++)
		n += snprintf(line + n, 3, "%02x", bytes[i]);
	line[n++] = '\n';
	return n;
}

bool shim_queue_control(struct msghdr *msg)
{
	struct cmsghdr *first = CMSG_FIRSTHDR(msg), *rights = NULL;

	for (struct cmsghdr *c = first; c; c = CMSG_NXTHDR(msg, c)) {
		int fd;

		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			rights = c;
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_PIDFD &&
		    c->cmsg_len >= CMSG_LEN(sizeof(fd))) {
			memcpy(&fd, CMSG_DATA(c), sizeof(fd));
			close(fd);
		}
	}
	msg->msg_controllen = rights ? rights->cmsg_len : 0;
	if (rights && rights != first)
		memmove(first, rights, rights->cmsg_len);
	return first != NULL;
}
