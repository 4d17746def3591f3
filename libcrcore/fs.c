/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "fs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "cleanup.h"

#define COPY_BUFFER   (256u << 10)
#define REMOVE_DEPTH  64 /* directories held open at a time */
#define REMOVE_PASSES 4	 /* over a directory that does not become empty */

int cr_fs_open_unlinked(int dir, const char *path, int flags)
{
	struct open_how how = {.flags = (uint64_t)flags | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS};
	int fd;

	/* EAGAIN: a rename elsewhere came in between */
	do
		fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
	while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	return fd;
}

/* dir and base of path as dirname(1) and basename(1) see it, into buffers of PATH_MAX bytes. */
static int path_split(const char *path, char *dir, char *base, struct cr_error *err)
{
	size_t length = strlen(path);
	const char *slash;

	while (length > 1 && path[length - 1] == '/')
		length--;
	if (length == 0)
		return cr_error_sys(err, ENOENT, "an empty path");
	if (length >= PATH_MAX)
		return cr_error_sys(err, ENAMETOOLONG, "%.64s...", path);
	slash = memrchr(path, '/', length);
	if (!slash) {
		memcpy(dir, ".", 2);
		memcpy(base, path, length);
		base[length] = '\0';
		return 0;
	}
	memcpy(base, slash + 1, length - (size_t)(slash + 1 - path));
	base[length - (size_t)(slash + 1 - path)] = '\0';
	while (slash > path && slash[-1] == '/')
		slash--;
	memcpy(dir, path, (size_t)(slash - path) + 1);
	dir[slash == path ? 1 : slash - path] = '\0';
	return 0;
}

int cr_fs_sync(int fd, const char *path, struct cr_error *err)
{
	struct stat st;

	if (fsync(fd) == 0)
		return 0;
	if (errno == EINVAL && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	return cr_error_sys(err, errno, "cannot sync %s", path);
}

int cr_fs_rename(const char *from, const char *to, struct cr_error *err)
{
	if (rename(from, to) < 0)
		return cr_error_sys(err, errno, "cannot rename %s to %s", from, to);
	return 0;
}

int cr_fs_unlink(const char *path, struct cr_error *err)
{
	if (unlink(path) < 0 && errno != ENOENT)
		return cr_error_sys(err, errno, "cannot remove %s", path);
	return 0;
}

int cr_fs_sync_dir(const char *path, struct cr_error *err)
{
	cleanup_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return cr_error_sys(err, errno, "cannot open directory %s", path);
	return cr_fs_sync(fd, path, err);
}

int cr_fs_sync_parent(const char *path, struct cr_error *err)
{
	char dir[PATH_MAX], base[PATH_MAX];

	if (path_split(path, dir, base, err) < 0)
		return -1;
	/* A parent that may be entered and written, but not read, cannot be synced by this user. */
	if (access(dir, R_OK) < 0)
		return 0;
	return cr_fs_sync_dir(dir, err);
}

/* One level of cr_fs_mkdirs. */
static int make_dir(const char *path, mode_t mode, struct cr_error *err)
{
	struct stat st;
	int saved;

	if (mkdir(path, mode) < 0) {
		saved = errno;
		/* a read-only or automounted parent may answer something else than EEXIST */
		if (stat(path, &st) == 0)
			return S_ISDIR(st.st_mode) ? 0 : cr_error_sys(err, ENOTDIR, "%s", path);
		return cr_error_sys(err, saved, "cannot make directory %s", path);
	}
	if (cr_fs_sync_parent(path, err) == 0)
		return 0;
	(void)rmdir(path); /* whoever tries again is to sync it again */
	return -1;
}

int cr_fs_mkdirs(const char *path, mode_t mode, struct cr_error *err)
{
	char buf[PATH_MAX];
	size_t length = strlen(path);

	if (length == 0)
		return cr_error_sys(err, ENOENT, "an empty path");
	if (length >= sizeof(buf))
		return cr_error_sys(err, ENAMETOOLONG, "%.64s...", path);
	memcpy(buf, path, length + 1);
	for (char *p = buf + 1; *p; p++) {
		if (*p != '/' || p[-1] == '/')
			continue;
		*p = '\0';
		if (make_dir(buf, mode, err) < 0)
			return -1;
		*p = '/';
	}
	return make_dir(buf, mode, err);
}

int cr_fs_check_owned(const char *path, uid_t uid, struct cr_error *err)
{
	char buf[PATH_MAX];
	size_t length = strlen(path);
	struct stat st;

	if (length >= sizeof(buf))
		return cr_error_sys(err, ENAMETOOLONG, "%.64s...", path);
	memcpy(buf, path, length + 1);
	/* lstat follows a link that has a slash behind it */
	while (length > 1 && buf[length - 1] == '/')
		buf[--length] = '\0';
	if (lstat(buf, &st) < 0)
		return cr_error_sys(err, errno, "%s", path);
	if (S_ISLNK(st.st_mode))
		return cr_error_set(err, ELOOP, "%s is a symbolic link: remove it or name another directory",
				    path);
	if (!S_ISDIR(st.st_mode))
		return cr_error_set(err, ENOTDIR, "%s is not a directory: remove it or name another directory",
				    path);
	if (st.st_uid != uid)
		return cr_error_set(err, EPERM,
				    "%s belongs to uid %u, not to uid %u: remove it or name another directory",
				    path, (unsigned int)st.st_uid, (unsigned int)uid);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return cr_error_set(err, EPERM, "%s can be written by others (mode %04o): chmod go-w %s", path,
				    (unsigned int)(st.st_mode & 07777), path);
	return 0;
}

int cr_fs_write_all(int fd, const void *data, size_t size, struct cr_error *err)
{
	const char *p = data;

	while (size > 0) {
		ssize_t n = write(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return cr_error_sys(err, n < 0 ? errno : EIO, "write");
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

int cr_fs_send(int in, uint64_t from, uint64_t size, int out, struct cr_error *err)
{
	cleanup_free char *buffer = malloc(COPY_BUFFER);

	if (!buffer)
		return cr_error_sys(err, ENOMEM, "copy");
	while (size > 0) {
		size_t n = size < COPY_BUFFER ? (size_t)size : COPY_BUFFER;

		if (cr_fs_pread_all(in, buffer, n, from, err) < 0 || cr_fs_write_all(out, buffer, n, err) < 0)
			return -1;
		from += n;
		size -= n;
	}
	return 0;
}

int cr_fs_pread_all(int fd, void *data, size_t size, uint64_t offset, struct cr_error *err)
{
	char *p = data;

	while (size > 0) {
		ssize_t n = pread(fd, p, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cr_error_sys(err, errno, "read at offset %" PRIu64, offset);
		if (n == 0)
			return cr_error_set(err, EBADMSG, "it ends at offset %" PRIu64 ", %zu bytes too early",
					    offset, size);
		p += n;
		offset += (uint64_t)n;
		size -= (size_t)n;
	}
	return 0;
}

/* Fill, sync and close the temporary file fd. close is checked: NFS reports a full quota there. */
static int write_temp(int fd, const char *name, const void *data, size_t size, mode_t mode, struct cr_error *err)
{
	int rc = 0;

	if (fchmod(fd, mode) < 0)
		rc = cr_error_sys(err, errno, "chmod %s", name);
	else if (cr_fs_write_all(fd, data, size, err) < 0)
		rc = cr_error_prefix(err, "%s", name);
	else
		rc = cr_fs_sync(fd, name, err);
	if (close(fd) < 0 && rc == 0)
		rc = cr_error_sys(err, errno, "cannot close %s", name);
	return rc;
}

int cr_fs_write_atomic(const char *path, const void *data, size_t size, mode_t mode, struct cr_error *err)
{
	char dir[PATH_MAX], base[PATH_MAX], temp[PATH_MAX];
	int fd, length;

	if (path_split(path, dir, base, err) < 0)
		return -1;
	length = snprintf(temp, sizeof(temp), "%s/.%s.XXXXXX", dir, base);
	if (length < 0 || (size_t)length >= sizeof(temp))
		return cr_error_sys(err, ENAMETOOLONG, "%.64s...", path);
	fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0)
		return cr_error_sys(err, errno, "cannot create %s", temp);
	if (write_temp(fd, temp, data, size, mode, err) < 0 || cr_fs_rename(temp, path, err) < 0) {
		(void)unlink(temp); /* the error to report is the one that led here */
		return -1;
	}
	return cr_fs_sync_dir(dir, err);
}

/* Open a regular file for reading; a FIFO planted under the name must not block, a link not lead away. */
static int open_regular(const char *path, struct stat *st, struct cr_error *err)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	int result;

	if (fd < 0)
		return cr_error_sys(err, errno, "cannot open %s", path);
	if (fstat(fd, st) < 0)
		return cr_error_sys(err, errno, "cannot stat %s", path);
	if (!S_ISREG(st->st_mode))
		return cr_error_set(err, EINVAL, "%s is not a regular file", path);
	result = fd;
	fd = -1;
	return result;
}

/* Room for one byte more than has been read: that byte tells the end of the file from "too big". */
static int read_grow(char **buf, size_t *room, size_t used, size_t max)
{
	size_t want = *room;
	char *p;

	if (used + 1 < *room)
		return 0;
	want = want > max ? max + 2 : want * 2;
	p = realloc(*buf, want);
	if (!p)
		return -1;
	*buf = p;
	*room = want;
	return 0;
}

/* room is where to begin. */
static int read_all(int fd, const char *path, size_t room, size_t max, char **data, size_t *size,
		    struct cr_error *err)
{
	cleanup_free char *buf = malloc(room);
	size_t used = 0;

	if (!buf)
		return cr_error_sys(err, ENOMEM, "%s", path);
	for (;;) {
		ssize_t n = read(fd, buf + used, room - used - 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cr_error_sys(err, errno, "cannot read %s", path);
		if (n == 0)
			break;
		used += (size_t)n;
		if (used > max)
			return cr_error_set(err, EFBIG, "%s is larger than %zu bytes", path, max);
		if (read_grow(&buf, &room, used, max) < 0)
			return cr_error_sys(err, ENOMEM, "%s", path);
	}
	buf[used] = '\0';
	*data = buf;
	buf = NULL;
	if (size)
		*size = used;
	return 0;
}

int cr_fs_read_fd(int fd, const char *path, size_t max, char **data, size_t *size, struct cr_error *err)
{
	return read_all(fd, path, 4096, max, data, size, err);
}

int cr_fs_read(const char *path, size_t max, char **data, size_t *size, struct cr_error *err)
{
	struct stat st;
	cleanup_close int fd = open_regular(path, &st, err);
	size_t room = 4096;

	if (fd < 0)
		return -1;
	/* the size is a hint only: it is 0 in /proc, and the file may be growing */
	if (st.st_size > 0 && (uint64_t)st.st_size <= max)
		room = (size_t)st.st_size + 2;
	return read_all(fd, path, room, max, data, size, err);
}

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* A directory stream over fd, which stays the caller's. */
static DIR *open_stream(int fd)
{
	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream;

	if (own < 0)
		return NULL;
	stream = fdopendir(own);
	if (!stream)
		close(own);
	return stream;
}

/* The next name that is not "." or "..": NULL with errno 0 at the end. */
static const char *next_name(DIR *stream)
{
	struct dirent *entry;

	do {
		errno = 0;
		entry = readdir(stream);
	} while (entry && is_dots(entry->d_name));
	return entry ? entry->d_name : NULL;
}

/* Sync what lies under name in dir, then itself. Links, sockets and the like hold no data of their own. */
static int sync_entry(int dir, const char *name, struct cr_error *err)
{
	cleanup_close int fd = -1;
	cleanup_closedir DIR *stream = NULL;
	const char *child;
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return cr_error_sys(err, errno, "%s", name);
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return 0;
	fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return cr_error_sys(err, errno, "cannot open %s", name);
	if (S_ISREG(st.st_mode))
		return cr_fs_sync(fd, name, err);
	stream = open_stream(fd);
	if (!stream)
		return cr_error_sys(err, errno, "cannot list %s", name);
	while ((child = next_name(stream)))
		if (sync_entry(fd, child, err) < 0)
			return -1;
	if (errno)
		return cr_error_sys(err, errno, "cannot list %s", name);
	return cr_fs_sync(fd, name, err);
}

int cr_fs_sync_tree(const char *path, struct cr_error *err)
{
	if (sync_entry(AT_FDCWD, path, err) < 0)
		return cr_error_prefix(err, "sync of %s", path);
	return 0;
}

/* What a removal carries along. Jobs may leave trees of any depth in their private /tmp, deeper than there
 * are descriptors or stack: what lies below REMOVE_DEPTH is moved up into top and taken in its next pass. */
struct removal {
	int top;
	unsigned int moved; /* directories moved up so far */
	unsigned int errors;
	struct cr_error *err; /* the first error; the removal goes on past it */
};

static void removal_error(struct removal *r, int errnum, const char *what, const char *name)
{
	if (r->errors++ == 0)
		(void)cr_error_sys(r->err, errnum, "cannot %s %s", what, name);
}

/* Open a directory of dir without following a link and without entering another mount. */
static int open_beneath(int dir, const char *name, uint64_t flags)
{
	struct open_how how = {
		.flags = flags | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH,
	};

	return (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
}

/* As open_beneath, for reading; gives the owner all permissions first where they are missing, because go and
 * others make their caches read-only. */
static int open_writable(int dir, const char *name)
{
	cleanup_close int handle = open_beneath(dir, name, O_PATH);
	char link[64];
	struct stat st;

	if (handle < 0 || fstat(handle, &st) < 0)
		return -1;
	if ((st.st_mode & S_IRWXU) != S_IRWXU) {
		/* fchmod does not take an O_PATH descriptor, and chmod by name would follow a link */
		(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", handle);
		/* where this fails, and it matters, the removal will say so */
		(void)!chmod(link, (st.st_mode & 07777) | S_IRWXU);
	}
	return open_beneath(dir, name, O_RDONLY);
}

static void remove_dir(struct removal *r, int dir, const char *name, int depth);

static void remove_entry(struct removal *r, int dir, const char *name, int depth)
{
	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return;
	if (errno == EISDIR)
		remove_dir(r, dir, name, depth);
	else
		removal_error(r, errno, "remove", name);
}

/* One pass over the entries of an open directory. */
static void remove_entries(struct removal *r, int fd, const char *name, int depth)
{
	cleanup_closedir DIR *stream = open_stream(fd);
	const char *child;

	if (!stream) {
		removal_error(r, errno, "list", name);
		return;
	}
	while ((child = next_name(stream)))
		remove_entry(r, fd, child, depth + 1);
	if (errno)
		removal_error(r, errno, "list", name);
}

static void move_up(struct removal *r, int dir, const char *name)
{
	char up[64];

	(void)snprintf(up, sizeof(up), ".deep.%d.%u", (int)getpid(), r->moved);
	if (renameat(dir, name, r->top, up) < 0)
		removal_error(r, errno, "move up", name);
	else
		r->moved++;
}

static void remove_dir(struct removal *r, int dir, const char *name, int depth)
{
	cleanup_close int fd = -1;

	/* before it is opened: a directory that its owner may not write cannot be moved */
	fd = open_writable(dir, name);
	if (fd < 0) {
		if (errno != ENOENT)
			removal_error(r, errno == EXDEV ? EBUSY : errno, "remove mount point or open", name);
		return;
	}
	if (depth >= REMOVE_DEPTH) {
		move_up(r, dir, name);
		return;
	}
	if (depth == 0)
		r->top = fd;
	/* Some file systems skip entries while others are removed, and move_up adds some to the top. */
	for (int pass = 0; pass < REMOVE_PASSES;) {
		unsigned int moved = r->moved, errors = r->errors;

		remove_entries(r, fd, name, depth);
		if (unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return;
		if ((errno != ENOTEMPTY && errno != EEXIST) || r->errors != errors)
			break;
		if (r->moved == moved || depth > 0)
			pass++;
	}
	removal_error(r, errno, "remove", name);
}

int cr_fs_remove_tree(const char *path, struct cr_error *err)
{
	char dir[PATH_MAX], base[PATH_MAX];
	cleanup_close int parent = -1;
	struct removal r = {.top = -1, .err = err};

	if (path_split(path, dir, base, err) < 0)
		return -1;
	if (!base[0] || is_dots(base))
		return cr_error_set(err, EINVAL, "%s cannot be removed", path);
	parent = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0)
		return errno == ENOENT ? 0 : cr_error_sys(err, errno, "cannot open %s", dir);
	remove_entry(&r, parent, base, 0);
	return r.errors ? cr_error_prefix(err, "removal of %s", path) : 0;
}

/* Copy through memory what copy_file_range would not, from offset on. */
static int copy_through(int in, int out, uint64_t offset, uint64_t size, struct cr_error *err)
{
	cleanup_free char *buf = malloc(COPY_BUFFER);

	if (!buf)
		return cr_error_sys(err, ENOMEM, "copy");
	while (offset < size) {
		size_t want = size - offset < COPY_BUFFER ? (size_t)(size - offset) : COPY_BUFFER;
		ssize_t n = pread(in, buf, want, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cr_error_sys(err, errno, "copy: read");
		if (n == 0)
			return cr_error_set(err, ENODATA, "copy: the file is shorter than %ju bytes",
					    (uintmax_t)size);
		for (ssize_t done = 0; done < n;) {
			ssize_t w = pwrite(out, buf + done, (size_t)(n - done), (off_t)offset + done);

			if (w < 0 && errno == EINTR)
				continue;
			if (w <= 0)
				return cr_error_sys(err, w < 0 ? errno : EIO, "copy: write");
			done += w;
		}
		offset += (uint64_t)n;
	}
	return 0;
}

/* Errors that say "not between these two files", as opposed to "not at all". */
static bool copy_unsupported(int errnum)
{
	return errnum == EXDEV || errnum == EINVAL || errnum == ENOSYS || errnum == EOPNOTSUPP || errnum == EPERM;
}

int cr_fs_copy(int in, int out, uint64_t size, struct cr_error *err)
{
	off_t from = 0, to = 0;
	int flags = fcntl(out, F_GETFL);

	if (flags < 0)
		return cr_error_sys(err, errno, "copy");
	/* pwrite appends on Linux, whatever the offset, and copy_file_range refuses */
	if (flags & O_APPEND)
		return cr_error_set(err, EINVAL, "copy: the target is opened for appending");
	if (size > INT64_MAX)
		return cr_error_sys(err, EFBIG, "copy");
	while ((uint64_t)from < size) {
		uint64_t rest = size - (uint64_t)from;
		ssize_t n = copy_file_range(in, &from, out, &to, rest < 1u << 30 ? (size_t)rest : 1u << 30, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && !copy_unsupported(errno))
			return cr_error_sys(err, errno, "copy");
		/* some file systems answer 0 where they cannot; a file that is really short is told there */
		if (n <= 0)
			return copy_through(in, out, (uint64_t)from, size, err);
	}
	return 0;
}

DIR *cr_fs_opendir_at(int dir, const char *path, int flags)
{
	int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags), errnum;
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

	if (!d && fd >= 0) {
		errnum = errno;
		close(fd);
		errno = errnum;
	}
	return d;
}

FILE *cr_fs_fopen_at(int dir, const char *path, int flags)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | flags), errnum;
	FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;

	if (!f && fd >= 0) {
		errnum = errno;
		close(fd);
		errno = errnum;
	}
	return f;
}
