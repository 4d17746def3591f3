/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* sem.c - named semaphores, and other files whose name is gone while they have another: sem_open makes a file,
 * links it to its name, and removes the first name, which the mapping has */

#define _GNU_SOURCE
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int moved(const char *first, const char *second)
{
	int fd = open(first, O_RDWR | O_CREAT, 0600);

	if (fd < 0 || write(fd, "one", 3) != 3 || link(first, second) || unlink(first))
		return -1;
	return fd;
}

// the name of an open file, and how many it has
static void told(FILE *f, const char *what, int fd)
{
	char path[64], name[256];
	struct stat st;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, name, sizeof(name) - 1);
	name[n < 0 ? 0 : n] = '\0';
	fstat(fd, &st);
	fprintf(f, "%s %.10s %u\n", what, name, (unsigned)st.st_nlink);
}

static int content(const char *path, char buf[32])
{
	int fd = open(path, O_RDONLY), n = fd < 0 ? -1 : (int)read(fd, buf, 31);

	buf[n < 0 ? 0 : n] = '\0';
	return n;
}

int main(void)
{
	sem_t *kept = sem_open("/case.kept", O_CREAT, 0600, 2), *gone = sem_open("/case.gone", O_CREAT, 0600, 3);
	int plain, deep, status, value;
	char text[32];
	pid_t pid;
	FILE *f;

	if (kept == SEM_FAILED || gone == SEM_FAILED || sem_unlink("/case.gone"))
		return 2;
	plain = moved("/tmp/first", "/tmp/second");
	mkdir("/dev/shm/dir", 0700);
	deep = moved("/dev/shm/dir/first", "/dev/shm/second");
	rmdir("/dev/shm/dir");
	// the name is another file's
	close(creat("/tmp/first", 0600));
	if (plain < 0 || deep < 0)
		return 3;
	sem_wait(kept);
	pid = fork();
	if (pid == 0) {
		sem_wait(gone);
		while (sem_trywait(kept) == 0)
			;
		while (access("go", F_OK))
			usleep(100000);
		sem_post(gone);
		sem_post(gone);
		_exit(0);
	}
	do
		sem_getvalue(kept, &value);
	while (value > 0);
	close(creat("ready", 0600));
	while (access("go", F_OK))
		usleep(100000);
	waitpid(pid, &status, 0);
	pid = fork();
	if (pid == 0) {
		sem_t *again = sem_open("/case.kept", 0);

		_exit(again == SEM_FAILED || sem_post(again) || sem_post(again) ? 9 : 0);
	}
	f = fopen("result", "w");
	fprintf(f, "first child %d", status);
	waitpid(pid, &status, 0);
	fprintf(f, ", second %d", status);
	sem_getvalue(kept, &value);
	fprintf(f, "; kept %d", value);
	sem_getvalue(gone, &value);
	fprintf(f, ", gone %d\n", value);
	if (write(plain, " two", 4) != 4 || write(deep, " two", 4) != 4)
		fprintf(f, "cannot be written\n");
	fprintf(f, "%d", content("/tmp/second", text));
	fprintf(f, " %s", text);
	fprintf(f, " %d", content("/dev/shm/second", text));
	fprintf(f, " %s", text);
	fprintf(f, " %d\n", content("/tmp/first", text));
	told(f, "plain", plain);
	told(f, "deep", deep);
	sem_unlink("/case.kept");
	unlink("/tmp/first");
	unlink("/tmp/second");
	unlink("/dev/shm/second");
	return fclose(f);
}
