/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"

bool place_goes_back(const struct cr_manifest *m, const char *path)
{
	for (size_t i = 0; i < m->n_rollbacks; i++) {
		size_t length = strlen(m->rollbacks[i].path);

		if (strncmp(path, m->rollbacks[i].path, length) == 0 && path[length] == '/')
			return true;
	}
	return false;
}

int place_open(struct place *p, const char *path, struct cr_error *err)
{
	const char *slash = strrchr(path, '/');
	char parent[PATH_MAX];

	*p = (struct place){.path = path, .dir = -1};
	if (path[0] != '/' || !slash[1] || strlen(slash + 1) > NAME_MAX ||
	    (size_t)(slash - path) + 2 > sizeof(parent) || strcmp(slash, "/.") == 0 || strcmp(slash, "/..") == 0)
		return cr_error_set(err, EINVAL, "%s is no path of a file", path);
	memcpy(p->name, slash + 1, strlen(slash + 1) + 1);
	memcpy(parent, path, (size_t)(slash - path));
	parent[slash - path] = '\0';
	p->dir = cr_fs_open_unlinked(AT_FDCWD, slash == path ? "/" : parent, O_PATH | O_DIRECTORY);
	if (p->dir >= 0)
		return 0;
	if (errno == ELOOP)
		return cr_error_set(err, ELOOP, "a symbolic link leads to %s, which was not there: not followed",
				    path);
	return cr_error_sys(err, errno, "the directory of %s", path);
}

void place_close(struct place *p)
{
	if (p->dir >= 0)
		close(p->dir);
	p->dir = -1;
}

static const char *kind(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFLNK:
		return "a symbolic link, which was not there: not followed";
	case S_IFDIR:
		return "a directory";
	case S_IFIFO:
		return "a fifo";
	default:
		return "no regular file";
	}
}

int place_look(const struct place *p, struct stat *st, struct cr_error *err)
{
	if (fstatat(p->dir, p->name, st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : cr_error_sys(err, errno, "%s", p->path);
	if (S_ISREG(st->st_mode))
		return 1;
	return cr_error_set(err, S_ISLNK(st->st_mode) ? ELOOP : EINVAL, "%s is now %s", p->path,
			    kind(st->st_mode));
}

int place_file(const struct place *p, int flags, uint64_t ino, struct cr_error *err)
{
	cleanup_close int fd = cr_fs_open_unlinked(p->dir, p->name, flags | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	int file;

	if (fd < 0 && (errno == EACCES || errno == EPERM || errno == EROFS))
		return cr_error_sys(err, errno, "%s may not be written any more", p->path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return cr_error_sys(err, errno, "opening %s", p->path);
	if (!S_ISREG(st.st_mode) || st.st_ino != ino)
		return cr_error_set(err, ESTALE, "%s is being replaced by somebody", p->path);
	file = fd;
	fd = -1;
	return file;
}

/* A temporary name may be left from an attempt that was killed. Nobody else's file is removed for it. */
static int temporary_clear(const struct place *p, const char *temporary, struct cr_error *err)
{
	struct stat st;

	if (fstatat(p->dir, temporary, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : cr_error_sys(err, errno, "%s beside %s", temporary, p->path);
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
		return cr_error_set(err, EEXIST, "%s is in the way beside %s", temporary, p->path);
	if (unlinkat(p->dir, temporary, 0) < 0)
		return cr_error_sys(err, errno, "removing %s beside %s", temporary, p->path);
	return 0;
}

int place_new(const struct place *p, const char *temporary, int *fd, struct cr_error *err)
{
	if (temporary_clear(p, temporary, err) < 0)
		return -1;
	*fd = openat(p->dir, temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return *fd < 0 ? cr_error_sys(err, errno, "a new file for %s", p->path) : 0;
}

int place_link(const struct place *p, const char *temporary, const struct place *from, struct cr_error *err)
{
	if (temporary_clear(p, temporary, err) < 0)
		return -1;
	if (linkat(from->dir, from->name, p->dir, temporary, 0) < 0)
		return cr_error_sys(err, errno, "%s was another name of %s, and cannot be again", p->path,
				    from->path);
	return 0;
}

int place_commit(const struct place *p, const char *temporary, struct cr_error *err)
{
	if (renameat(p->dir, temporary, p->dir, p->name) < 0)
		return cr_error_sys(err, errno, "putting %s back", p->path);
	return 0;
}

void place_abandon(const struct place *p, const char *temporary)
{
	int errnum = errno;

	(void)unlinkat(p->dir, temporary, 0);
	errno = errnum;
}

int place_directory(const char *path, struct cr_error *err)
{
	struct stat st;

	if (stat(path, &st) == 0)
		return S_ISDIR(st.st_mode) ? 1
					   : cr_error_set(err, ENOTDIR, "%s, which was a directory, is now %s",
							  path, S_ISREG(st.st_mode) ? "a file" : kind(st.st_mode));
	if (errno != ENOENT)
		return cr_error_sys(err, errno, "%s, which was a directory", path);
	/* a link that leads nowhere */
	if (lstat(path, &st) == 0)
		return cr_error_set(err, ENOTDIR, "%s, which was a directory, is now %s", path, kind(st.st_mode));
	return 0;
}

int place_mkdir(const char *path, mode_t mode, struct cr_error *err)
{
	cleanup_close int fd = -1;
	struct place p;
	int rc;

	if (place_open(&p, path, err) < 0)
		return -1;
	rc = mkdirat(p.dir, p.name, 0700);
	if (rc == 0) {
		fd = cr_fs_open_unlinked(p.dir, p.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
		rc = fd < 0 ? -1 : fchmod(fd, mode);
	}
	if (rc < 0)
		(void)cr_error_sys(err, errno, "making the directory %s again", path);
	place_close(&p);
	return rc;
}
