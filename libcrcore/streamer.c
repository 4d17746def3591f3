/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "streamer.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A protobuf number of at most 64 bits. Returns the bytes it takes, or 0. */
static size_t varint(const unsigned char *p, size_t size, uint64_t *value)
{
	*value = 0;
	for (size_t i = 0; i < size && i < 10; i++) {
		*value |= (uint64_t)(p[i] & 0x7f) << (7 * i);
		if (!(p[i] & 0x80))
			return i + 1;
	}
	return 0;
}

static int malformed(struct cr_error *err)
{
	return cr_error_set(err, EPROTO, "criu sent a request that is none of the image streamer's");
}

/* The payload of one field. Returns the bytes it takes, or 0 when it makes no sense. *length: of text, at *p. */
static size_t field_skip(unsigned type, const unsigned char *p, size_t size, const unsigned char **text,
			 uint64_t *length)
{
	uint64_t value;
	size_t n;

	switch (type) {
	case 0:
		return varint(p, size, &value);
	case 1:
		return size >= 8 ? 8 : 0;
	case 5:
		return size >= 4 ? 4 : 0;
	case 2:
		n = varint(p, size, length);
		if (n == 0 || *length > size - n)
			return 0;
		*text = p + n;
		return n + (size_t)*length;
	default:
		return 0;
	}
}

int cr_streamer_decode(const void *message, size_t size, char name[CR_STREAMER_NAME], struct cr_error *err)
{
	const unsigned char *p = message, *end = p + size, *text = NULL;
	uint64_t length = 0;

	name[0] = '\0';
	while (p < end) {
		uint64_t key;
		size_t n = varint(p, (size_t)(end - p), &key), m;

		if (n == 0)
			return malformed(err);
		m = field_skip(key & 7, p + n, (size_t)(end - p) - n, &text, &length);
		/* an empty text takes a byte, too */
		if (m == 0)
			return malformed(err);
		if (key == (1 << 3 | 2)) {
			if (length == 0 || length >= CR_STREAMER_NAME || memchr(text, '\0', length) ||
			    memchr(text, '/', length))
				return malformed(err);
			memcpy(name, text, length);
			name[length] = '\0';
		}
		p += n + m;
	}
	return name[0] ? 0 : malformed(err);
}

/* All of size bytes. Returns 1, 0 when the socket has ended before the first, -1. */
static int receive(int fd, void *to, size_t size, struct cr_error *err)
{
	unsigned char *p = to;

	for (size_t got = 0; got < size;) {
		ssize_t n = recv(fd, p + got, size - got, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cr_error_sys(err, errno, "criu's socket");
		if (n == 0)
			return got == 0 ? 0 : malformed(err);
		got += (size_t)n;
	}
	return 1;
}

int cr_streamer_request(int fd, char name[CR_STREAMER_NAME], struct cr_error *err)
{
	unsigned char message[CR_STREAMER_MAX];
	uint32_t size;
	int rc = receive(fd, &size, sizeof(size), err);

	if (rc <= 0)
		return rc;
	if (size == 0 || size > sizeof(message))
		return malformed(err);
	rc = receive(fd, message, size, err);
	if (rc <= 0)
		return rc < 0 ? -1 : malformed(err);
	return cr_streamer_decode(message, size, name, err) < 0 ? -1 : 1;
}

/* More descriptors than one came along: none of them is wanted. */
static void rights_close(const struct cmsghdr *c)
{
	for (size_t at = 0; c->cmsg_len >= CMSG_LEN(at + sizeof(int)); at += sizeof(int)) {
		int fd;

		memcpy(&fd, CMSG_DATA(c) + at, sizeof(fd));
		close(fd);
	}
}

int cr_streamer_pipe(int fd, struct cr_error *err)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	char byte;
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control.bytes,
			   .msg_controllen = sizeof(control.bytes)};
	const struct cmsghdr *c;
	ssize_t n;
	int pipe;

	do
		n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return cr_error_sys(err, errno, "criu's socket");
	c = CMSG_FIRSTHDR(&m);
	if (c && (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS))
		c = NULL;
	if (n != 1 || !c || c->cmsg_len != CMSG_LEN(sizeof(int))) {
		if (c)
			rights_close(c);
		return cr_error_set(err, EPROTO, "criu sent no pipe for its image");
	}
	memcpy(&pipe, CMSG_DATA(c), sizeof(pipe));
	return pipe;
}

int cr_streamer_reply(int fd, bool exists, struct cr_error *err)
{
	unsigned char message[6] = {0, 0, 0, 0, 1 << 3, exists};
	uint32_t size = 2;

	memcpy(message, &size, sizeof(size));
	if (send(fd, message, sizeof(message), MSG_NOSIGNAL) != (ssize_t)sizeof(message))
		return cr_error_sys(err, errno, "criu's socket");
	return 0;
}
