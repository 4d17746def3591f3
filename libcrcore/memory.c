/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "cgroup.h"
#include "cleanup.h"

#define GROUP_SHARE 8

#define UNLIMITED (UINT64_C(1) << 60) /* version 1 says "no limit" with the largest page-aligned number */

/* A limit and the usage that it holds down. */
struct memory_pair {
	const char *limit, *usage;
};

struct memory_names {
	struct memory_pair pairs[2];
	const char *cache, *dirty, *writeback; /* in memory.stat, descendants included */
};

static const struct memory_names names_v1 = {
	/* what is swapped out counts in the second alone */
	{{"memory.limit_in_bytes", "memory.usage_in_bytes"},
	 {"memory.memsw.limit_in_bytes", "memory.memsw.usage_in_bytes"}},
	"total_inactive_file",
	"total_dirty",
	"total_writeback"};

static const struct memory_names names_v2 = {
	/* beyond memory.high nobody is killed, but the whole job is made to wait */
	{{"memory.max", "memory.current"}, {"memory.high", "memory.current"}},
	"inactive_file",
	"file_dirty",
	"file_writeback"};

/* The number behind key in a file of lines "key number"; without a key the file is the number. Returns 1, or 0
 * when there is no such file or key. */
static int number_read(const char *dir, const char *file, const char *key, uint64_t *value, struct cr_error *err)
{
	char path[2 * PATH_MAX], line[256], word[64], number[32];
	cleanup_fclose FILE *f = NULL;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, file);
	f = fopen(path, "re");
	if (!f)
		return errno == ENOENT || errno == ENOTDIR ? 0 : cr_error_sys(err, errno, "%s", path);
	while (fgets(line, sizeof(line), f)) {
		int end = 0;

		if (key && (sscanf(line, "%63s %31s", word, number) != 2 || strcmp(word, key) != 0))
			continue;
		if (!key && sscanf(line, "%31s", number) != 1)
			break;
		if (!key && strcmp(number, "max") == 0) {
			*value = UINT64_MAX;
			return 1;
		}
		if (number[0] < '0' || number[0] > '9' || sscanf(number, "%" SCNu64 "%n", value, &end) != 1 ||
		    number[end] != '\0')
			break;
		return 1;
	}
	if (ferror(f))
		return cr_error_sys(err, errno ? errno : EIO, "reading %s", path);
	if (key && feof(f))
		return 0;
	return cr_error_set(err, EBADMSG, "%s: no number", path);
}

/* What the kernel frees in this cgroup without writing anything anywhere. */
static int reclaimable(const char *dir, const struct memory_names *names, uint64_t *bytes, struct cr_error *err)
{
	uint64_t cache = 0, dirty = 0, writeback = 0;

	*bytes = 0;
	if (number_read(dir, "memory.stat", names->cache, &cache, err) < 0 ||
	    number_read(dir, "memory.stat", names->dirty, &dirty, err) < 0 ||
	    number_read(dir, "memory.stat", names->writeback, &writeback, err) < 0)
		return -1;
	if (cache > dirty && cache - dirty > writeback)
		*bytes = cache - dirty - writeback;
	return 0;
}

/* Where one process that exceeds the limit takes all the others with it, a small part of what is free has to do:
 * nobody can be made to die first. */
static int group_lower(const char *dir, uint64_t *bytes, struct cr_error *err)
{
	uint64_t group = 0;

	if (number_read(dir, "memory.oom.group", NULL, &group, err) < 0)
		return -1;
	if (group)
		*bytes /= GROUP_SHARE;
	return group != 0;
}

/* Lower *bytes to what one cgroup leaves. */
static int cgroup_lower(const char *dir, const struct memory_names *names, uint64_t *bytes, struct cr_error *err)
{
	for (size_t i = 0; i < sizeof(names->pairs) / sizeof(names->pairs[0]); i++) {
		uint64_t limit, usage, cache;
		int found = number_read(dir, names->pairs[i].limit, NULL, &limit, err);

		if (found < 0)
			return -1;
		if (!found || limit >= UNLIMITED)
			continue;
		found = number_read(dir, names->pairs[i].usage, NULL, &usage, err);
		if (found < 0)
			return -1;
		if (!found)
			return cr_error_set(err, ENOENT, "%s has %s but not %s", dir, names->pairs[i].limit,
					    names->pairs[i].usage);
		if (reclaimable(dir, names, &cache, err) < 0)
			return -1;
		/* read after the usage, and in version 2 not in step with it */
		usage -= cache < usage ? cache : usage;
		if (usage >= limit)
			*bytes = 0;
		else if (limit - usage < *bytes)
			*bytes = limit - usage;
	}
	return 0;
}

int cr_memory_free(const char *root, uint64_t *bytes, struct cr_error *err)
{
	char point[PATH_MAX], below[PATH_MAX], dir[2 * PATH_MAX], proc[PATH_MAX], *slash;
	const struct memory_names *names;
	struct cr_error why = {0};
	uint64_t kib;
	int found, version;

	if (snprintf(proc, sizeof(proc), "%s/proc", root) >= (int)sizeof(proc))
		return cr_error_sys(err, ENAMETOOLONG, "%.64s...", root);
	found = number_read(proc, "meminfo", "MemAvailable:", &kib, err);
	if (found < 0)
		return -1;
	if (!found || kib > UINT64_MAX / 1024)
		return cr_error_set(err, EBADMSG, "%s/meminfo: no MemAvailable", proc);
	*bytes = kib * 1024;
	version = cr_cgroup_find(root, "self", "memory", point, below, &why);
	if (version < 0) {
		if (why.errnum == ENOENT)
			return 0;
		return cr_error_set(err, why.errnum, "%s", why.text);
	}
	names = version == 1 ? &names_v1 : &names_v2;
	/* from outside the namespace's own root: what the mount shows is all there is to see */
	if (strncmp(below, "/..", 3) == 0)
		below[0] = '\0';
	for (bool group = false;;) {
		int rc;

		(void)snprintf(dir, sizeof(dir), "%s%s", point, below);
		if (cgroup_lower(dir, names, bytes, err) < 0)
			return -1;
		rc = group ? 0 : group_lower(dir, bytes, err);
		if (rc < 0)
			return -1;
		group = group || rc;
		slash = strrchr(below, '/');
		if (!slash)
			return 0;
		*slash = '\0';
	}
}

int cr_memory_touch(void *at, size_t bytes, struct cr_error *err)
{
	/* Whether in huge pages is the system's decision: where a hypervisor takes back what is free in large
	 * pieces, to ask for them costs seven times as much. */
	if (madvise(at, bytes, MADV_POPULATE_WRITE) == 0)
		return 0;
	if (errno != EINVAL)
		return cr_error_sys(err, errno, "a staging pool of %zu MiB", bytes >> 20);
	memset(at, 0, bytes); /* before Linux 5.14 */
	return 0;
}

int cr_memory_oom_first(struct cr_error *err)
{
	static const char path[] = "/proc/self/oom_score_adj", worst[] = "1000";
	cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return cr_error_sys(err, errno, "%s", path);
	if (write(fd, worst, strlen(worst)) != (ssize_t)strlen(worst))
		return cr_error_sys(err, errno, "writing %s", path);
	return 0;
}
