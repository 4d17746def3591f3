/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include "../../libcrcore/ns.h"
#include "../../spank_cr/init/netlock.h"

#define CRIU_MARK 0xC114

/* A network of this test's own; 1 when there can be none here. */
static int net_alone(void)
{
	struct cr_error err = {0};

	if (geteuid() != 0 || cr_ns_net(&err) < 0) {
		(void)fprintf(stderr, "check_netlock: needs root and network namespaces: SKIPPED\n");
		return 1;
	}
	ck_assert(cr_ns_net_alone());
	return 0;
}

/* What becomes of a connection to a port where nobody listens: ECONNREFUSED, or ETIMEDOUT when no answer comes. */
static int closed_port(int family)
{
	struct sockaddr_in6 to6 = {.sin6_family = AF_INET6, .sin6_port = htons(9), .sin6_addr = in6addr_loopback};
	struct sockaddr_in to4 = {
		.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0), rc, errnum = ETIMEDOUT;
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	socklen_t size = sizeof(errnum);

	rc = family == AF_INET ? connect(fd, (struct sockaddr *)&to4, sizeof(to4))
			       : connect(fd, (struct sockaddr *)&to6, sizeof(to6));
	if (rc < 0 && errno != EINPROGRESS)
		errnum = errno;
	else if (poll(&p, 1, 300) == 1)
		ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_ERROR, &errnum, &size), 0);
	(void)close(fd);
	return errnum;
}

/* Two sockets that are connected over loopback; what the first sends has this mark. */
static void pair_make(int pair[2], int mark)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int in = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t size = sizeof(at);

	ck_assert_int_eq(bind(in, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(listen(in, 1), 0);
	ck_assert_int_eq(getsockname(in, (struct sockaddr *)&at, &size), 0);
	pair[0] = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(setsockopt(pair[0], SOL_SOCKET, SO_MARK, &mark, sizeof(mark)), 0);
	ck_assert_int_eq(connect(pair[0], (struct sockaddr *)&at, sizeof(at)), 0);
	pair[1] = accept(in, NULL, NULL);
	ck_assert_int_ge(pair[1], 0);
	(void)close(in);
}

/* Whether what the first sends now is at the other at once. */
static bool arrives(const int pair[2])
{
	struct pollfd p = {.fd = pair[1], .events = POLLIN};
	char byte = 'x';

	ck_assert_int_eq(send(pair[0], &byte, 1, 0), 1);
	if (poll(&p, 1, 100) != 1)
		return false;
	ck_assert_int_eq(recv(pair[1], &byte, 1, 0), 1);
	return true;
}

static void pair_close(int pair[2])
{
	(void)close(pair[0]);
	(void)close(pair[1]);
}

/* A datagram is not kept back: its sender would see the error. */
static bool datagram_arrives(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int in = socket(AF_INET, SOCK_DGRAM, 0), out = socket(AF_INET, SOCK_DGRAM, 0);
	struct pollfd p = {.fd = in, .events = POLLIN};
	socklen_t size = sizeof(at);
	bool came;

	ck_assert_int_eq(bind(in, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(getsockname(in, (struct sockaddr *)&at, &size), 0);
	came = sendto(out, "x", 1, 0, (struct sockaddr *)&at, sizeof(at)) == 1 && poll(&p, 1, 1000) == 1;
	(void)close(in);
	(void)close(out);
	return came;
}

START_TEST(nothing_gets_out_but_criu)
{
	struct cr_error err = {0};
	int others[2], criu[2];

	if (net_alone())
		return;
	pair_make(others, 0);
	pair_make(criu, CRIU_MARK);
	ck_assert_int_eq(closed_port(AF_INET), ECONNREFUSED);
	ck_assert_int_eq(closed_port(AF_INET6), ECONNREFUSED);
	unit_assert_ok(netlock_hold(&err), &err);
	ck_assert_int_eq(closed_port(AF_INET), ETIMEDOUT);
	ck_assert_int_eq(closed_port(AF_INET6), ETIMEDOUT);
	ck_assert(!arrives(others));
	ck_assert(arrives(criu));
	ck_assert(datagram_arrives());
	unit_assert_ok(netlock_release(&err), &err);
	ck_assert_int_eq(closed_port(AF_INET), ECONNREFUSED);
	ck_assert_int_eq(closed_port(AF_INET6), ECONNREFUSED);
	pair_close(others);
	pair_close(criu);
}
END_TEST

START_TEST(again_and_again)
{
	struct cr_error err = {0};

	if (net_alone())
		return;
	unit_assert_ok(netlock_release(&err), &err);
	for (int i = 0; i < 3; i++) {
		unit_assert_ok(netlock_hold(&err), &err);
		/* one that a killed worker has left */
		if (i)
			unit_assert_ok(netlock_hold(&err), &err);
		ck_assert_int_eq(closed_port(AF_INET), ETIMEDOUT);
		unit_assert_ok(netlock_release_surely(&err), &err);
		ck_assert_int_eq(closed_port(AF_INET), ECONNREFUSED);
	}
}
END_TEST

START_TEST(without_rights)
{
	struct cr_error err = {0};

	if (net_alone())
		return;
	ck_assert_int_eq(setresuid(UNIT_NOBODY, UNIT_NOBODY, UNIT_NOBODY), 0);
	ck_assert_int_eq(netlock_hold(&err), -1);
	unit_assert_error(&err, EPERM, "keeping the job's network still");
}
END_TEST

UNIT_MAIN("netlock", {nothing_gets_out_but_criu, false}, {again_and_again, false}, {without_rights, false})
