/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* descriptors - 10,000 of them: files, pipes and socket pairs with something in them, eventfds with a count */

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES  3000 /* twice each */
#define PIPES  300
#define PAIRS  700
#define EVENTS 2000
#define ALL    (2 * (FILES + PIPES + PAIRS) + EVENTS)

static int files[FILES], again[FILES], pipes[PIPES][2], pairs[PAIRS][2], events[EVENTS];

static int put(int fd, int i)
{
	char text[32];

	snprintf(text, sizeof(text), "%06d\n", i);
	return write(fd, text, 7) == 7 ? 0 : -1;
}

static int all_open(void)
{
	char name[32];

	if (mkdir("files", 0755) < 0)
		return -1;
	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "files/%d", i % 100);
		files[i] = open(name, O_RDWR | O_CREAT | O_APPEND, 0644);
		if (files[i] < 0 || put(files[i], i) < 0 || (again[i] = open(name, O_RDONLY)) < 0 ||
		    lseek(again[i], i / 100 * 7, SEEK_SET) < 0)
			return -1;
	}
	/* every other one small: a user has 64 MiB of pipes */
	for (int i = 0; i < PIPES; i++)
		if (pipe(pipes[i]) < 0 || (i % 2 && fcntl(pipes[i][1], F_SETPIPE_SZ, 4096) < 0) ||
		    put(pipes[i][1], i) < 0)
			return -1;
	for (int i = 0; i < PAIRS; i++)
		if (socketpair(AF_UNIX, i % 2 ? SOCK_STREAM : SOCK_SEQPACKET, 0, pairs[i]) < 0 ||
		    put(pairs[i][0], i) < 0)
			return -1;
	for (int i = 0; i < EVENTS; i++)
		if ((events[i] = eventfd((unsigned)i + 1, i % 2 ? EFD_NONBLOCK : 0)) < 0)
			return -1;
	return 0;
}

static int says(int fd, int i)
{
	char text[32], is[32];

	snprintf(text, sizeof(text), "%06d\n", i);
	return read(fd, is, 7) == 7 && memcmp(is, text, 7) == 0;
}

/* how many of each are right */
static void all_read(void)
{
	int right[5] = {0, 0, 0, 0, 0};
	uint64_t count;

	for (int i = 0; i < FILES; i++)
		right[0] += says(again[i], i);
	for (int i = 0; i < PIPES; i++) {
		right[1] += says(pipes[i][0], i);
		right[2] += fcntl(pipes[i][0], F_GETPIPE_SZ) == (i % 2 ? 4096 : 65536);
	}
	for (int i = 0; i < PAIRS; i++)
		right[3] += says(pairs[i][1], i);
	for (int i = 0; i < EVENTS; i++)
		right[4] += read(events[i], &count, 8) == 8 && count == (uint64_t)i + 1;
	printf("right: %d files, %d pipes, %d sizes of pipes, %d pairs, %d eventfds\n", right[0], right[1],
	       right[2], right[3], right[4]);
}

int main(void)
{
	struct rlimit limit;

	setlinebuf(stdout);
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < ALL + 3 || all_open() < 0) {
		perror("descriptors");
		return 1;
	}
	printf("%d descriptors, the last is above: %d\nready\n", ALL, events[EVENTS - 1] >= ALL);
	while (access("go", F_OK) < 0)
		usleep(200000);
	all_read();
	for (int i = 0; i < FILES; i++)
		if (put(files[i], i) < 0)
			perror("descriptors");
	printf("end\n");
	return 0;
}
