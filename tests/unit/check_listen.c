/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "../../libcrcore/listen.h"

START_TEST(listening)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct cr_error err = {0};
	int fd, again, peer = socket(AF_UNIX, SOCK_STREAM, 0);
	struct stat st;

	fd = cr_listen(unit_dir, CR_LISTEN_CAPTURE, SOCK_STREAM, getuid(), getgid(), &err);
	ck_assert_msg(fd >= 0, "%s", err.text);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	/* what an earlier one left is no obstacle */
	again = cr_listen(unit_dir, CR_LISTEN_CAPTURE, SOCK_STREAM, getuid(), getgid(), &err);
	ck_assert_msg(again >= 0, "%s", err.text);
	(void)snprintf(at.sun_path, sizeof(at.sun_path), "%.80s/%s", unit_dir, CR_LISTEN_CAPTURE);
	ck_assert_int_eq(stat(at.sun_path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(connect(peer, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_ge(accept(again, NULL, NULL), 0);
}
END_TEST

START_TEST(flushing)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct cr_error err = {0};
	int fd = cr_listen(unit_dir, CR_LISTEN_HOOK, SOCK_SEQPACKET, getuid(), getgid(), &err), peers[3];
	char byte;

	(void)snprintf(at.sun_path, sizeof(at.sun_path), "%.80s/%s", unit_dir, CR_LISTEN_HOOK);
	cr_listen_flush(fd);
	for (int i = 0; i < 3; i++) {
		peers[i] = socket(AF_UNIX, SOCK_SEQPACKET, 0);
		ck_assert_int_eq(connect(peers[i], (struct sockaddr *)&at, sizeof(at)), 0);
		ck_assert_int_eq(send(peers[i], "x", 1, MSG_NOSIGNAL), 1);
	}
	cr_listen_flush(fd);
	for (int i = 0; i < 3; i++)
		ck_assert_int_le(recv(peers[i], &byte, 1, 0), 0);
	/* nothing waits at none */
	cr_listen_flush(-1);
}
END_TEST

START_TEST(whose_it_is)
{
	struct cr_error err = {0};
	struct stat st;

	if (getuid() != 0)
		return;
	ck_assert_int_ge(cr_listen(unit_dir, CR_LISTEN_HOOK, SOCK_SEQPACKET, UNIT_NOBODY, UNIT_NOBODY, &err), 0);
	ck_assert_int_eq(stat(unit_path(CR_LISTEN_HOOK), &st), 0);
	ck_assert_uint_eq(st.st_uid, UNIT_NOBODY);
	ck_assert_uint_eq(st.st_gid, UNIT_NOBODY);
}
END_TEST

START_TEST(where_it_cannot)
{
	struct cr_error err = {0};
	char deep[200];

	/* a path that would be cut */
	memset(deep, 'd', sizeof(deep) - 1);
	deep[0] = '/';
	deep[sizeof(deep) - 1] = '\0';
	ck_assert_int_eq(cr_listen(deep, CR_LISTEN_SERVE, SOCK_STREAM, 0, 0, &err), -1);
	unit_assert_error(&err, ENAMETOOLONG, "too long");
	ck_assert_int_eq(cr_listen(unit_path("none"), CR_LISTEN_SERVE, SOCK_STREAM, 0, 0, &err), -1);
	unit_assert_error(&err, ENOENT, "none");
}
END_TEST

UNIT_MAIN("listen", {listening, true}, {flushing, true}, {whose_it_is, true}, {where_it_cannot, true})
