/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* udp.c - datagrams that wait to be read, options and multicast groups of sockets */

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static FILE *result;

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int bound(struct sockaddr_in *at, in_addr_t address)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t size = sizeof(*at);

	*at = loopback(0);
	at->sin_addr.s_addr = address;
	if (bind(fd, (struct sockaddr *)at, size) < 0 || getsockname(fd, (struct sockaddr *)at, &size) < 0)
		perror("bind");
	return fd;
}

static void put(int fd, const char *text, const struct sockaddr_in *to)
{
	if (sendto(fd, text, strlen(text), 0, (const struct sockaddr *)to, to ? sizeof(*to) : 0) < 0)
		perror("send");
}

static const char *get(int fd, struct sockaddr_in *from)
{
	static char text[128];
	struct pollfd p = {.fd = fd, .events = POLLIN};
	socklen_t size = sizeof(*from);
	ssize_t n = poll(&p, 1, 2000) == 1 ? recvfrom(fd, text, sizeof(text) - 1, MSG_DONTWAIT,
						      (struct sockaddr *)from, from ? &size : NULL)
					   : -1;

	if (n < 0)
		return "NOTHING";
	text[n] = '\0';
	return text;
}

static void set(int fd, int level, int name, int value)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)) < 0)
		perror("setsockopt");
}

static void say_option(const char *what, int fd, int level, int name)
{
	socklen_t size = sizeof(int);
	int value = -1;

	getsockopt(fd, level, name, &value, &size);
	fprintf(result, "%s %d\n", what, value);
}

static void options_set(int fd)
{
	struct in_addr lo = {htonl(INADDR_LOOPBACK)};

	set(fd, SOL_SOCKET, SO_BROADCAST, 1);
	set(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
	set(fd, IPPROTO_IP, IP_TTL, 7);
	set(fd, IPPROTO_IP, IP_TOS, 0x10);
	set(fd, IPPROTO_IP, IP_PKTINFO, 1);
	set(fd, IPPROTO_IP, IP_RECVERR, 1);
	set(fd, IPPROTO_IP, IP_RECVTTL, 1);
	set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
	set(fd, IPPROTO_IP, IP_MULTICAST_TTL, 3);
	set(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0);
	setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &lo, sizeof(lo));
}

static void options_say(int fd)
{
	say_option("broadcast", fd, SOL_SOCKET, SO_BROADCAST);
	say_option("timestamps", fd, SOL_SOCKET, SO_TIMESTAMPNS);
	say_option("ttl", fd, IPPROTO_IP, IP_TTL);
	say_option("tos", fd, IPPROTO_IP, IP_TOS);
	say_option("packet information", fd, IPPROTO_IP, IP_PKTINFO);
	say_option("errors", fd, IPPROTO_IP, IP_RECVERR);
	say_option("received ttl", fd, IPPROTO_IP, IP_RECVTTL);
	say_option("path mtu", fd, IPPROTO_IP, IP_MTU_DISCOVER);
	say_option("multicast ttl", fd, IPPROTO_IP, IP_MULTICAST_TTL);
	say_option("multicast of all", fd, IPPROTO_IP, IP_MULTICAST_ALL);
	say_option("multicast interface", fd, IPPROTO_IP, IP_MULTICAST_IF);
}

int main(void)
{
	struct sockaddr_in server, client, any, gone, group, from;
	int s = bound(&server, htonl(INADDR_LOOPBACK)), c = bound(&client, htonl(INADDR_LOOPBACK));
	int w = bound(&any, htonl(INADDR_ANY)), g = bound(&gone, htonl(INADDR_LOOPBACK)),
	    o = socket(AF_INET, SOCK_DGRAM, 0);
	int m = bound(&group, htonl(INADDR_ANY)), six = socket(AF_INET6, SOCK_DGRAM, 0);
	struct ip_mreqn all = {.imr_ifindex = (int)if_nametoindex("lo")};
	struct ip_mreq_source one = {.imr_interface.s_addr = htonl(INADDR_LOOPBACK),
				     .imr_sourceaddr.s_addr = htonl(INADDR_LOOPBACK)};
	struct ipv6_mreq all6 = {.ipv6mr_interface = if_nametoindex("lo")};
	struct sockaddr_in to;

	inet_pton(AF_INET, "239.1.2.3", &all.imr_multiaddr);
	inet_pton(AF_INET, "232.1.2.3", &one.imr_multiaddr);
	inet_pton(AF_INET6, "ff15::1:2:3", &all6.ipv6mr_multiaddr);
	options_set(o);
	set(six, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 9);
	set(six, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
	set(six, IPPROTO_IPV6, IPV6_MULTICAST_IF, (int)if_nametoindex("lo"));
	if (setsockopt(m, IPPROTO_IP, IP_ADD_MEMBERSHIP, &all, sizeof(all)) < 0 ||
	    setsockopt(m, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &one, sizeof(one)) < 0 ||
	    setsockopt(six, IPPROTO_IPV6, IPV6_JOIN_GROUP, &all6, sizeof(all6)) < 0)
		perror("groups");
	connect(c, (struct sockaddr *)&server, sizeof(server));
	put(c, "first", NULL);
	put(c, "", NULL);
	put(g, "from one that is gone", &server);
	put(s, "from itself", &server);
	any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	put(s, "to all addresses", &any);
	put(c, "last", NULL);
	close(g);
	fclose(fopen("ready", "w"));
	while (access("go", F_OK))
		usleep(100000);
	result = fopen("result", "w");
	for (int i = 0; i < 5; i++) {
		fprintf(result, "received: %s", get(s, &from));
		fprintf(result, " from %s\n",
			from.sin_port == client.sin_port   ? "the client"
			: from.sin_port == gone.sin_port   ? "the one that is gone"
			: from.sin_port == server.sin_port ? "itself"
							   : "SOMEBODY");
		if (i == 0)
			put(s, "answer", &from);
	}
	fprintf(result, "answer: %s\n", get(c, NULL));
	fprintf(result, "received: %s\n", get(w, NULL));
	put(c, "one more", NULL);
	fprintf(result, "received: %s\n", get(s, NULL));
	options_say(o);
	say_option("hops", six, IPPROTO_IPV6, IPV6_UNICAST_HOPS);
	say_option("packet information", six, IPPROTO_IPV6, IPV6_RECVPKTINFO);
	say_option("multicast interface", six, IPPROTO_IPV6, IPV6_MULTICAST_IF);
	to = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = group.sin_port, .sin_addr = all.imr_multiaddr};
	put(o, "to the group", &to);
	fprintf(result, "group: %s\n", get(m, NULL));
	to.sin_addr = one.imr_multiaddr;
	put(o, "to the group of one source", &to);
	fprintf(result, "group: %s\n", get(m, NULL));
	fprintf(result, "group: %s\n",
		setsockopt(six, IPPROTO_IPV6, IPV6_LEAVE_GROUP, &all6, sizeof(all6)) ? "LOST" : "left");
	return fclose(result);
}
