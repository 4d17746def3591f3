/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "shim_links.h"

#include <fcntl.h>
#include <string.h>

static bool is_private(const char *path)
{
	/* those of libcrcore/ns.h, which is not part of the library */
	static const char *const dirs[] = {"tmp/", "var/tmp/", "dev/shm/"};

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		if (strncmp(path, dirs[i], strlen(dirs[i])) == 0)
			return true;
	}
	return false;
}

bool shim_link_name(const char *path)
{
	const char *name;

	while (*path == '.' || *path == '/') {
		if (path[0] == '.' && path[1] != '/')
			return false;
		path++;
	}
	name = strrchr(path, '/');
	if (!name || !is_private(path) || strstr(path, "/../") ||
	    strncmp(name + 1, SHIM_LINK_NAME, strlen(SHIM_LINK_NAME)) != 0)
		return false;
	name += 1 + strlen(SHIM_LINK_NAME);
	return *name && name[strspn(name, "0123456789")] == '\0';
}

bool shim_link_meant(const char *from, const char *to, int flags)
{
	return flags == AT_EMPTY_PATH && from[0] == '\0' && shim_link_name(to);
}
