/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* preflight_mapping.c - mapped memory that criu cannot read or bring back */

#include "preflight_part.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cleanup.h"
#include "proc.h"

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* What lies behind the mapping from start to end. */
static int mapping_stat(const struct preflight *p, pid_t pid, uint64_t start, uint64_t end, struct stat *st)
{
	char path[96];

	snprintf(path, sizeof(path), "%d/map_files/%" PRIx64 "-%" PRIx64, (int)pid, start, end);
	return fstatat(p->proc, path, st, 0);
}

/* Is the file at its path, as the kernel says it in full? maps writes a newline as \012. */
static bool is_there(const struct preflight *p, pid_t pid, uint64_t start, uint64_t end, const struct stat *st)
{
	char path[96], link[PATH_MAX];
	struct stat now;
	ssize_t n;

	snprintf(path, sizeof(path), "%d/map_files/%" PRIx64 "-%" PRIx64, (int)pid, start, end);
	n = readlinkat(p->proc, path, link, sizeof(link) - 1);
	if (n <= 0)
		return false;
	link[n] = '\0';
	return stat(link, &now) == 0 && now.st_ino == st->st_ino && now.st_dev == st->st_dev;
}

static void file_look(struct preflight *p, const struct preflight_process *s, const char *path, uint64_t start,
		      uint64_t end)
{
	bool dev = begins(path, "/dev/") && !begins(path, "/dev/shm/") && !begins(path, "/dev/zero") &&
		   !begins(path, "/dev/hugepages") && !begins(path, "/dev/mqueue");
	bool deleted = cr_proc_deleted(path);
	struct stat st;

	/* with newlines it is longer here than it is */
	if (!strstr(path, "\\012"))
		preflight_long(p, s, -1, path);
	/* two looks a mapping only where there may be something to see */
	if (!dev && !deleted)
		return;
	/* shared anonymous memory, which criu takes as it takes other memory, however much it is */
	if (strcmp(path, "/dev/zero (deleted)") == 0)
		return;
	if (mapping_stat(p, s->pid, start, end, &st) < 0) {
		if (dev)
			preflight_add(p, preflight_device(path), s, -1, "mapped %s", path);
	} else if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
		if (st.st_rdev != makedev(1, 5))
			preflight_add(p, preflight_device(path), s, -1, "mapped %s", path);
	} else if (deleted && (st.st_nlink == 0 || !is_there(p, s->pid, start, end, &st))) {
		preflight_deleted(p, s, -1, path, &st);
	}
}

static void mapping_look(struct preflight *p, const struct preflight_process *s, const char *path, uint64_t start,
			 uint64_t end)
{
	static const char anon[] = "anon_inode:";
	enum cr_preflight_kind kind =
		begins(path, anon) ? preflight_object(path + sizeof(anon) - 1) : CR_PREFLIGHT_KINDS;

	if (begins(path, "/SYSV"))
		preflight_add(p, CR_PREFLIGHT_SYSV_SHM, s, -1, "key %.8s at %" PRIx64, path + 5, start);
	else if (kind == CR_PREFLIGHT_OBJECT)
		preflight_add(p, kind, s, -1, "mapped %s", path + sizeof(anon) - 1);
	else if (kind != CR_PREFLIGHT_KINDS)
		preflight_add(p, kind, s, -1, "mapped at %" PRIx64, start);
	else if (begins(path, "/secretmem"))
		preflight_add(p, CR_PREFLIGHT_SECRETMEM, s, -1, "mapped at %" PRIx64, start);
	else if (begins(path, "[uprobes]"))
		preflight_add(p, CR_PREFLIGHT_UPROBES, s, -1, "%s", "");
	else if (begins(path, "/dmabuf:"))
		preflight_add(p, preflight_device(path), s, -1, "mapped %s", path);
	else if (path[0] == '/' && !begins(path, "/memfd:") && !begins(path, "/anon_hugepage") &&
		 !begins(path, "/[aio]"))
		file_look(p, s, path, start, end);
}

int preflight_mappings(struct preflight *p, const struct preflight_process *process, struct cr_error *err)
{
	cleanup_fclose FILE *f = preflight_open(p, "%d/maps", (int)process->pid);
	cleanup_free char *line = NULL, *last = NULL;
	size_t room = 0;

	/* a library is mapped in pieces, one behind the other: each path is looked at once in a row */
	while (f && !preflight_late(p) && getline(&line, &room, f) > 0) {
		uint64_t start, end;
		int at = 0;

		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*4s %*x %*x:%*x %*u %n", &start, &end, &at) != 2 ||
		    at == 0 || !line[at] || (last && strcmp(last, line + at) == 0))
			continue;
		mapping_look(p, process, line + at, start, end);
		free(last);
		last = strdup(line + at);
		if (!last)
			return cr_error_sys(err, ENOMEM, "the list of mappings");
	}
	return 0;
}
