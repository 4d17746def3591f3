/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include "../../spank_cr/init/pipe.h"

#define MANY 80 /* MiB: the limit is 64 by default */

static int pipe_made(void)
{
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	return fds[1]; /* both stay open: a pipe that counts */
}

/* However many are asked for, the user's next pipe is as large as ever, and can be made larger. */
START_TEST(leaves_room)
{
	int grown = 0, fd;

	unit_drop_root();
	for (int i = 0; i < MANY; i++) {
		int size = pipe_grow(pipe_made());

		ck_assert_int_ge(size, 4096);
		grown += size >= PIPE_LARGE;
	}
	fd = pipe_made();
	ck_assert_int_eq(fcntl(fd, F_GETPIPE_SZ), 65536);
	for (int i = 0; i < PIPE_SPARE / 2; i++)
		ck_assert_int_ge(fcntl(pipe_made(), F_SETPIPE_SZ, PIPE_LARGE), PIPE_LARGE);
	/* and that is no reason not to have any */
	ck_assert_int_ge(grown, 1);
}
END_TEST

START_TEST(closes)
{
	int before = pipe_made(), after;

	unit_drop_root();
	ck_assert_int_ge(pipe_grow(before), 4096);
	after = pipe_made();
	ck_assert_int_eq(after, before + 2);
	ck_assert_int_eq(pipe_grow(-1), -1);
}
END_TEST

UNIT_MAIN("pipe", {leaves_room, true}, {closes, true})
