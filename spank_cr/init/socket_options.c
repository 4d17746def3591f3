/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "socket_options.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"
#include "socket_text.h"

#define VALUE_MAX 64

/* whose it is */
enum { V4 = 1, V6 = 2, LOCAL = 4, DGRAM = 8, STREAM = 16 };

#define IP  (V4 | V6)
#define ALL (IP | LOCAL)

enum how {
	PLAIN,
	ADDRESS, /* of an interface, which may have another one on another node */
	INDEX,	 /* of an interface */
	LATE,
};

/* newer than some headers; the numbers are the kernel's */
static const struct option {
	int level, name, whose;
	enum how how;
} table[] = {
	{SOL_SOCKET, SO_DONTROUTE, IP, PLAIN},
	{SOL_SOCKET, SO_BROADCAST, ALL, PLAIN},
	{SOL_SOCKET, SO_KEEPALIVE, ALL, PLAIN},
	{SOL_SOCKET, SO_TIMESTAMP, ALL, PLAIN},
	{SOL_SOCKET, SO_TIMESTAMPNS, ALL, PLAIN},
	{SOL_SOCKET, SO_TIMESTAMPING, ALL, PLAIN},
	{SOL_SOCKET, 63 /* SO_TIMESTAMP_NEW */, ALL, PLAIN},
	{SOL_SOCKET, 64 /* SO_TIMESTAMPNS_NEW */, ALL, PLAIN},
	{SOL_SOCKET, SO_RXQ_OVFL, ALL, PLAIN},
	{SOL_SOCKET, SO_SELECT_ERR_QUEUE, ALL, PLAIN},
	{SOL_SOCKET, SO_BUSY_POLL, IP, PLAIN},
	{SOL_SOCKET, SO_MAX_PACING_RATE, IP, PLAIN},
	{SOL_SOCKET, 60 /* SO_ZEROCOPY */, ALL, PLAIN},
	{SOL_SOCKET, 61 /* SO_TXTIME */, IP, PLAIN},
	{SOL_SOCKET, 69 /* SO_PREFER_BUSY_POLL */, IP, PLAIN},
	{SOL_SOCKET, 75 /* SO_RCVMARK */, IP, PLAIN},
	{SOL_SOCKET, 76 /* SO_PASSPIDFD */, LOCAL, PLAIN},
	{SOL_SOCKET, 83 /* SO_PASSRIGHTS */, LOCAL, LATE},
	{SOL_SOCKET, SO_LOCK_FILTER, ALL, PLAIN},
	{SOL_SOCKET, SO_PEEK_OFF, ALL, LATE},
	{IPPROTO_IP, IP_TOS, IP, PLAIN},
	{IPPROTO_IP, IP_TTL, IP, PLAIN},
	{IPPROTO_IP, IP_OPTIONS, V4, PLAIN},
	{IPPROTO_IP, IP_RECVOPTS, IP, PLAIN},
	{IPPROTO_IP, IP_RETOPTS, IP, PLAIN},
	{IPPROTO_IP, IP_PKTINFO, IP, PLAIN},
	{IPPROTO_IP, IP_MTU_DISCOVER, IP, PLAIN},
	{IPPROTO_IP, IP_RECVERR, IP, PLAIN},
	{IPPROTO_IP, IP_RECVTTL, IP, PLAIN},
	{IPPROTO_IP, IP_RECVTOS, IP, PLAIN},
	{IPPROTO_IP, IP_FREEBIND, IP, PLAIN},
	{IPPROTO_IP, IP_PASSSEC, IP, PLAIN},
	{IPPROTO_IP, IP_RECVORIGDSTADDR, IP, PLAIN},
	{IPPROTO_IP, IP_MINTTL, IP, PLAIN},
	{IPPROTO_IP, 23 /* IP_CHECKSUM */, IP, PLAIN},
	{IPPROTO_IP, 24 /* IP_BIND_ADDRESS_NO_PORT */, IP, PLAIN},
	{IPPROTO_IP, 25 /* IP_RECVFRAGSIZE */, IP, PLAIN},
	{IPPROTO_IP, 26 /* IP_RECVERR_RFC4884 */, IP, PLAIN},
	{IPPROTO_IP, 51 /* IP_LOCAL_PORT_RANGE */, IP, PLAIN},
	{IPPROTO_IP, IP_MULTICAST_IF, IP | DGRAM, ADDRESS},
	{IPPROTO_IP, IP_MULTICAST_TTL, IP | DGRAM, PLAIN},
	{IPPROTO_IP, IP_MULTICAST_LOOP, IP | DGRAM, PLAIN},
	{IPPROTO_IP, IP_MULTICAST_ALL, IP | DGRAM, PLAIN},
	{IPPROTO_IPV6, IPV6_UNICAST_HOPS, V6, PLAIN},
	{IPPROTO_IPV6, IPV6_MULTICAST_IF, V6 | DGRAM, INDEX},
	{IPPROTO_IPV6, IPV6_MULTICAST_HOPS, V6 | DGRAM, PLAIN},
	{IPPROTO_IPV6, IPV6_MULTICAST_LOOP, V6 | DGRAM, PLAIN},
	{IPPROTO_IPV6, 29 /* IPV6_MULTICAST_ALL */, V6 | DGRAM, PLAIN},
	{IPPROTO_IPV6, IPV6_MTU_DISCOVER, V6, PLAIN},
	{IPPROTO_IPV6, IPV6_RECVERR, V6, PLAIN},
	{IPPROTO_IPV6, 31 /* IPV6_RECVERR_RFC4884 */, V6, PLAIN},
	{IPPROTO_IPV6, 33 /* IPV6_FLOWINFO_SEND */, V6, PLAIN},
	{IPPROTO_IPV6, IPV6_RECVPKTINFO, V6, PLAIN},
	{IPPROTO_IPV6, IPV6_RECVHOPLIMIT, V6, PLAIN},
	{IPPROTO_IPV6, IPV6_RECVHOPOPTS, V6, PLAIN},
	{IPPROTO_IPV6, IPV6_RECVRTHDR, V6, PLAIN},
	{IPPROTO_IPV6, IPV6_RECVDSTOPTS, V6, PLAIN},
	{IPPROTO_IPV6, IPV6_RECVPATHMTU, V6, PLAIN},
	{IPPROTO_IPV6, IPV6_DONTFRAG, V6, PLAIN},
	{IPPROTO_IPV6, IPV6_RECVTCLASS, V6, PLAIN},
	{IPPROTO_IPV6, IPV6_TCLASS, V6, PLAIN},
	{IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, V6, PLAIN},
	{IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, V6, PLAIN},
	{IPPROTO_IPV6, IPV6_MINHOPCOUNT, V6, PLAIN},
	{IPPROTO_IPV6, 74 /* IPV6_RECVORIGDSTADDR */, V6, PLAIN},
	{IPPROTO_IPV6, 77 /* IPV6_RECVFRAGSIZE */, V6, PLAIN},
	{IPPROTO_UDP, UDP_CORK, IP | DGRAM, LATE},
	{IPPROTO_UDP, 101 /* UDP_NO_CHECK6_TX */, IP | DGRAM, PLAIN},
	{IPPROTO_UDP, 102 /* UDP_NO_CHECK6_RX */, IP | DGRAM, PLAIN},
	{IPPROTO_UDP, 103 /* UDP_SEGMENT */, IP | DGRAM, LATE},
	{IPPROTO_UDP, 104 /* UDP_GRO */, IP | DGRAM, LATE},
	{IPPROTO_TCP, TCP_USER_TIMEOUT, IP | STREAM, PLAIN},
	{IPPROTO_TCP, TCP_NOTSENT_LOWAT, IP | STREAM, PLAIN},
	{IPPROTO_TCP, TCP_LINGER2, IP | STREAM, PLAIN},
	{IPPROTO_TCP, TCP_SYNCNT, IP | STREAM, PLAIN},
	{IPPROTO_TCP, TCP_DEFER_ACCEPT, IP | STREAM, PLAIN},
	{IPPROTO_TCP, TCP_CONGESTION, IP | STREAM, PLAIN},
};

#define N_TABLE (sizeof(table) / sizeof(table[0]))

static bool has(const struct option *o, int family, int type, int protocol)
{
	int is = family == AF_INET ? V4 : family == AF_INET6 ? V6 : family == AF_UNIX ? LOCAL : 0;

	if (!(o->whose & is) || ((o->whose & STREAM) && (type != SOCK_STREAM || protocol != IPPROTO_TCP)))
		return false;
	if ((o->whose & DGRAM) && type == SOCK_STREAM)
		return false;
	return o->level != IPPROTO_UDP || protocol == IPPROTO_UDP;
}

static const struct option *option_find(int level, int name)
{
	for (size_t i = 0; i < N_TABLE; i++) {
		if (table[i].level == level && table[i].name == name)
			return &table[i];
	}
	return NULL;
}

/* Returns its size, or -1 when there is no such option. */
static int option_get(int fd, const struct option *o, unsigned char value[VALUE_MAX])
{
	socklen_t size = VALUE_MAX;

	memset(value, 0, VALUE_MAX);
	return getsockopt(fd, o->level, o->name, value, &size) < 0 || size > VALUE_MAX ? -1 : (int)size;
}

/* The name of the interface that has this address, or "". */
static void address_interface(const void *address, char name[IF_NAMESIZE])
{
	struct ifaddrs *all = NULL;

	name[0] = '\0';
	if (getifaddrs(&all) < 0)
		return;
	for (const struct ifaddrs *a = all; a && !*name; a = a->ifa_next) {
		const struct sockaddr_in *in = (const void *)a->ifa_addr;

		if (in && in->sin_family == AF_INET && memcmp(&in->sin_addr, address, sizeof(in->sin_addr)) == 0)
			strncat(name, a->ifa_name, IF_NAMESIZE - 1);
	}
	freeifaddrs(all);
}

static json_t *option_note(const struct option *o, const unsigned char *value, int size)
{
	char name[IF_NAMESIZE] = "";
	int index;

	if (o->how == ADDRESS && size == (int)sizeof(struct in_addr))
		address_interface(value, name);
	if (o->how == INDEX && size == (int)sizeof(index)) {
		memcpy(&index, value, sizeof(index));
		if (!if_indextoname((unsigned)index, name))
			name[0] = '\0';
	}
	return *name ? json_pack("[i, i, o, s]", o->level, o->name, socket_text(value, (size_t)size), name)
		     : json_pack("[i, i, o]", o->level, o->name, socket_text(value, (size_t)size));
}

static int fresh_open(struct socket_new *fresh, int family, int type, int protocol)
{
	if (fresh->fd >= 0 && fresh->family == family && fresh->type == type && fresh->protocol == protocol)
		return 0;
	if (fresh->fd >= 0)
		close(fresh->fd);
	fresh->fd = socket(family, type | SOCK_CLOEXEC, protocol);
	fresh->family = family;
	fresh->type = type;
	fresh->protocol = protocol;
	return fresh->fd < 0 ? -1 : 0;
}

json_t *socket_options_take(int fd, int family, int type, int protocol, struct socket_new *fresh)
{
	unsigned char value[VALUE_MAX], usual[VALUE_MAX];
	json_t *options = json_array();

	/* a kind that this process may not make (raw ones): what there is of it criu knows */
	if (!options || fresh_open(fresh, family, type, protocol) < 0)
		return options;
	for (size_t i = 0; i < N_TABLE; i++) {
		int size = has(&table[i], family, type, protocol) ? option_get(fd, &table[i], value) : -1;

		if (size < 0 ||
		    (option_get(fresh->fd, &table[i], usual) == size && memcmp(value, usual, (size_t)size) == 0))
			continue;
		if (json_array_append_new(options, option_note(&table[i], value, size)) < 0) {
			json_decref(options);
			return NULL;
		}
	}
	return options;
}

bool socket_options_ok(const json_t *options)
{
	size_t i;
	json_t *item;

	if (!json_is_array(options))
		return false;
	json_array_foreach (options, i, item) {
		const char *interface = json_string_value(json_array_get(item, 3));

		if (!json_is_integer(json_array_get(item, 0)) || !json_is_integer(json_array_get(item, 1)) ||
		    socket_bytes(json_array_get(item, 2), NULL, VALUE_MAX) < 0 || json_array_size(item) > 4 ||
		    (json_array_size(item) == 4 && (!interface || strlen(interface) >= IF_NAMESIZE)))
			return false;
	}
	return true;
}

/* By the interface's name, which is what stays, if it has one. */
static int option_set(int fd, const struct option *o, const unsigned char *value, int size, const char *interface)
{
	unsigned index = interface ? if_nametoindex(interface) : 0;
	struct ip_mreqn mreq = {.imr_ifindex = (int)index};

	if (o->how == INDEX && index)
		return setsockopt(fd, o->level, o->name, &index, sizeof(index));
	if (o->how != ADDRESS || !index || size != (int)sizeof(mreq.imr_address))
		return setsockopt(fd, o->level, o->name, value, (socklen_t)size);
	memcpy(&mreq.imr_address, value, sizeof(mreq.imr_address));
	return setsockopt(fd, o->level, o->name, &mreq, sizeof(mreq));
}

unsigned socket_options_apply(int fd, const json_t *options, bool late, int *level, int *name)
{
	unsigned char value[VALUE_MAX], now[VALUE_MAX];
	unsigned missed = 0;
	size_t i;
	json_t *item;

	json_array_foreach (options, i, item) {
		const struct option *o = option_find((int)json_integer_value(json_array_get(item, 0)),
						     (int)json_integer_value(json_array_get(item, 1)));
		int size = socket_bytes(json_array_get(item, 2), value, sizeof(value));

		if (!o || (o->how == LATE) != late || size < 0 ||
		    (option_get(fd, o, now) == size && memcmp(value, now, (size_t)size) == 0))
			continue;
		if (option_set(fd, o, value, size, json_string_value(json_array_get(item, 3))) < 0 &&
		    missed++ == 0) {
			*level = o->level;
			*name = o->name;
		}
	}
	return missed;
}
