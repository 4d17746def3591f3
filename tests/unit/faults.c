/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The linker's names for libc's functions and for ours. */
int __real_open(const char *path, int flags, ...);
int __real_openat(int dir, const char *path, int flags, ...);
int __real_mkostemp(char *path, int flags);
int __real_mkdir(const char *path, mode_t mode);
ssize_t __real_write(int fd, const void *data, size_t size);
ssize_t __real_read(int fd, void *data, size_t size);
ssize_t __real_pread(int fd, void *data, size_t size, off_t offset);
int __real_fsync(int fd);
int __real_rename(const char *from, const char *to);
int __real_unlink(const char *path);
int __real_unlinkat(int dir, const char *name, int flags);
int __real_rmdir(const char *path);
int __real_close(int fd);
int __real_sync_file_range(int fd, off_t from, off_t size, unsigned int flags);

int __wrap_open(const char *path, int flags, ...);
int __wrap_openat(int dir, const char *path, int flags, ...);
int __wrap_mkostemp(char *path, int flags);
int __wrap_mkdir(const char *path, mode_t mode);
ssize_t __wrap_write(int fd, const void *data, size_t size);
ssize_t __wrap_read(int fd, void *data, size_t size);
ssize_t __wrap_pread(int fd, void *data, size_t size, off_t offset);
int __wrap_fsync(int fd);
int __wrap_rename(const char *from, const char *to);
int __wrap_unlink(const char *path);
int __wrap_unlinkat(int dir, const char *name, int flags);
int __wrap_rmdir(const char *path);
int __wrap_close(int fd);
int __wrap_sync_file_range(int fd, off_t from, off_t size, unsigned int flags);

static struct {
	pthread_mutex_t lock;
	bool active, met, was_short;
	char root[PATH_MAX];
	size_t root_length;
	struct fault_plan plan;
	long count;
	char where[2 * PATH_MAX];
	struct fault_log *log;
	size_t n, room;
	unsigned long seen[FAULT_OPS];
} faults = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const char *const names[FAULT_OPS] = {"create", "truncate", "mkdir", "write", "sync", "rename",
					     "unlink", "close",	   "open",  "read",  "mark"};

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	if (type == FTW_DP)
		(void)__real_rmdir(path);
	else
		(void)__real_unlink(path);
	return 0;
}

void faults_remove(const char *path)
{
	(void)nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void log_clear(void)
{
	for (size_t i = 0; i < faults.n; i++) {
		free(faults.log[i].path);
		free(faults.log[i].to);
		free(faults.log[i].data);
	}
	faults.n = 0;
}

void faults_begin(const char *root, const struct fault_plan *plan)
{
	log_clear();
	(void)snprintf(faults.root, sizeof(faults.root), "%s", root);
	faults.root_length = strlen(faults.root);
	faults.plan = *plan;
	faults.count = 0;
	faults.met = faults.was_short = false;
	faults.where[0] = '\0';
	faults.active = true;
}

void faults_relent(void)
{
	faults.plan.kind = FAULT_NONE;
}

void faults_end(void)
{
	faults.active = false;
}

bool faults_met(void)
{
	return faults.met;
}

const char *faults_where(void)
{
	return faults.where;
}

unsigned long faults_seen(enum fault_op op)
{
	return faults.seen[op];
}

const struct fault_log *faults_log(size_t *n)
{
	*n = faults.n;
	return faults.log;
}

/* What of path is below the root; NULL: nothing. */
static const char *below(const char *path)
{
	if (!faults.active || strncmp(path, faults.root, faults.root_length) != 0)
		return NULL;
	path += faults.root_length;
	return *path == '/' ? path + 1 : *path == '\0' ? path : NULL;
}

/* The path of a descriptor now; NULL when it is none of ours. */
static const char *below_fd(int fd, char *buf)
{
	char link[64];
	ssize_t n;

	if (!faults.active)
		return NULL;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, buf, PATH_MAX - 1);
	if (n < 0)
		return NULL;
	buf[n] = '\0';
	return below(buf);
}

static void log_add(enum fault_op op, const char *path, const char *to, const void *data, size_t size, bool failed)
{
	struct fault_log *l;

	/* written to a file that somebody has removed: nobody will find it */
	if (!path || strstr(path, " (deleted)"))
		return;
	pthread_mutex_lock(&faults.lock);
	if (faults.n == faults.room) {
		faults.room = faults.room ? 2 * faults.room : 256;
		faults.log = reallocarray(faults.log, faults.room, sizeof(*faults.log));
		if (!faults.log)
			abort();
	}
	l = &faults.log[faults.n++];
	*l = (struct fault_log){.op = op, .path = strdup(path), .to = to ? strdup(to) : NULL, .failed = failed};
	if (size > 0) {
		l->data = malloc(size);
		if (l->data)
			memcpy(l->data, data, size);
		l->size = size;
	}
	pthread_mutex_unlock(&faults.lock);
}

void faults_mark(int mark, int arg)
{
	if (!faults.active)
		return;
	log_add(FAULT_MARK, "", NULL, NULL, 0, false);
	faults.log[faults.n - 1].mark = mark;
	faults.log[faults.n - 1].arg = arg;
}

/* With the lock held: what happens at this point. 0: nothing; -1: half of it; else an errno. */
static int point_decide(enum fault_op op, const char *path, size_t size)
{
	const struct fault_plan *p = &faults.plan;
	long n = faults.count++;

	if (n != p->at && !(n > p->at && (p->on || faults.was_short)))
		return 0;
	if (n == p->at) {
		faults.met = true;
		(void)snprintf(faults.where, sizeof(faults.where), "point %ld, %s of %s", n, names[op], path);
	}
	switch (p->kind) {
	case FAULT_KILL:
		_exit(FAULT_EXIT);
	case FAULT_GONE:
		faults_remove(p->gone);
		return 0;
	case FAULT_SHORT:
		if (n == p->at) {
			faults.was_short = op == FAULT_WRITE && size > 1;
			return faults.was_short ? -1 : 0;
		}
		faults.was_short = faults.was_short && p->on;
		return op == FAULT_WRITE ? p->errnum : 0;
	case FAULT_ERROR:
		return p->errnum;
	default:
		return 0;
	}
}

static int point(enum fault_op op, const char *path, size_t size)
{
	bool read = op == FAULT_OPEN || op == FAULT_READ;
	int rc = 0;

	if (!path)
		return 0;
	pthread_mutex_lock(&faults.lock);
	faults.seen[op]++;
	if (faults.plan.kind != FAULT_NONE && read == faults.plan.reads)
		rc = point_decide(op, path, size);
	pthread_mutex_unlock(&faults.lock);
	if (rc > 0)
		errno = rc;
	return rc;
}

int __wrap_open(const char *path, int flags, ...)
{
	const char *name = below(path);
	mode_t mode = 0;
	struct stat st;
	bool there;
	va_list ap;
	int fd;

	if (flags & O_CREAT) {
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	if (!name)
		return __real_open(path, flags, mode);
	if (point(flags & O_CREAT ? FAULT_CREATE : FAULT_OPEN, name, 0) > 0)
		return -1;
	there = lstat(path, &st) == 0;
	fd = __real_open(path, flags, mode);
	if (fd >= 0 && (flags & O_CREAT) && !there)
		log_add(FAULT_CREATE, name, NULL, NULL, 0, false);
	else if (fd >= 0 && (flags & O_TRUNC))
		log_add(FAULT_TRUNCATE, name, NULL, NULL, 0, false);
	return fd;
}

int __wrap_openat(int dir, const char *path, int flags, ...)
{
	char buf[PATH_MAX];

	/* nothing is created by this one */
	if (point(FAULT_OPEN, *path == '/' ? below(path) : below_fd(dir, buf), 0) > 0)
		return -1;
	return __real_openat(dir, path, flags, 0);
}

int __wrap_mkostemp(char *path, int flags)
{
	const char *name = below(path);
	int fd;

	if (point(FAULT_CREATE, name, 0) > 0)
		return -1;
	fd = __real_mkostemp(path, flags);
	if (fd >= 0)
		log_add(FAULT_CREATE, name, NULL, NULL, 0, false);
	return fd;
}

int __wrap_mkdir(const char *path, mode_t mode)
{
	const char *name = below(path);
	int rc;

	if (point(FAULT_MKDIR, name, 0) > 0)
		return -1;
	rc = __real_mkdir(path, mode);
	if (rc == 0)
		log_add(FAULT_MKDIR, name, NULL, NULL, 0, false);
	return rc;
}

ssize_t __wrap_write(int fd, const void *data, size_t size)
{
	char buf[PATH_MAX];
	const char *name = below_fd(fd, buf);
	int rc = point(FAULT_WRITE, name, size);
	ssize_t n;

	if (rc > 0)
		return -1;
	n = __real_write(fd, data, rc < 0 ? size / 2 : size);
	if (n > 0)
		log_add(FAULT_WRITE, name, NULL, data, (size_t)n, false);
	return n;
}

ssize_t __wrap_read(int fd, void *data, size_t size)
{
	char buf[PATH_MAX];

	return point(FAULT_READ, below_fd(fd, buf), 0) > 0 ? -1 : __real_read(fd, data, size);
}

ssize_t __wrap_pread(int fd, void *data, size_t size, off_t offset)
{
	char buf[PATH_MAX];

	return point(FAULT_READ, below_fd(fd, buf), 0) > 0 ? -1 : __real_pread(fd, data, size, offset);
}

int __wrap_fsync(int fd)
{
	char buf[PATH_MAX];
	const char *name = below_fd(fd, buf);
	int rc;

	if (!name)
		return __real_fsync(fd);
	rc = point(FAULT_SYNC, name, 0) > 0 ? -1 : 0;
	log_add(FAULT_SYNC, name, NULL, NULL, 0, rc < 0);
	return rc;
}

int __wrap_rename(const char *from, const char *to)
{
	int rc;

	if (point(FAULT_RENAME, below(from), 0) > 0)
		return -1;
	rc = __real_rename(from, to);
	if (rc == 0)
		log_add(FAULT_RENAME, below(from), below(to), NULL, 0, false);
	return rc;
}

int __wrap_unlink(const char *path)
{
	int rc;

	if (point(FAULT_UNLINK, below(path), 0) > 0)
		return -1;
	rc = __real_unlink(path);
	if (rc == 0)
		log_add(FAULT_UNLINK, below(path), NULL, NULL, 0, false);
	return rc;
}

int __wrap_unlinkat(int dir, const char *name, int flags)
{
	char buf[PATH_MAX], full[2 * PATH_MAX];
	const char *parent = below_fd(dir, buf);
	int rc;

	if (!parent)
		return __real_unlinkat(dir, name, flags);
	(void)snprintf(full, sizeof(full), "%s%s%s", parent, *parent ? "/" : "", name);
	if (point(FAULT_UNLINK, full, 0) > 0)
		return -1;
	rc = __real_unlinkat(dir, name, flags);
	if (rc == 0)
		log_add(FAULT_UNLINK, full, NULL, NULL, 0, false);
	return rc;
}

int __wrap_rmdir(const char *path)
{
	int rc;

	if (point(FAULT_UNLINK, below(path), 0) > 0)
		return -1;
	rc = __real_rmdir(path);
	if (rc == 0)
		log_add(FAULT_UNLINK, below(path), NULL, NULL, 0, false);
	return rc;
}

int __wrap_close(int fd)
{
	char buf[PATH_MAX];
	const char *name = below_fd(fd, buf);
	int flags = name ? fcntl(fd, F_GETFL) : 0;
	int rc = 0;

	if (name && (flags & O_ACCMODE) != O_RDONLY)
		rc = point(FAULT_CLOSE, name, 0);
	/* it tells of bytes that could not be written, and it alone */
	if (rc > 0)
		log_add(FAULT_SYNC, name, NULL, NULL, 0, true);
	if (__real_close(fd) < 0)
		return -1;
	errno = rc > 0 ? rc : errno;
	return rc > 0 ? -1 : 0;
}

int __wrap_sync_file_range(int fd, off_t from, off_t size, unsigned int flags)
{
	/* promises nothing */
	return faults.active ? 0 : __real_sync_file_range(fd, from, size, flags);
}
