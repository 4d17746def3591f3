/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "pipe.h"

#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

/* Take the room that is to be left. Returns how many pipes are open then. */
static int spare_take(int spare[PIPE_SPARE][2], bool *enough)
{
	*enough = true;
	for (int i = 0; i < PIPE_SPARE; i++) {
		if (pipe2(spare[i], O_CLOEXEC) < 0) {
			*enough = false;
			return i;
		}
		if (fcntl(spare[i][1], F_SETPIPE_SZ, PIPE_LARGE) < 0) {
			*enough = false;
			return i + 1;
		}
	}
	return PIPE_SPARE;
}

int pipe_grow(int fd)
{
	int spare[PIPE_SPARE][2];
	bool enough;
	int n = spare_take(spare, &enough);

	/* while the spare ones are held: others may be growing theirs at this moment */
	if (enough)
		(void)fcntl(fd, F_SETPIPE_SZ, PIPE_LARGE);
	for (int i = 0; i < n; i++) {
		close(spare[i][0]);
		close(spare[i][1]);
	}
	return fcntl(fd, F_GETPIPE_SZ);
}
