/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "shared.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

/* f_type, as statfs(2) and the file systems' own sources have it. What a fuse daemon shows is somebody's storage
 * (sshfs, CVMFS, object stores). */
static const uint32_t network[] = {
	0x6969,	    /* NFS */
	0x0bd00bd0, /* Lustre */
	0x47504653, /* GPFS */
	0x19830326, /* BeeGFS */
	0x00c36400, /* Ceph */
	0x65735546, /* FUSE */
	0xff534d42, /* CIFS */
	0xfe534d42, /* SMB 2 */
	0x5346414f, /* AFS */
	0x6b414653, /* the kernel's AFS */
	0x20030528, /* OrangeFS */
	0x01161970, /* GFS2 */
	0x7461636f, /* OCFS2 */
	0x01021997, /* 9P, of a virtual machine's host */
};

bool shared_is(const char *path, const char *store)
{
	char place[PATH_MAX];
	struct stat here, there;
	struct statfs fs;

	if (snprintf(place, sizeof(place), "%s", path) >= (int)sizeof(place))
		return false;
	/* a file that is missing: the next directory above that is there */
	while (stat(place, &here) < 0) {
		char *slash = strrchr(place, '/');

		if (!slash || slash == place)
			return false;
		*slash = '\0';
	}
	if (stat(store, &there) == 0 && here.st_dev == there.st_dev)
		return true;
	if (statfs(place, &fs) < 0)
		return false;
	for (size_t i = 0; i < sizeof(network) / sizeof(network[0]); i++)
		if ((uint32_t)fs.f_type == network[i])
			return true;
	return false;
}

/* Something besides . and .., and it can be told. */
static bool filled(const char *path)
{
	DIR *dir = opendir(path);
	int n = 0;

	if (!dir)
		return false;
	while (n < 3 && readdir(dir))
		n++;
	closedir(dir);
	return n > 2;
}

bool shared_lacks(const char *dir, const char *common, const char *root)
{
	size_t length = strlen(common);
	struct stat st, top;
	char parent[PATH_MAX], *slash;

	if (lstat(dir, &st) == 0 || errno != ENOENT || length < 2)
		return false;
	if (snprintf(parent, sizeof(parent), "%s", dir) >= (int)sizeof(parent) || !(slash = strrchr(parent, '/')))
		return false;
	*slash = '\0';
	if (strncmp(parent, common, length) != 0 || (parent[length] && parent[length] != '/'))
		return false;
	return stat(parent, &st) == 0 && S_ISDIR(st.st_mode) && stat(root, &top) == 0 && st.st_dev != top.st_dev &&
	       filled(parent);
}
