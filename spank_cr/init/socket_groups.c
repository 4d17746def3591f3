/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "socket_groups.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "socket_text.h"

#define GROUPS_MAX  4096 /* of all interfaces */
#define SOURCES_MAX 64	 /* net.ipv4.igmp_max_msf is 10 */

struct list {
	struct socket_group *groups;
	size_t n, room;
};

static void list_add(struct list *list, const struct socket_group *group)
{
	if (list->n == GROUPS_MAX)
		return;
	if (list->n == list->room) {
		size_t room = list->room ? 2 * list->room : 32;
		struct socket_group *more = realloc(list->groups, room * sizeof(*more));

		if (!more)
			return;
		list->groups = more;
		list->room = room;
	}
	list->groups[list->n++] = *group;
}

/* "1\tlo        :     1      V3", and below it "\t\t\t\t010000E0     1 0:00000000\t\t0": a number of this
 * machine's order. */
static void list_read_v4(struct list *list)
{
	cleanup_fclose FILE *f = fopen("/proc/self/net/igmp", "re");
	struct socket_group group = {.index = 0};
	struct sockaddr_in *in = (struct sockaddr_in *)&group.address;
	char line[256];

	in->sin_family = AF_INET;
	while (f && fgets(line, sizeof(line), f)) {
		uint32_t address;

		if (line[0] != '\t') {
			if (sscanf(line, "%u %15s", &group.index, group.interface) != 2)
				group.index = 0;
		} else if (group.index && sscanf(line, " %8" SCNx32, &address) == 1) {
			in->sin_addr.s_addr = address;
			list_add(list, &group);
		}
	}
}

/* "1    lo              ff020000000000000000000000000001     1 0000000C 0" */
static void list_read_v6(struct list *list)
{
	cleanup_fclose FILE *f = fopen("/proc/self/net/igmp6", "re");
	char line[256], hex[33];

	while (f && fgets(line, sizeof(line), f)) {
		struct socket_group group = {.index = 0};
		struct sockaddr_in6 *in = (struct sockaddr_in6 *)&group.address;
		json_t *text;

		if (sscanf(line, "%u %15s %32[0-9a-f]", &group.index, group.interface, hex) != 3)
			continue;
		in->sin6_family = AF_INET6;
		text = json_string(hex);
		if (socket_bytes(text, &in->sin6_addr, sizeof(in->sin6_addr)) == (int)sizeof(in->sin6_addr))
			list_add(list, &group);
		json_decref(text);
	}
}

size_t socket_groups_list(struct socket_group **groups)
{
	struct list list = {0};

	list_read_v4(&list);
	list_read_v6(&list);
	*groups = list.groups;
	return list.n;
}

static const void *address_of(const struct sockaddr_storage *s)
{
	return s->ss_family == AF_INET6 ? (const void *)&((const struct sockaddr_in6 *)s)->sin6_addr
					: (const void *)&((const struct sockaddr_in *)s)->sin_addr;
}

static int level_of(const struct sockaddr_storage *s)
{
	return s->ss_family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
}

static json_t *address_text(const struct sockaddr_storage *s)
{
	char text[INET6_ADDRSTRLEN];

	return json_string(inet_ntop(s->ss_family, address_of(s), text, sizeof(text)));
}

static int address_parse(const char *text, struct sockaddr_storage *s)
{
	memset(s, 0, sizeof(*s));
	if (!text)
		return -1;
	s->ss_family = strchr(text, ':') ? AF_INET6 : AF_INET;
	return inet_pton(s->ss_family, text, (void *)(uintptr_t)address_of(s)) == 1 ? 0 : -1;
}

static json_t *group_take(int fd, const struct socket_group *group, struct group_filter *filter)
{
	socklen_t size = GROUP_FILTER_SIZE(SOURCES_MAX);
	json_t *sources;

	memset(filter, 0, size);
	filter->gf_interface = group->index;
	filter->gf_group = group->address;
	filter->gf_numsrc = SOURCES_MAX;
	if (getsockopt(fd, level_of(&group->address), MCAST_MSFILTER, filter, &size) < 0)
		return json_null();
	sources = json_array();
	for (uint32_t i = 0; i < filter->gf_numsrc && i < SOURCES_MAX; i++)
		json_array_append_new(sources, address_text(&filter->gf_slist[i]));
	return json_pack("{s: s, s: o, s: i, s: o}", "interface", group->interface, "group",
			 address_text(&group->address), "mode", (int)filter->gf_fmode, "sources", sources);
}

json_t *socket_groups_take(int fd, int family, const struct socket_group *all, size_t n)
{
	cleanup_free struct group_filter *filter = malloc(GROUP_FILTER_SIZE(SOURCES_MAX));
	json_t *groups = json_array();

	for (size_t i = 0; groups && filter && i < n; i++) {
		json_t *group;

		/* a socket of the new family may be in groups of the old one, too */
		if (family == AF_INET && all[i].address.ss_family != AF_INET)
			continue;
		group = group_take(fd, &all[i], filter);
		if (!json_is_null(group) && json_array_append_new(groups, group) < 0) {
			json_decref(groups);
			return NULL;
		}
	}
	return groups;
}

static bool sources_ok(const json_t *sources)
{
	struct sockaddr_storage s;
	size_t i;
	json_t *item;

	if (!json_is_array(sources) || json_array_size(sources) > SOURCES_MAX)
		return false;
	json_array_foreach (sources, i, item) {
		if (address_parse(json_string_value(item), &s) < 0)
			return false;
	}
	return true;
}

bool socket_groups_ok(const json_t *groups)
{
	size_t i;
	json_t *item;

	if (!json_is_array(groups))
		return false;
	json_array_foreach (groups, i, item) {
		const char *interface, *group;
		struct sockaddr_storage s;
		json_t *sources;
		int mode;

		if (json_unpack(item, "{s: s, s: s, s: i, s: o!}", "interface", &interface, "group", &group,
				"mode", &mode, "sources", &sources) < 0 ||
		    strlen(interface) >= IF_NAMESIZE || address_parse(group, &s) < 0 ||
		    (mode != MCAST_INCLUDE && mode != MCAST_EXCLUDE) || !sources_ok(sources))
			return false;
	}
	return true;
}

static int filter_set(int fd, const struct group_req *join, int mode, const json_t *sources)
{
	size_t n = json_array_size(sources);
	cleanup_free struct group_filter *filter = calloc(1, GROUP_FILTER_SIZE(n + 1));

	if (!filter)
		return -1;
	filter->gf_interface = join->gr_interface;
	filter->gf_group = join->gr_group;
	filter->gf_fmode = (uint32_t)mode;
	filter->gf_numsrc = (uint32_t)n;
	for (size_t i = 0; i < n; i++)
		(void)address_parse(json_string_value(json_array_get(sources, i)), &filter->gf_slist[i]);
	return setsockopt(fd, level_of(&join->gr_group), MCAST_MSFILTER, filter, GROUP_FILTER_SIZE(n));
}

/* Where there is no interface of that name, the one that leads to the group has to do. */
static int group_apply(int fd, const json_t *group)
{
	const json_t *sources = json_object_get(group, "sources");
	int mode = (int)json_integer_value(json_object_get(group, "mode"));
	struct group_req join = {.gr_interface =
					 if_nametoindex(json_string_value(json_object_get(group, "interface")))};

	if (address_parse(json_string_value(json_object_get(group, "group")), &join.gr_group) < 0 ||
	    (setsockopt(fd, level_of(&join.gr_group), MCAST_JOIN_GROUP, &join, sizeof(join)) < 0 &&
	     errno != EADDRINUSE))
		return -1;
	if (mode == MCAST_EXCLUDE && json_array_size(sources) == 0)
		return 0;
	return filter_set(fd, &join, mode, sources);
}

unsigned socket_groups_apply(int fd, const json_t *groups)
{
	unsigned missed = 0;
	size_t i;
	json_t *item;

	json_array_foreach (groups, i, item)
		missed += group_apply(fd, item) < 0;
	return missed;
}
