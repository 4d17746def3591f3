/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* tty.c - below a terminal of its own a session whose programs have /dev/tty open for a moment, one after the
 * other */

#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* As "stty size </dev/tty" does; what it has seen is its end. */
static int program(void)
{
	struct winsize size = {0};
	int fd = open("/dev/tty", O_RDWR);

	usleep(20000);
	return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_row == 33 && size.ws_col == 99 ? 0 : 1;
}

static int session(void)
{
	int status = 0, wrong = 0;

	for (int n = 0; access("go", F_OK); n++) {
		if (fork() == 0)
			_exit(program());
		wait(&status);
		wrong += status != 0;
		if (n == 2)
			fclose(fopen("ready", "w"));
		usleep(130000);
	}
	return wrong ? 1 : 0;
}

int main(void)
{
	const struct winsize size = {.ws_row = 33, .ws_col = 99};
	int master, status = 0;
	FILE *f;

	if (forkpty(&master, NULL, NULL, &size) == 0)
		_exit(session());
	wait(&status);
	f = fopen("result", "w");
	fprintf(f, "the session ended with %d\n", status);
	return fclose(f);
}
