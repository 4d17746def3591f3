/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "wire.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

int cr_wire_send(int fd, enum cr_wire_type type, int value, const char *text, struct cr_error *err)
{
	struct cr_wire message;
	ssize_t n;

	memset(&message, 0, sizeof(message));
	message.type = type;
	message.value = value;
	if (text)
		snprintf(message.text, sizeof(message.text), "%s", text);
	do {
		n = send(fd, &message, sizeof(message), MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(message))
		return cr_error_sys(err, n < 0 ? errno : EMSGSIZE, "sending to the other side of the launch");
	return 0;
}

int cr_wire_receive(int fd, struct cr_wire *message, struct cr_error *err)
{
	ssize_t n;

	do {
		n = recv(fd, message, sizeof(*message), MSG_TRUNC);
	} while (n < 0 && errno == EINTR);
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return 0;
	if (n < 0)
		return cr_error_sys(err, errno, "receiving from the other side of the launch");
	if (n != (ssize_t)sizeof(*message))
		return cr_error_set(err, EPROTO, "a torn message of %zd bytes", n);
	message->text[sizeof(message->text) - 1] = '\0';
	return 1;
}
