/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "fuzz.h"

#include <sys/socket.h>

#include "../../libcrcore/streamer.h"

#define LONGEST 16384

static void name_check(const char *name)
{
	FUZZ_REQUIRE(name[0] && strlen(name) < CR_STREAMER_NAME && !strchr(name, '/'));
}

/* Everything that comes from a socket until it ends or fails. */
static void socket_read(const uint8_t *data, size_t size)
{
	char name[CR_STREAMER_NAME];
	struct cr_error err = {0};
	int fds[2], rc, n = 0;

	FUZZ_REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	FUZZ_REQUIRE(size == 0 || write(fds[0], data, size) == (ssize_t)size);
	FUZZ_REQUIRE(shutdown(fds[0], SHUT_WR) == 0);
	while ((rc = cr_streamer_request(fds[1], name, &err)) == 1) {
		name_check(name);
		/* the byte that should carry the pipe */
		if (n++ % 2 && cr_streamer_pipe(fds[1], &err) < 0)
			fuzz_error(&err);
	}
	if (rc < 0)
		fuzz_error(&err);
	close(fds[0]);
	close(fds[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[CR_STREAMER_NAME];
	struct cr_error err = {0};

	if (size > LONGEST)
		return -1;
	if (cr_streamer_decode(data, size, name, &err) == 0)
		name_check(name);
	else
		fuzz_error(&err);
	socket_read(data, size);
	return 0;
}
