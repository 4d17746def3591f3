/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* empty.c - empty datagrams among others, at the head and behind it, and the end of a connection */

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static FILE *result;

static void put(int fd, const char *const *texts)
{
	for (; *texts; texts++)
		if (send(fd, *texts, strlen(*texts), 0) < 0)
			perror("send");
}

static void say(const char *what, int fd, int n)
{
	char text[64];

	fprintf(result, "%s:", what);
	for (int i = 0; i < n; i++) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		ssize_t got = poll(&p, 1, 2000) == 1 ? recv(fd, text, sizeof(text), MSG_DONTWAIT) : -1;

		fprintf(result, " \"%.*s\"", got < 0 ? 7 : (int)got, got < 0 ? "NOTHING" : text);
	}
	fprintf(result, "%s\n",
		recv(fd, text, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN ? ", no more" : ", the end");
}

int main(void)
{
	static const char *const within[] = {"one", "", "three", "", NULL}, *const head[] = {"", "two", NULL},
				 *const alone[] = {"", NULL}, *const none[] = {NULL};
	static const char *const *const all[] = {within, head, alone, none};
	static const char *const names[] = {"within", "at the head", "alone", "none"};
	int dgram[4][2], packet[4][2], ended[2];

	for (int i = 0; i < 4; i++) {
		socketpair(AF_UNIX, SOCK_DGRAM, 0, dgram[i]);
		socketpair(AF_UNIX, SOCK_SEQPACKET, 0, packet[i]);
		put(dgram[i][0], all[i]);
		put(packet[i][0], all[i]);
	}
	socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ended);
	put(ended[0], (const char *const[]){"last", NULL});
	shutdown(ended[0], SHUT_WR);
	fclose(fopen("ready", "w"));
	while (access("go", F_OK))
		usleep(100000);
	result = fopen("result", "w");
	for (int i = 0; i < 4; i++) {
		int n = 0;

		while (all[i][n])
			n++;
		say(names[i], dgram[i][1], n);
		say(names[i], packet[i][1], n);
	}
	say("ended", ended[1], 1);
	return fclose(result);
}
