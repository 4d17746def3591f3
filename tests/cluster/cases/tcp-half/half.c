/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* half.c - connections that one end has shut down or closed, or both, with and without data that waits */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum kind { CLIENT_SHUT, SERVER_SHUT, FULL_SHUT, BOTH_SHUT, BOTH_FULL_SHUT, CLIENT_CLOSED, KINDS };

static const char *const kinds[] = {"client shut down",
				    "server shut down",
				    "shut down behind a full queue",
				    "both shut down",
				    "both shut down behind full queues",
				    "client closed"};
static const char *const families[] = {"IPv4", "IPv6", "IPv4 in IPv6"};

static struct {
	int client, server;
	long to_server, to_client; /* bytes of full queues */
} pairs[3][KINDS];
static FILE *result;

static void connect_pair(int family, int *client, int *server)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6};
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr *at = family ? (struct sockaddr *)&six : (struct sockaddr *)&four;
	socklen_t size = family ? sizeof(six) : sizeof(four);
	int fd = socket(family ? AF_INET6 : AF_INET, SOCK_STREAM, 0), buffer = 50000;

	inet_pton(AF_INET6, family == 1 ? "::1" : "::ffff:127.0.0.1", &six.sin6_addr);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
	if (bind(fd, at, size) < 0 || listen(fd, 1) < 0 || getsockname(fd, at, &size) < 0)
		perror("listen");
	*client = socket(family ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
	setsockopt(*client, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	setsockopt(*client, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
	if (connect(*client, at, size) < 0)
		perror("connect");
	*server = accept(fd, NULL, NULL);
	close(fd);
}

static long fill(int fd)
{
	long sent = 0;
	char text[1000];

	for (int idle = 0; idle < 2;) {
		ssize_t n;

		for (size_t k = 0; k < sizeof(text); k++)
			text[k] = (char)((sent + (long)k) % 251);
		n = send(fd, text, sizeof(text), MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0) {
			sent += n;
			idle = 0;
			continue;
		}
		idle++;
		usleep(20000);
	}
	return sent;
}

/* All until the end of file: what it was. expected: of a full queue, or 0. */
static void all(const char *what, int fd, long expected)
{
	char text[4096], words[64] = "";
	long got = 0, bad = 0;
	ssize_t n = -1;

	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};

		if (poll(&p, 1, 2500) != 1) {
			fprintf(result, "  %s: NOTHING MORE after %ld\n", what, got);
			return;
		}
		n = recv(fd, text, sizeof(text) - 1, 0);
		if (n <= 0)
			break;
		for (ssize_t k = 0; expected && k < n; k++)
			bad += text[k] != (char)((got + k) % 251);
		text[n] = '\0';
		if (!expected)
			snprintf(words + strlen(words), sizeof(words) - strlen(words), "%.40s", text);
		got += n;
	}
	if (n < 0)
		fprintf(result, "  %s: %s\n", what, strerror(errno));
	else if (expected)
		fprintf(result, "  %s: %s\n", what, got == expected && !bad ? "every byte" : "NOT WHOLE");
	else
		fprintf(result, "  %s: %s\n", what, words);
}

static void put(const char *what, int fd, const char *text)
{
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) != (ssize_t)strlen(text))
		fprintf(result, "  %s: %s\n", what, strerror(errno));
}

static void prepare(int family, enum kind kind)
{
	int *client = &pairs[family][kind].client, *server = &pairs[family][kind].server;

	connect_pair(family, client, server);
	if (kind == FULL_SHUT || kind == BOTH_FULL_SHUT)
		pairs[family][kind].to_server = fill(*client);
	else
		put("question", *client, "question");
	if (kind == BOTH_FULL_SHUT)
		pairs[family][kind].to_client = fill(*server);
	else if (kind != CLIENT_CLOSED)
		put("greeting", *server, "greeting");
	if (kind == CLIENT_CLOSED)
		close(*client);
	else if (kind != SERVER_SHUT)
		shutdown(*client, SHUT_WR);
	if (kind == SERVER_SHUT || kind == BOTH_SHUT || kind == BOTH_FULL_SHUT)
		shutdown(*server, SHUT_WR);
}

static void finish(int family, enum kind kind)
{
	int client = pairs[family][kind].client, server = pairs[family][kind].server;

	fprintf(result, "%s, %s:\n", families[family], kinds[kind]);
	if (kind == CLIENT_SHUT || kind == FULL_SHUT) {
		put("answer", server, ", answer");
		shutdown(server, SHUT_WR);
	} else if (kind == SERVER_SHUT) {
		put("more", client, ", more");
		shutdown(client, SHUT_WR);
	}
	all("server has", server, pairs[family][kind].to_server);
	if (kind != CLIENT_CLOSED)
		all("client has", client, pairs[family][kind].to_client);
}

int main(void)
{
	for (int family = 0; family < 3; family++)
		for (int kind = 0; kind < KINDS; kind++)
			prepare(family, kind);
	close(open("ready", O_WRONLY | O_CREAT, 0600));
	while (access("go", F_OK) < 0)
		usleep(100000);
	result = fopen("result.new", "w");
	for (int family = 0; family < 3; family++)
		for (int kind = 0; kind < KINDS; kind++)
			finish(family, kind);
	fclose(result);
	return rename("result.new", "result");
}
