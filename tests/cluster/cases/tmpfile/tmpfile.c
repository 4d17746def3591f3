/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* tmpfile.c - files that were made without a name and are given one at the end, shared by two processes and
 * mapped, and many of them; one in a directory that cannot be written any more, which stays without */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANY 100

static int publish(int fd, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, path, AT_FDCWD, name, AT_SYMLINK_FOLLOW) ? errno : 0;
}

int main(void)
{
	int rows = open(".", O_TMPFILE | O_RDWR, 0640), closed = open("closed", O_TMPFILE | O_RDWR, 0600);
	int small = open("/tmp", O_TMPFILE | O_RDWR, 0600), many[MANY], named = 0;
	struct stat st;
	char buf[64];
	char *map;
	int i = 0, status;
	pid_t pid;
	FILE *f;

	if (rows < 0 || closed < 0 || small < 0)
		return 2;
	for (; i < 3000; i++)
		dprintf(rows, "row %d\n", i);
	ftruncate(rows, 100000); // with a hole at its end
	lseek(rows, 100000, SEEK_SET);
	dprintf(small, "small");
	dprintf(closed, "closed");
	for (i = 0; i < MANY; i++) {
		many[i] = open("/tmp", O_TMPFILE | O_RDWR, 0600);
		dprintf(many[i], "number %d", i);
	}
	chmod("closed", 0555);
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, rows, 0);
	pid = fork();
	if (pid == 0) {
		while (map[0] != 'R')
			usleep(50000);
		dprintf(rows, "child\n");
		_exit(0);
	}
	close(creat("ready", 0600));
	while (access("go", F_OK))
		usleep(100000);
	map[0] = 'R';
	waitpid(pid, &status, 0);
	dprintf(rows, "end\n");
	dprintf(small, " and more");
	dprintf(closed, " and more");
	f = fopen("result", "w");
	fprintf(f, "rows %d small %d\n", publish(rows, "rows"), publish(small, "/tmp/small"));
	fstat(rows, &st);
	fprintf(f, "%ld bytes, mode %o, links %u\n", (long)st.st_size, (unsigned)st.st_mode & 07777,
		(unsigned)st.st_nlink);
	buf[pread(rows, buf, 12, 0)] = '\0';
	fprintf(f, "%s...", buf);
	buf[pread(rows, buf, 12, 99998)] = '\0';
	fprintf(f, "%s", buf + 2);
	memset(buf, 0, sizeof(buf));
	pread(small, buf, 60, 0);
	fprintf(f, "%s\n", buf);
	memset(buf, 0, sizeof(buf));
	pread(closed, buf, 60, 0);
	fprintf(f, "%s\n", buf);
	for (i = 0; i < MANY; i++) {
		char name[64];

		snprintf(name, sizeof(name), "/tmp/many.%d", i);
		memset(buf, 0, sizeof(buf));
		pread(many[i], buf, 60, 0);
		named += publish(many[i], name) == 0 && atoi(buf + strlen("number ")) == i;
		unlink(name);
	}
	fprintf(f, "%d of them\n", named);
	chmod("closed", 0755);
	unlink("/tmp/small");
	return fclose(f);
}
