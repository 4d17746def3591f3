/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* waiting.c - a client has connected, and nobody has accepted it yet: over TCP, or to a UNIX socket; with `said`
 * it has sent its request already */

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_in tcp = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "socket"};
	int is_tcp = argc > 1 && strcmp(argv[1], "tcp") == 0, said = argc > 2;
	struct sockaddr *at = is_tcp ? (struct sockaddr *)&tcp : (struct sockaddr *)&un;
	socklen_t size = is_tcp ? sizeof(tcp) : sizeof(un);
	int listener = socket(at->sa_family, SOCK_STREAM, 0), client = socket(at->sa_family, SOCK_STREAM, 0), fd;
	struct pollfd p = {.events = POLLIN};
	char text[64] = "";
	FILE *f;

	unlink("socket");
	if (bind(listener, at, size) < 0 || listen(listener, 4) < 0 ||
	    (is_tcp && getsockname(listener, at, &size) < 0) || connect(client, at, size) < 0)
		perror("connect");
	if (said && send(client, "request", 7, 0) != 7)
		perror("send");
	close(open("ready", O_WRONLY | O_CREAT, 0600));
	while (access("go", F_OK) < 0)
		usleep(100000);
	if (!said && send(client, "request", 7, 0) != 7)
		perror("send");
	p.fd = listener;
	fd = poll(&p, 1, 3000) == 1 ? accept(listener, NULL, NULL) : -1;
	p.fd = fd;
	if (fd >= 0 && poll(&p, 1, 3000) == 1)
		(void)!recv(fd, text, sizeof(text) - 1, 0);
	f = fopen("result.new", "w");
	fprintf(f, "%s\n", fd < 0 ? "nobody" : *text ? text : "nothing");
	fclose(f);
	return rename("result.new", "result");
}
