/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* cork.c - half a datagram */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int server = socket(AF_INET, SOCK_DGRAM, 0), client = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t size = sizeof(at);
	char text[32] = "";
	FILE *f;

	bind(server, (struct sockaddr *)&at, sizeof(at));
	getsockname(server, (struct sockaddr *)&at, &size);
	connect(client, (struct sockaddr *)&at, sizeof(at));
	setsockopt(client, IPPROTO_UDP, UDP_CORK, &(int){1}, sizeof(int));
	if (send(client, "one half, ", 10, 0) != 10)
		return 1;
	fclose(fopen("ready", "w"));
	while (access("go", F_OK))
		usleep(100000);
	if (send(client, "and the other", 13, 0) != 13)
		return 1;
	setsockopt(client, IPPROTO_UDP, UDP_CORK, &(int){0}, sizeof(int));
	if (recv(server, text, sizeof(text) - 1, 0) < 0)
		return 1;
	f = fopen("result", "w");
	fprintf(f, "%s\n", text);
	return fclose(f);
}
