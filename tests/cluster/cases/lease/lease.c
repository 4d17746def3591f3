/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* lease.c - leases of its own (F_SETLEASE), as Samba and some caches take them: nothing that we do breaks one */

#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static volatile sig_atomic_t broken;

static void on_break(int sig)
{
	broken += sig != 0;
}

int main(void)
{
	int both, alone, in;
	char text[8] = "";
	FILE *f;

	signal(SIGIO, on_break);
	both = open("both", O_RDWR | O_CREAT | O_TRUNC, 0600);
	alone = open("alone", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	in = open("lease.c", O_RDONLY);
	if (both < 0 || alone < 0 || in < 0 || write(both, "before\n", 7) != 7 ||
	    write(alone, "before\n", 7) != 7 || lseek(both, 3, SEEK_SET) != 3 ||
	    fcntl(both, F_SETLEASE, F_WRLCK) || fcntl(alone, F_SETLEASE, F_WRLCK) ||
	    fcntl(in, F_SETLEASE, F_RDLCK))
		return 1;
	close(creat("ready", 0600));
	while (access("go", F_OK))
		usleep(100000);
	f = fopen("result", "w");
	if (!f)
		return 1;
	fprintf(f, "at %d\n", (int)lseek(both, 0, SEEK_CUR));
	if (pread(both, text, 7, 0) != 7 || write(both, "X", 1) != 1 || write(alone, "after\n", 6) != 6)
		return 1;
	fprintf(f, "%sleases %d %d %d broken %d\n", text, fcntl(both, F_GETLEASE), fcntl(alone, F_GETLEASE),
		fcntl(in, F_GETLEASE), (int)broken);
	return fclose(f) != 0;
}
