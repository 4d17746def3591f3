/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* edit_sockets.c - sockets bound to an address that this node has not, or to a name that is gone
 *
 * A program that binds to its host's name, or connects a UDP socket to another host, has a socket with an address
 * of the node. On another one criu could not bind to it. All of that node's addresses are the nearest: who asks
 * at the port is heard, and a connected UDP socket gets the address that leads to its peer.
 *
 * An address or a group of a link is bound to together with its interface. criu asks for the interface once more,
 * which takes CAP_NET_RAW then, and does not name it for a group.
 *
 * Of a UNIX socket whose name was removed, or is another's by now, criu notes as mode and owner what it found
 * instead, which is nothing, or the other's. Nobody can reach the socket by that name.
 */

#include "edits.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "proto/files.pb-c.h"

#define WORDS 4 /* of the longest address */

/* criu has the words of an address as they are in the packet. Returns the size, 0 when it is none of these. */
static socklen_t address_make(const Criu__InetSkEntry *isk, struct sockaddr_storage *storage)
{
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)storage;
	struct sockaddr_in *four = (struct sockaddr_in *)storage;

	memset(storage, 0, sizeof(*storage));
	if (isk->family == AF_INET && isk->n_src_addr == 1) {
		four->sin_family = AF_INET;
		memcpy(&four->sin_addr, isk->src_addr, sizeof(four->sin_addr));
		return sizeof(*four);
	}
	if (isk->family != AF_INET6 || isk->n_src_addr != WORDS)
		return 0;
	six->sin6_family = AF_INET6;
	memcpy(&six->sin6_addr, isk->src_addr, sizeof(six->sin6_addr));
	six->sin6_scope_id = isk->ifname ? if_nametoindex(isk->ifname) : 0;
	return sizeof(*six);
}

static bool is_any(const Criu__InetSkEntry *isk)
{
	for (size_t i = 0; i < isk->n_src_addr; i++)
		if (isk->src_addr[i])
			return false;
	return true;
}

/* One that is just being made cannot be bound to, but for criu. */
static bool is_tentative(const struct sockaddr_storage *address)
{
	const struct in6_addr *want = &((const struct sockaddr_in6 *)address)->sin6_addr;
	struct ifaddrs *all;
	bool found = false;

	if (address->ss_family != AF_INET6 || getifaddrs(&all) < 0)
		return false;
	for (const struct ifaddrs *i = all; i && !found; i = i->ifa_next)
		found = i->ifa_addr && i->ifa_addr->sa_family == AF_INET6 &&
			memcmp(&((const struct sockaddr_in6 *)(const void *)i->ifa_addr)->sin6_addr, want,
			       sizeof(*want)) == 0;
	freeifaddrs(all);
	return found;
}

/* An address that the node lacks, or an interface. What else is wrong criu finds out. */
static bool is_lacking(const Criu__InetSkEntry *isk)
{
	struct sockaddr_storage address;
	socklen_t size = address_make(isk, &address);
	cleanup_close int fd = size ? socket((int)isk->family, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;

	/* who binds to what is not there wants that */
	if (fd < 0 || (isk->ip_opts && isk->ip_opts->freebind))
		return false;
	if (isk->ifname && if_nametoindex(isk->ifname) == 0)
		return true;
	return bind(fd, (struct sockaddr *)&address, size) < 0 && errno == EADDRNOTAVAIL &&
	       !is_tentative(&address);
}

/* Does it take an interface to bind to its address? */
static bool is_of_link(const Criu__InetSkEntry *isk)
{
	struct sockaddr_storage address;
	const struct in6_addr *six = &((const struct sockaddr_in6 *)&address)->sin6_addr;

	return isk->src_port && isk->family == AF_INET6 && address_make(isk, &address) &&
	       (IN6_IS_ADDR_LINKLOCAL(six) || IN6_IS_ADDR_MC_LINKLOCAL(six) || IN6_IS_ADDR_MC_NODELOCAL(six));
}

/* The interface that it is bound to (SO_BINDTODEVICE), or was by binding to an address of that link. */
static int device_edit(struct edits *edits, Criu__InetSkEntry *isk)
{
	char **device = isk->opts ? &isk->opts->so_bound_dev : NULL;
	bool of_link = is_of_link(isk);

	if (!device || !*device || (!of_link && if_nametoindex(*device)))
		return CR_CRIUEDIT_KEEP;
	if (!of_link)
		edits_remark(edits,
			     "a socket with port %u was bound to the interface %.15s, which %s has not: it is "
			     "bound to none now",
			     isk->src_port, *device, edits->job->node);
	if (of_link && !isk->ifname)
		isk->ifname = *device;
	else
		free(*device);
	*device = NULL;
	return CR_CRIUEDIT_CHANGED;
}

/* All of the node's addresses instead of its own, on the interface that it was on if there is one of that name. */
static void address_widen(Criu__InetSkEntry *isk)
{
	memset(isk->src_addr, 0, isk->n_src_addr * sizeof(*isk->src_addr));
	if (isk->ifname && isk->opts && !isk->opts->so_bound_dev && if_nametoindex(isk->ifname))
		isk->opts->so_bound_dev = isk->ifname;
	else
		free(isk->ifname);
	isk->ifname = NULL;
}

static int address_edit(struct edits *edits, Criu__InetSkEntry *isk)
{
	char text[INET6_ADDRSTRLEN] = "";

	if (is_any(isk) || !is_lacking(isk))
		return CR_CRIUEDIT_KEEP;
	inet_ntop((int)isk->family, isk->src_addr, text, sizeof(text));
	edits_remark(edits,
		     "a socket was bound to %s, port %u, which %s has not: it is bound to all addresses now", text,
		     isk->src_port, edits->job->node);
	address_widen(isk);
	return CR_CRIUEDIT_CHANGED;
}

static int unix_edit(Criu__UnixSkEntry *usk)
{
	if (!usk->has_deleted || !usk->deleted || !usk->file_perms)
		return CR_CRIUEDIT_KEEP;
	protobuf_c_message_free_unpacked(&usk->file_perms->base, NULL);
	usk->file_perms = NULL;
	return CR_CRIUEDIT_CHANGED;
}

int edit_sockets(ProtobufCMessage *message, struct cr_criuedit_entry *at, struct cr_error *err)
{
	const Criu__FileEntry *file = (const Criu__FileEntry *)message;
	struct edits *edits = at->arg;
	int device, address = CR_CRIUEDIT_KEEP;
	/* a network of the job's own has the same addresses everywhere, and criu asks the kernel for names there
	 */
	bool own = edits->m->net && strcmp(edits->m->net, "private") == 0;

	(void)err;
	if (!own && file->usk)
		return unix_edit(file->usk);
	if (!file->isk)
		return CR_CRIUEDIT_KEEP;
	device = device_edit(edits, file->isk);
	if (!own)
		address = address_edit(edits, file->isk);
	return device == CR_CRIUEDIT_CHANGED ? device : address;
}
