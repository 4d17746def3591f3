/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* socket_groups.h - the multicast groups that sockets are members of
 *
 * The kernel lists those of an interface, and tells of a socket whether it is in one of them, with the sources
 * that it wants or does not want.
 */

#ifndef CR_INIT_SOCKET_GROUPS_H
#define CR_INIT_SOCKET_GROUPS_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include <jansson.h>

struct socket_group {
	char interface[IF_NAMESIZE];
	unsigned index;
	struct sockaddr_storage address;
};

/* All of this network namespace, into a malloc'ed array; what cannot be read is none. */
size_t socket_groups_list(struct socket_group **groups);

/* Those that the socket is in: [{"interface", "group", "mode", "sources"}, ...]. NULL without memory. */
json_t *socket_groups_take(int fd, int family, const struct socket_group *all, size_t n);

bool socket_groups_ok(const json_t *groups);

/* Returns the number of those that cannot be joined here. */
unsigned socket_groups_apply(int fd, const json_t *groups);

#endif
