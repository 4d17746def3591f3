/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* lease.c - leases of its own (F_SETLEASE), as Samba and some caches take them: nothing that we do breaks one.
 * Those that somebody breaks are so afterwards, and it hears of that once */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static volatile sig_atomic_t broken;

static void on_break(int sig)
{
	broken += sig != 0;
}

/* A file with a lease, which somebody wants to open as by says. */
static int broken_lease(const char *name, int flags, int by)
{
	int fd = open(name, flags | O_CREAT, 0600), was = broken;

	if (fd < 0 || fcntl(fd, F_SETLEASE, flags == O_RDONLY ? F_RDLCK : F_WRLCK) ||
	    open(name, by | O_NONBLOCK) != -1 || errno != EWOULDBLOCK)
		return -1;
	while (broken == was)
		usleep(1000);
	return fd;
}

int main(void)
{
	int both, alone, in, read_by, written_by, both_written;
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
	read_by = broken_lease("read_by", O_RDWR, O_RDONLY);
	written_by = broken_lease("written_by", O_RDONLY, O_WRONLY);
	both_written = broken_lease("both_written", O_RDWR, O_WRONLY);
	if (read_by < 0 || written_by < 0 || both_written < 0)
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
	fprintf(f, "%sleases %d %d %d, %d %d %d, broken %d\n", text, fcntl(both, F_GETLEASE),
		fcntl(alone, F_GETLEASE), fcntl(in, F_GETLEASE), fcntl(read_by, F_GETLEASE),
		fcntl(written_by, F_GETLEASE), fcntl(both_written, F_GETLEASE), (int)broken);
	return fclose(f) != 0;
}
