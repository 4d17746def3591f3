/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* proc_file.c - the files of the job's tree: descriptors, shared mappings, directories */

#include "proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"

bool cr_proc_lease(const char *line)
{
	char kind[16], state[16], type[16];

	/* of a "BREAKING" one the type is what it is to become: who opens the file would have to wait */
	return sscanf(line, "lock: %*[^:]: %15s %15s %15s", kind, state, type) == 3 &&
	       strcmp(kind, "LEASE") == 0 &&
	       (strcmp(state, "BREAKING") == 0 || (strcmp(state, "ACTIVE") == 0 && strcmp(type, "WRITE") == 0));
}

/* Flags and position of a descriptor, from its fdinfo below dir; and whether it has a lease, where that is not
 * NULL. */
static int descriptor_info(int dir, const char *fd, unsigned *flags, uint64_t *pos, bool *leased)
{
	char path[64], line[256];
	cleanup_fclose FILE *f = NULL;
	int seen = 0;

	snprintf(path, sizeof(path), "fdinfo/%.20s", fd);
	f = cr_fs_fopen_at(dir, path, 0);
	if (!f)
		return -1;
	if (leased)
		*leased = false;
	while ((seen < 2 || leased) && fgets(line, sizeof(line), f)) {
		seen += sscanf(line, "flags: %o", flags) == 1 || sscanf(line, "pos: %" SCNu64, pos) == 1;
		if (leased && cr_proc_lease(line))
			*leased = true;
	}
	return seen == 2 ? 0 : -1;
}

/* Open /proc/PID and its fd. Returns 1, 0 when the process is gone or a zombie, -1. */
static int fds_open(pid_t pid, int *dir, DIR **fds, struct cr_error *err)
{
	char path[64];
	int errnum;

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	*dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	*fds = *dir >= 0 ? opendir(path) : NULL;
	if (*fds)
		return 1;
	errnum = errno;
	/* a zombie's has become root's */
	if (errnum == ENOENT || cr_proc_gone(pid))
		return 0;
	return cr_error_sys(err, errnum, "%s", path);
}

int cr_proc_position(pid_t pid, const char *path, uint64_t *pos, struct cr_error *err)
{
	char link[PATH_MAX];
	cleanup_close int dir = -1;
	cleanup_closedir DIR *fds = NULL;
	struct dirent *e;
	unsigned flags;
	int rc = fds_open(pid, &dir, &fds, err);

	if (rc <= 0)
		return rc;
	while ((e = readdir(fds))) {
		ssize_t n = readlinkat(dirfd(fds), e->d_name, link, sizeof(link) - 1);

		if (n <= 0)
			continue;
		link[n] = '\0';
		if (strcmp(link, path) == 0 && descriptor_info(dir, e->d_name, &flags, pos, NULL) == 0)
			return 1;
	}
	return 0;
}

/* What is the same for descriptors and mappings. */
static void file_fill(struct cr_proc_file *file, const struct stat *st)
{
	int64_t ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;

	file->size = (uint64_t)st->st_size;
	file->dev = st->st_dev;
	file->ino = st->st_ino;
	file->mode = st->st_mode & 07777;
	file->uid = st->st_uid;
	file->links = (uint32_t)st->st_nlink;
	file->mtime_ns = st->st_mtim.tv_sec < 0 ? 0 : ns;
}

/* The name behind a link of /proc's. Returns 1, 0 when there is none that a path could be, or when it is the
 * kernel's: what is below /proc and /sys looks like files, and is none. */
static int name_read(int dir, const char *link, char *path, size_t size)
{
	ssize_t n = readlinkat(dir, link, path, size - 1);

	if (n <= 0 || path[0] != '/')
		return 0;
	path[n] = '\0';
	return strncmp(path, "/proc/", 6) != 0 && strncmp(path, "/sys/", 5) != 0;
}

static int descriptors_each(pid_t pid, int dir, DIR *fds, int (*each)(const struct cr_proc_file *file, void *arg),
			    void *arg)
{
	struct cr_proc_file file = {.pid = pid};
	struct dirent *e;
	struct stat st;

	while ((e = readdir(fds))) {
		int rc;

		if (e->d_name[0] == '.' || fstatat(dirfd(fds), e->d_name, &st, 0) < 0 || !S_ISREG(st.st_mode) ||
		    st.st_nlink == 0) /* deleted, or a memfd: criu carries it */
			continue;
		if (descriptor_info(dir, e->d_name, &file.flags, &file.offset, &file.leased) < 0 ||
		    (file.flags & O_ACCMODE) == O_RDONLY || (file.flags & O_PATH) ||
		    !name_read(dirfd(fds), e->d_name, file.path, sizeof(file.path)))
			continue;
		file_fill(&file, &st);
		file.fd = atoi(e->d_name);
		rc = each(&file, arg);
		if (rc)
			return rc;
	}
	return 0;
}

/* What is mapped from address on, as map_files has it: by no name, so that nobody can put another file there. */
static int mapping_stat(int dir, const char *range, const char *path, unsigned long ino, struct stat *st)
{
	char link[64];

	snprintf(link, sizeof(link), "map_files/%.48s", range);
	if (fstatat(dir, link, st, 0) == 0)
		return 0;
	/* without CAP_CHECKPOINT_RESTORE */
	return stat(path, st) == 0 && st->st_ino == ino ? 0 : -1;
}

/* maps writes newlines as \012. */
static void newlines_decode(char *path)
{
	char *to = path;

	for (const char *p = path; *p; to++) {
		bool escape = strncmp(p, "\\012", 4) == 0;

		*to = escape ? '\n' : *p;
		p += escape ? 4 : 1;
	}
	*to = '\0';
}

/* A line of maps: begin-end perms offset dev inode path. */
static int mapping_each(int dir, char *line, int (*each)(const struct cr_proc_file *file, void *arg), void *arg)
{
	struct cr_proc_file file = {.flags = O_RDWR, .mapped = true};
	char range[64], perms[8], link[96];
	unsigned long ino;
	struct stat st;
	int at = 0;

	if (sscanf(line, "%63s %7s %*s %*s %lu %n", range, perms, &ino, &at) != 3 || at == 0 || line[at] != '/' ||
	    perms[1] != 'w' || perms[3] != 's')
		return 0;
	line[at + (int)strcspn(line + at, "\n")] = '\0';
	newlines_decode(line + at);
	if (mapping_stat(dir, range, line + at, ino, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink == 0)
		return 0;
	snprintf(link, sizeof(link), "map_files/%s", range);
	if (!name_read(dir, link, file.path, sizeof(file.path)))
		snprintf(file.path, sizeof(file.path), "%s", line + at);
	file_fill(&file, &st);
	return each(&file, arg);
}

static int mappings_each(int dir, int (*each)(const struct cr_proc_file *file, void *arg), void *arg)
{
	cleanup_fclose FILE *maps = cr_fs_fopen_at(dir, "maps", 0);
	cleanup_free char *line = NULL;
	size_t room = 0;
	int rc = 0;

	while (rc == 0 && maps && getline(&line, &room, maps) > 0)
		rc = mapping_each(dir, line, each, arg);
	return rc;
}

int cr_proc_written(pid_t pid, int (*each)(const struct cr_proc_file *file, void *arg), void *arg,
		    struct cr_error *err)
{
	cleanup_close int dir = -1;
	cleanup_closedir DIR *fds = NULL;
	int rc = fds_open(pid, &dir, &fds, err);

	if (rc <= 0)
		return rc;
	rc = descriptors_each(pid, dir, fds, each, arg);
	return rc ? rc : mappings_each(dir, each, arg);
}

static int directory_each(int dir, const char *link, int (*each)(const char *path, void *arg), void *arg)
{
	char path[PATH_MAX];
	struct stat st;

	if (fstatat(dir, link, &st, 0) < 0 || !S_ISDIR(st.st_mode) || st.st_nlink == 0 ||
	    !name_read(dir, link, path, sizeof(path)))
		return 0;
	return each(path, arg);
}

int cr_proc_directories(pid_t pid, int (*each)(const char *path, void *arg), void *arg, struct cr_error *err)
{
	cleanup_close int dir = -1;
	cleanup_closedir DIR *fds = NULL;
	struct dirent *e;
	int rc = fds_open(pid, &dir, &fds, err);

	if (rc <= 0)
		return rc;
	rc = directory_each(dir, "cwd", each, arg);
	while (rc == 0 && (e = readdir(fds))) {
		if (e->d_name[0] != '.')
			rc = directory_each(dirfd(fds), e->d_name, each, arg);
	}
	return rc;
}
