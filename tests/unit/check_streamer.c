/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "../../libcrcore/streamer.h"

#define DECODE(bytes) cr_streamer_decode(bytes, sizeof(bytes) - 1, name, &err)

START_TEST(names)
{
	char name[CR_STREAMER_NAME], longest[3 + 255] = "\x0a\xff\x01";
	struct cr_error err = {0};

	unit_assert_ok(DECODE("\x0a\x0binventory.x"), &err);
	ck_assert_str_eq(name, "inventory.x");
	/* other fields around it are none of ours */
	unit_assert_ok(DECODE("\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x0a\x01x\x19"
			      "12345678\x25"
			      "1234\x1a\x00"),
		       &err);
	ck_assert_str_eq(name, "x");
	memset(longest + 3, 'n', 255);
	unit_assert_ok(cr_streamer_decode(longest, sizeof(longest), name, &err), &err);
	ck_assert_uint_eq(strlen(name), 255);
}
END_TEST

#define REFUSED(bytes)                                                                                            \
	do {                                                                                                      \
		err = (struct cr_error){0};                                                                       \
		ck_assert_int_eq(DECODE(bytes), -1);                                                              \
		unit_assert_error(&err, EPROTO, "criu sent");                                                     \
	} while (0)

START_TEST(malformed)
{
	char name[CR_STREAMER_NAME], message[3 + 256] = "\x0a\x80\x02";
	struct cr_error err = {0};

	REFUSED("");
	REFUSED("\x0a");
	REFUSED("\x0a\x00");
	REFUSED("\x0a\x05x");
	REFUSED("\x0a\x01/");
	REFUSED("\x0a\x04../x");
	REFUSED("\x0a\x03x\0y");
	REFUSED("\x08\x01");	  /* a number where the name should be, and no name */
	REFUSED("\x0a\x01x\x0b"); /* a group */
	REFUSED("\x0a\x01x\x0f"); /* no such type */
	REFUSED("\x0a\x01x\x80"); /* a key that does not end */
	REFUSED("\x0a\x01x\x09"
		"1234567"); /* half a number */
	REFUSED("\x0a\x01x\x25"
		"123");
	REFUSED("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x");     /* as long as can be */
	REFUSED("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x"); /* longer than a number is */
	memset(message + 3, 'n', 256);
	ck_assert_int_eq(cr_streamer_decode(message, sizeof(message), name, &err), -1);
	unit_assert_error(&err, EPROTO, "criu sent");
}
END_TEST

static void pair(int fds[2])
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
}

static void request(int fd, uint32_t size, const char *message, size_t n)
{
	ck_assert_int_eq(write(fd, &size, sizeof(size)), sizeof(size));
	ck_assert_int_eq(write(fd, message, n), (ssize_t)n);
}

/* One byte with n descriptors. */
static void pass(int fd, const int *pipes, size_t n)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(4 * sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)"x", .iov_len = 1};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

	if (n > 0) {
		m.msg_control = control.bytes;
		m.msg_controllen = CMSG_SPACE(n * sizeof(int));
		CMSG_FIRSTHDR(&m)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&m)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&m)->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), pipes, n * sizeof(int));
	}
	ck_assert_int_eq(sendmsg(fd, &m, 0), 1);
}

START_TEST(conversation)
{
	char name[CR_STREAMER_NAME], byte;
	struct cr_error err = {0};
	int fds[2], pipes[2], got;

	pair(fds);
	ck_assert_int_eq(pipe(pipes), 0);
	request(fds[0], 3, "\x0a\x01p", 3);
	pass(fds[0], pipes, 1);
	request(fds[0], 3, "\x0a\x01q", 3);
	pass(fds[0], pipes, 1);
	shutdown(fds[0], SHUT_WR);
	for (const char *want = "pq"; *want; want++) {
		ck_assert_msg(cr_streamer_request(fds[1], name, &err) == 1, "%s", err.text);
		ck_assert_int_eq(name[0], *want);
		got = cr_streamer_pipe(fds[1], &err);
		ck_assert_msg(got >= 0, "%s", err.text);
		ck_assert_int_eq(fcntl(got, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
		ck_assert_int_eq(write(pipes[1], want, 1), 1);
		ck_assert_int_eq(read(got, &byte, 1), 1);
		ck_assert_int_eq(byte, *want);
		close(got);
	}
	ck_assert_int_eq(cr_streamer_request(fds[1], name, &err), 0);
}
END_TEST

START_TEST(bad_requests)
{
	static const struct {
		uint32_t size;
		const char *message;
		size_t n;
	} bad[] = {
		{0, "", 0},	    {513, "\x0a\x01p", 3}, {UINT32_MAX, "\x0a\x01p", 3},
		{3, "\x0a\x01", 2}, /* the end comes too early */
		{3, "", 0},	    {3, "\x0a\x01/", 3},
	};
	char name[CR_STREAMER_NAME];
	struct cr_error err = {0};
	int fds[2];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		pair(fds);
		request(fds[0], bad[i].size, bad[i].message, bad[i].n);
		close(fds[0]);
		ck_assert_int_eq(cr_streamer_request(fds[1], name, &err), -1);
		unit_assert_error(&err, EPROTO, "criu sent");
		close(fds[1]);
	}
	pair(fds);
	ck_assert_int_eq(write(fds[0], "\1", 1), 1); /* a quarter of a length */
	close(fds[0]);
	ck_assert_int_eq(cr_streamer_request(fds[1], name, &err), -1);
	unit_assert_error(&err, EPROTO, "criu sent");
	close(fds[1]);
	/* the longest that there may be, most of it a field that we do not know */
	{
		char message[CR_STREAMER_MAX] = "\x0a\x01p\x12\xfa\x03";

		pair(fds);
		request(fds[0], sizeof(message), message, sizeof(message));
		ck_assert_msg(cr_streamer_request(fds[1], name, &err) == 1, "%s", err.text);
		ck_assert_str_eq(name, "p");
	}
}
END_TEST

static int fds_open(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

START_TEST(no_pipe)
{
	struct cr_error err = {0};
	int fds[2], pipes[2], before;

	pair(fds);
	ck_assert_int_eq(pipe(pipes), 0);
	before = fds_open();
	pass(fds[0], NULL, 0);
	ck_assert_int_eq(cr_streamer_pipe(fds[1], &err), -1);
	unit_assert_error(&err, EPROTO, "no pipe");
	/* one too many is refused, and none of them stays open */
	pass(fds[0], pipes, 2);
	ck_assert_int_eq(cr_streamer_pipe(fds[1], &err), -1);
	unit_assert_error(&err, EPROTO, "no pipe");
	ck_assert_int_eq(fds_open(), before);
	close(fds[0]);
	ck_assert_int_eq(cr_streamer_pipe(fds[1], &err), -1);
	unit_assert_error(&err, EPROTO, "no pipe");
}
END_TEST

START_TEST(replies)
{
	unsigned char got[8];
	struct cr_error err = {0};
	uint32_t size;
	int fds[2];

	pair(fds);
	unit_assert_ok(cr_streamer_reply(fds[1], true, &err), &err);
	unit_assert_ok(cr_streamer_reply(fds[1], false, &err), &err);
	for (int exists = 1; exists >= 0; exists--) {
		ck_assert_int_eq(read(fds[0], got, 6), 6);
		memcpy(&size, got, sizeof(size));
		ck_assert_uint_eq(size, 2);
		ck_assert_int_eq(got[4], 8);
		ck_assert_int_eq(got[5], exists);
	}
	/* nobody there: an error, and no signal */
	close(fds[0]);
	ck_assert_int_eq(cr_streamer_reply(fds[1], true, &err), -1);
	unit_assert_error(&err, EPIPE, "criu");
}
END_TEST

UNIT_MAIN("streamer", {names, false}, {malformed, false}, {conversation, false}, {bad_requests, false},
	  {no_pipe, false}, {replies, false})
