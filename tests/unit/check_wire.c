/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include <sys/socket.h>

#include "../../libcrcore/wire.h"

static int fds[2];

static void pair_open(int flags)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0, fds), 0);
}

START_TEST(round_trip)
{
	static const struct {
		enum cr_wire_type type;
		int value;
		const char *text;
	} cases[] = {
		{CR_WIRE_STARTED, 0, NULL}, {CR_WIRE_FAILED, 0, "generation 7 is damaged: \xc3\xa9"},
		{CR_WIRE_EXIT, 0x8b, NULL}, {CR_WIRE_LOG, 2, ""},
		{CR_WIRE_SIGNAL, 15, NULL}, {CR_WIRE_SIGNAL, -1, "x"},
	};
	struct cr_error err = {0};
	struct cr_wire message;

	pair_open(0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		unit_assert_ok(cr_wire_send(fds[0], cases[i].type, cases[i].value, cases[i].text, &err), &err);
	/* in order, one at a time */
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(&message, 'x', sizeof(message));
		ck_assert_int_eq(cr_wire_receive(fds[1], &message, &err), 1);
		ck_assert_uint_eq(message.type, cases[i].type);
		ck_assert_int_eq(message.value, cases[i].value);
		ck_assert_str_eq(message.text, cases[i].text ? cases[i].text : "");
	}
	/* and the other way */
	unit_assert_ok(cr_wire_send(fds[1], CR_WIRE_SIGNAL, 10, NULL, &err), &err);
	ck_assert_int_eq(cr_wire_receive(fds[0], &message, &err), 1);
	ck_assert_int_eq(message.value, 10);
}
END_TEST

START_TEST(long_text_is_cut)
{
	struct cr_error err = {0};
	struct cr_wire message;
	char text[3000];

	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	pair_open(0);
	unit_assert_ok(cr_wire_send(fds[0], CR_WIRE_LOG, 0, text, &err), &err);
	ck_assert_int_eq(cr_wire_receive(fds[1], &message, &err), 1);
	ck_assert_uint_eq(strlen(message.text), sizeof(message.text) - 1);
}
END_TEST

START_TEST(text_without_an_end)
{
	struct cr_error err = {0};
	struct cr_wire message = {.type = CR_WIRE_LOG};

	memset(message.text, 'a', sizeof(message.text));
	pair_open(0);
	ck_assert_int_eq(send(fds[0], &message, sizeof(message), 0), sizeof(message));
	ck_assert_int_eq(cr_wire_receive(fds[1], &message, &err), 1);
	ck_assert_uint_eq(strlen(message.text), sizeof(message.text) - 1);
}
END_TEST

START_TEST(torn_messages)
{
	struct cr_error err = {0};
	struct cr_wire message = {.type = CR_WIRE_EXIT};
	char big[4096] = {0};

	pair_open(0);
	for (size_t size = 1; size < sizeof(message); size += 97) {
		ck_assert_int_eq(send(fds[0], &message, size, 0), size);
		ck_assert_int_eq(cr_wire_receive(fds[1], &message, &err), -1);
		unit_assert_error(&err, EPROTO, "torn message");
	}
	/* one that is too long spoils neither memory nor what follows */
	ck_assert_int_eq(send(fds[0], big, sizeof(big), 0), sizeof(big));
	ck_assert_int_ne(cr_wire_receive(fds[1], &message, &err), 0);
	unit_assert_ok(cr_wire_send(fds[0], CR_WIRE_EXIT, 9, "after", &err), &err);
	ck_assert_int_eq(cr_wire_receive(fds[1], &message, &err), 1);
	ck_assert_str_eq(message.text, "after");
}
END_TEST

START_TEST(nothing_there)
{
	struct cr_error err = {0};
	struct cr_wire message;

	pair_open(SOCK_NONBLOCK);
	ck_assert_int_eq(cr_wire_receive(fds[1], &message, &err), -1);
	unit_assert_error(&err, EAGAIN, "receiving");
	ck_assert_int_eq(cr_wire_receive(-1, &message, &err), -1);
	unit_assert_error(&err, EBADF, "receiving");
	ck_assert_int_eq(cr_wire_send(-1, CR_WIRE_EXIT, 0, NULL, &err), -1);
	unit_assert_error(&err, EBADF, "sending");
}
END_TEST

START_TEST(other_end_gone)
{
	struct cr_error err = {0};
	struct cr_wire message;

	pair_open(0);
	unit_assert_ok(cr_wire_send(fds[0], CR_WIRE_EXIT, 3, NULL, &err), &err);
	close(fds[0]);
	/* what was said is still heard */
	ck_assert_int_eq(cr_wire_receive(fds[1], &message, &err), 1);
	ck_assert_int_eq(message.value, 3);
	ck_assert_int_eq(cr_wire_receive(fds[1], &message, &err), 0);
	ck_assert_int_eq(cr_wire_receive(fds[1], &message, &err), 0);
	/* no SIGPIPE: crinit is pid 1 */
	ck_assert_int_eq(cr_wire_send(fds[1], CR_WIRE_LOG, 0, "anybody?", &err), -1);
	unit_assert_error(&err, EPIPE, "sending");
	ck_assert_int_eq(cr_wire_send(fds[1], CR_WIRE_LOG, 0, "anybody?", NULL), -1);
}
END_TEST

START_TEST(full_socket)
{
	struct cr_error err = {0};
	struct cr_wire message;
	int sent = 0;

	pair_open(SOCK_NONBLOCK);
	while (sent < 100000 && cr_wire_send(fds[0], CR_WIRE_LOG, sent, "more", &err) == 0)
		sent++;
	unit_assert_error(&err, EAGAIN, "sending");
	for (int i = 0; i < sent; i++) {
		ck_assert_int_eq(cr_wire_receive(fds[1], &message, &err), 1);
		ck_assert_int_eq(message.value, i);
	}
}
END_TEST

UNIT_MAIN("wire", {round_trip, false}, {long_text_is_cut, false}, {text_without_an_end, false},
	  {torn_messages, false}, {nothing_there, false}, {other_end_gone, false}, {full_socket, false})
