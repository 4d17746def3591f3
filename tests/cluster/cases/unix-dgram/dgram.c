/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* dgram.c - requests wait at UNIX datagram sockets; each is answered to where it came from */

#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static FILE *result;

static socklen_t name(struct sockaddr_un *at, const char *text)
{
	memset(at, 0, sizeof(*at));
	at->sun_family = AF_UNIX;
	strcpy(at->sun_path, text);
	if (at->sun_path[0] != '@')
		return sizeof(*at);
	at->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(text));
}

static int bound(const char *text)
{
	struct sockaddr_un at;
	socklen_t size = name(&at, text);
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	/* the node may have one of an earlier run */
	if (at.sun_path[0])
		unlink(at.sun_path);
	if (*text && bind(fd, (struct sockaddr *)&at, size) < 0)
		perror(text);
	return fd;
}

static void put(int fd, const char *text, const char *to)
{
	struct sockaddr_un at;
	socklen_t size = name(&at, to);

	if (sendto(fd, text, strlen(text), 0, (struct sockaddr *)&at, size) < 0)
		perror(to);
}

static ssize_t get(int fd, char *text, size_t room, struct sockaddr_un *from, socklen_t *size)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 2000) == 1 ? recvfrom(fd, text, room, MSG_DONTWAIT, (struct sockaddr *)from, size) : -1;
}

static void serve(int fd, int n)
{
	struct sockaddr_un from;
	char text[64], answer[80];

	for (int i = 0; i < n; i++) {
		socklen_t size = sizeof(from);
		ssize_t got = get(fd, text, sizeof(text), &from, &size);

		fprintf(result, "request: %.*s%s\n", got < 0 ? 7 : (int)got, got < 0 ? "NOTHING" : text,
			size > offsetof(struct sockaddr_un, sun_path) ? "" : ", of no name");
		if (got < 0 || size <= offsetof(struct sockaddr_un, sun_path))
			continue;
		snprintf(answer, sizeof(answer), "to %.*s", (int)got, text);
		sendto(fd, answer, strlen(answer), 0, (struct sockaddr *)&from, size);
	}
}

static void say(const char *who, int fd)
{
	char text[80];
	ssize_t n = get(fd, text, sizeof(text), NULL, NULL);

	fprintf(result, "%s: %.*s\n", who, n < 0 ? 7 : (int)n, n < 0 ? "NOTHING" : text);
}

static void send_file(int fd, const char *to)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	struct sockaddr_un at;
	socklen_t size = name(&at, to);
	struct iovec iov = {"file", 4};
	struct msghdr msg = {.msg_name = &at,
			     .msg_namelen = size,
			     .msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	FILE *f = fopen("sent", "w+");

	fputs("in the file\n", f);
	fflush(f);
	*c = (struct cmsghdr){
		.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
	memcpy(CMSG_DATA(c), &(int){fileno(f)}, sizeof(int));
	if (sendmsg(fd, &msg, 0) < 0)
		perror("sendmsg");
	fclose(f);
}

static void say_file(int fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	char text[64] = "";
	struct iovec iov = {text, sizeof(text)};
	struct sockaddr_un from;
	struct msghdr msg = {.msg_name = &from,
			     .msg_namelen = sizeof(from),
			     .msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof(control)};
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int file = -1;

	if (poll(&p, 1, 2000) == 1 && recvmsg(fd, &msg, MSG_DONTWAIT) > 0 && CMSG_FIRSTHDR(&msg))
		memcpy(&file, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(file));
	fprintf(result, "%s from %s", text, from.sun_path);
	memset(text, 0, sizeof(text));
	fprintf(result, ": %s", pread(file, text, sizeof(text) - 1, 0) > 0 ? text : "NOTHING\n");
}

int main(void)
{
	int s = bound("/tmp/server"), r = bound("relative"), files = bound("/tmp/files"), pair[2];
	int one = bound("/tmp/one"), two = bound("/tmp/two"), abstract = bound("@one of cases/unix-dgram"),
	    plain = bound("");
	int gone = bound("@gone of cases/unix-dgram");
	struct sockaddr_un at;
	socklen_t size = name(&at, "/tmp/server");

	put(one, "request 1", "/tmp/server");
	put(two, "request 2", "/tmp/server");
	connect(abstract, (struct sockaddr *)&at, size);
	if (send(abstract, "request 3", 9, 0) < 0)
		perror("send");
	put(plain, "request 4", "/tmp/server");
	put(gone, "request 5", "/tmp/server");
	put(one, "request 6", "/tmp/server");
	put(two, "request 7", "relative");
	put(one, "request 8", "relative");
	close(gone);
	socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
	if (send(pair[0], "through the pair", 16, 0) < 0 || send(pair[0], "once more", 9, 0) < 0)
		perror("pair");
	send_file(two, "/tmp/files");
	fclose(fopen("ready", "w"));
	while (access("go", F_OK))
		usleep(100000);
	result = fopen("result", "w");
	serve(s, 6);
	serve(r, 2);
	say("one", one);
	say("one", one);
	say("one", one);
	say("two", two);
	say("two", two);
	say("abstract", abstract);
	say("pair", pair[1]);
	say("pair", pair[1]);
	say_file(files);
	return fclose(result);
}
