/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* full.c - connections over loopback that are full in both directions, read half, filled again, and then checked
 * to the last byte */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define N 6

static struct side {
	int fd[N], end[N];
	long sent[N], got[N], bad[N];
} side;
static int who; /* 0 and 1 */

static unsigned char byte_at(int from, int i, long at)
{
	return (unsigned char)(at * 7 + at / 251 + i * 31 + from);
}

/* until nothing goes in any more */
static void fill(void)
{
	static unsigned char text[1500];
	int idle = 0;

	while (idle < 3) {
		int any = 0;

		for (int i = 0; i < N; i++) {
			int size = 17 + 200 * i;
			ssize_t n;

			do {
				for (int k = 0; k < size; k++)
					text[k] = byte_at(who, i, side.sent[i] + k);
				n = send(side.fd[i], text, size, MSG_DONTWAIT | MSG_NOSIGNAL);
				if (n > 0) {
					side.sent[i] += n;
					any = 1;
				}
			} while (n > 0);
		}
		idle = any ? 0 : idle + 1;
		usleep(30000);
	}
}

static void take(int i, int most)
{
	static unsigned char text[65536];
	ssize_t n = recv(side.fd[i], text, most < (int)sizeof(text) ? most : (int)sizeof(text), MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN))
		side.end[i] = n == 0 ? 1 : -errno;
	for (ssize_t k = 0; k < n; k++)
		side.bad[i] += text[k] != byte_at(!who, i, side.got[i] + k);
	if (n > 0)
		side.got[i] += n;
}

static void drain(void)
{
	for (int left = N, waits = 0; left > 0 && waits < 450; waits++) {
		struct pollfd p[N];

		left = 0;
		for (int i = 0; i < N; i++) {
			p[i] = (struct pollfd){.fd = side.end[i] ? -1 : side.fd[i], .events = POLLIN};
			left += !side.end[i];
		}
		if (left && poll(p, N, 100) > 0)
			waits--;
		for (int i = 0; i < N; i++)
			if (p[i].revents)
				take(i, sizeof(int) << 14);
	}
}

static void limit(int fd, int i)
{
	int size = i % 3 == 1 ? 100000 : 16384;

	if (i % 3 == 0) {
		size = 400000;
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		return;
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

static int listener(int i, struct sockaddr_in6 *at, socklen_t *size)
{
	int fd = socket(i % 2 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in *four = (struct sockaddr_in *)at;

	memset(at, 0, sizeof(*at));
	*size = sizeof(*at);
	if (i % 2) {
		at->sin6_family = AF_INET6;
		at->sin6_addr = in6addr_loopback;
	} else {
		four->sin_family = AF_INET;
		four->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		*size = sizeof(*four);
	}
	limit(fd, i);
	if (bind(fd, (struct sockaddr *)at, *size) < 0 || listen(fd, 1) < 0 ||
	    getsockname(fd, (struct sockaddr *)at, size) < 0)
		perror("listen");
	return fd;
}

/* until both are here */
static void meet(const int to[2], const int back[2])
{
	char c = 'x';

	if (who ? write(back[1], &c, 1) != 1 || read(to[0], &c, 1) != 1
		: read(back[0], &c, 1) != 1 || write(to[1], &c, 1) != 1)
		_exit(1);
}

int main(void)
{
	struct sockaddr_in6 at[N];
	int listen_fd[N], to[2], back[2];
	socklen_t size[N];
	struct side other;

	if (pipe(to) < 0 || pipe(back) < 0)
		return 1;
	for (int i = 0; i < N; i++)
		listen_fd[i] = listener(i, &at[i], &size[i]);
	who = fork() == 0;
	for (int i = 0; i < N; i++) {
		if (who) {
			side.fd[i] = socket(i % 2 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
			limit(side.fd[i], i);
			if (connect(side.fd[i], (struct sockaddr *)&at[i], size[i]) < 0)
				perror("connect");
		} else {
			side.fd[i] = accept(listen_fd[i], NULL, NULL);
		}
		close(listen_fd[i]);
	}
	fill();
	/* one reads some, and both fill once more */
	meet(to, back);
	for (int i = 0; who && i < N; i++)
		take(i, 40000);
	fill();
	meet(to, back);
	if (!who)
		close(open("ready", O_WRONLY | O_CREAT, 0600));
	while (access("go", F_OK) < 0)
		usleep(100000);
	for (int i = 0; i < N; i++)
		shutdown(side.fd[i], SHUT_WR);
	drain();
	if (who)
		return write(back[1], &side, sizeof(side)) == sizeof(side) ? 0 : 1;
	if (read(back[0], &other, sizeof(other)) != sizeof(other))
		return 1;
	wait(NULL);

	FILE *f = fopen("result.new", "w");

	for (int i = 0; i < N; i++) {
		int ok = side.end[i] == 1 && other.end[i] == 1 && side.got[i] == other.sent[i] &&
			 other.got[i] == side.sent[i] && !side.bad[i] && !other.bad[i];

		fprintf(f, "%d %s\n", i, ok ? "every byte" : "NOT WHOLE");
		fprintf(stderr, "%d: sent %ld %ld got %ld %ld bad %ld %ld end %d %d\n", i, side.sent[i],
			other.sent[i], side.got[i], other.got[i], side.bad[i], other.bad[i], side.end[i],
			other.end[i]);
	}
	fclose(f);
	return rename("result.new", "result");
}
