/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"

#define BLOCK  512u
#define SECOND INT64_C(1000000000)

int cr_tree_openat(const struct cr_tree *tree, const char *path, uint64_t flags)
{
	struct open_how how = {
		.flags = flags | O_NOFOLLOW | O_CLOEXEC | (flags & O_PATH ? 0 : O_NONBLOCK | O_NOCTTY),
		.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH,
	};
	int fd;

	/* EAGAIN: a rename elsewhere came in between */
	do
		fd = (int)syscall(SYS_openat2, tree->root, path, &how, sizeof(how));
	while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	return fd;
}

/* Through its link in /proc: a handle has no fchmod, and by name it would follow a link. */
int cr_tree_mode_set(int fd, mode_t mode)
{
	char link[64];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return chmod(link, mode & 07777);
}

int cr_tree_mode_add(int fd, mode_t bits)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -1;
	if ((st.st_mode & bits) == bits)
		return 0;
	return cr_tree_mode_set(fd, st.st_mode | bits) < 0 ? -1 : 1;
}

int cr_tree_dir_open(const struct cr_tree *tree, struct cr_tree_entry *e)
{
	cleanup_close int handle = -1;
	int rc;

	if ((e->mode & S_IRWXU) == S_IRWXU)
		return 0;
	if (strcmp(e->path, ".") != 0) {
		handle = cr_tree_openat(tree, e->path, O_PATH | O_DIRECTORY);
		if (handle < 0)
			return -1;
	}
	rc = cr_tree_mode_add(handle < 0 ? tree->root : handle, S_IRWXU);
	if (rc > 0)
		e->opened = true;
	return rc < 0 ? -1 : 0;
}

static int root_failed(const char *dir, int errnum, struct cr_error *err)
{
	struct stat st;

	if (errnum != ELOOP && errnum != ENOTDIR)
		return cr_error_sys(err, errnum, "%s", dir);
	if (lstat(dir, &st) == 0 && S_ISLNK(st.st_mode))
		return cr_error_set(err, ELOOP, "%s is a symbolic link now, and was a directory", dir);
	if (errnum == ELOOP)
		return cr_error_set(err, ELOOP, "a symbolic link leads to %s, which was not there: not followed",
				    dir);
	return cr_error_sys(err, errnum, "%s", dir);
}

int cr_tree_open(struct cr_tree *tree, const char *dir, uid_t uid, struct cr_error *err)
{
	struct stat st;

	*tree = CR_TREE_NONE;
	/* a handle: the user may have taken even the permission to read it */
	tree->root = cr_fs_open_unlinked(AT_FDCWD, dir, O_PATH | O_DIRECTORY | O_NOFOLLOW);
	if (tree->root < 0 || fstat(tree->root, &st) < 0)
		return root_failed(dir, errno, err);
	if (st.st_uid != uid)
		return cr_error_set(err, EPERM, "%s belongs to uid %u, not to uid %u", dir, (unsigned)st.st_uid,
				    (unsigned)uid);
	tree->dev = st.st_dev;
	tree->uid = uid;
	return 0;
}

static int path_compare(const void *a, const void *b)
{
	return strcmp(((const struct cr_tree_entry *)a)->path, ((const struct cr_tree_entry *)b)->path);
}

static void entry_free(struct cr_tree_entry *e)
{
	free(e->path);
	free(e->link);
}

static void node_keep(void *node)
{
	(void)node;
}

/* What the index points to has moved. */
static int paths_rebuild(struct cr_tree *tree, struct cr_error *err)
{
	if (tree->paths)
		tdestroy(tree->paths, node_keep);
	tree->paths = NULL;
	for (size_t i = 0; i < tree->n; i++) {
		if (!tsearch(&tree->entries[i], &tree->paths, path_compare))
			return cr_error_sys(err, ENOMEM, "list of files");
	}
	return 0;
}

static int entries_grow(struct cr_tree *tree, struct cr_error *err)
{
	size_t room = tree->room ? 2 * tree->room : 64;
	struct cr_tree_entry *entries;

	if (tree->n < tree->room)
		return 0;
	entries = reallocarray(tree->entries, room, sizeof(*entries));
	if (!entries)
		return cr_error_sys(err, ENOMEM, "list of files");
	tree->entries = entries;
	tree->room = room;
	return paths_rebuild(tree, err);
}

int cr_tree_add(struct cr_tree *tree, const struct cr_tree_entry *entry, struct cr_error *err)
{
	struct cr_tree_entry *e, **found;

	if (entries_grow(tree, err) < 0)
		return -1;
	e = &tree->entries[tree->n];
	*e = *entry;
	e->path = strdup(entry->path);
	e->link = entry->link ? strdup(entry->link) : NULL;
	if (e->path && (e->link || !entry->link)) {
		found = tsearch(e, &tree->paths, path_compare);
		if (found && *found == e) {
			tree->n++;
			return 0;
		}
		cr_error_sys(err, found ? EEXIST : ENOMEM, "%s", entry->path);
	} else {
		cr_error_sys(err, ENOMEM, "list of files");
	}
	entry_free(e);
	return -1;
}

struct cr_tree_entry *cr_tree_find(const struct cr_tree *tree, const char *path)
{
	const struct cr_tree_entry key = {.path = (char *)(uintptr_t)path};
	struct cr_tree_entry *const *found = tfind(&key, &tree->paths, path_compare);

	return found ? *found : NULL;
}

void cr_tree_close(struct cr_tree *tree)
{
	if (tree->root >= 0)
		close(tree->root);
	if (tree->paths)
		tdestroy(tree->paths, node_keep);
	for (size_t i = 0; i < tree->n; i++)
		entry_free(&tree->entries[i]);
	free(tree->entries);
	*tree = CR_TREE_NONE;
}

int64_t cr_tree_time(int64_t seconds, int64_t ns)
{
	const int64_t most = INT64_MAX / SECOND - 1;

	if (seconds > most || seconds < -most)
		return (seconds > 0 ? most : -most) * SECOND;
	return seconds * SECOND + (ns < 0 || ns >= SECOND ? 0 : ns);
}

struct timespec cr_tree_timespec(int64_t ns)
{
	int64_t rest = ns % SECOND;

	/* before 1970 the nanoseconds count forward all the same */
	if (rest < 0)
		rest += SECOND;
	return (struct timespec){.tv_sec = (ns - rest) / SECOND, .tv_nsec = rest};
}

int cr_tree_extent(int fd, uint64_t size, uint64_t *offset, uint64_t *length)
{
	off_t data, hole;

	if (*offset >= size)
		return 0;
	data = lseek(fd, (off_t)*offset, SEEK_DATA);
	if (data < 0 && errno == ENXIO)
		return 0;
	/* a file system that does not know: all is data */
	if (data < 0)
		data = (off_t)*offset;
	if ((uint64_t)data >= size)
		return 0;
	hole = lseek(fd, data, SEEK_HOLE);
	if (hole <= data || (uint64_t)hole > size)
		hole = (off_t)size;
	*offset = (uint64_t)data;
	*length = (uint64_t)(hole - data);
	return 1;
}

/* ---- listing ---- */

struct inode {
	uint64_t ino;
	char path[];
};

struct listing {
	struct cr_tree *tree;
	cr_tree_leave leave;
	void *arg;
	void *inodes; /* files with several names, by inode */
	bool all;     /* see cr_tree_list_all */
};

static int inode_compare(const void *a, const void *b)
{
	uint64_t x = ((const struct inode *)a)->ino, y = ((const struct inode *)b)->ino;

	return x < y ? -1 : x > y;
}

/* A file with several names: link is the first of them that was met, or NULL when this is it. */
static int inode_meet(struct listing *l, struct cr_tree_entry *e, struct cr_error *err)
{
	size_t length = strlen(e->path) + 1;
	struct inode *node = malloc(sizeof(*node) + length), **found;

	if (!node)
		return cr_error_sys(err, ENOMEM, "list of files");
	node->ino = e->ino;
	memcpy(node->path, e->path, length);
	found = tsearch(node, &l->inodes, inode_compare);
	if (found && *found == node)
		return 0;
	free(node);
	if (!found)
		return cr_error_sys(err, ENOMEM, "list of files");
	e->link = (*found)->path;
	e->hard = true;
	return 0;
}

/* It was there a moment ago: somebody has removed it, or put something else there. */
static bool is_gone(int errnum)
{
	return errnum == ENOENT || errnum == ENOTDIR || errnum == ELOOP || errnum == EINVAL;
}

/* Returns 1 for what is not listed. */
static int entry_fill(struct listing *l, int dir, const char *name, struct cr_tree_entry *e, char *target,
		      struct cr_error *err)
{
	enum cr_tree_left left = CR_TREE_TAKEN;
	struct stat st;
	ssize_t n;

	/* "." may not be looked up in a directory without permissions */
	if (fstatat(dir, strcmp(name, ".") == 0 ? "" : name, &st, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0)
		return errno == ENOENT && strcmp(name, ".") != 0 ? 1 : cr_error_sys(err, errno, "%s", e->path);
	/* of a restore that was killed */
	if (!l->all && strcmp(name, CR_TREE_TEMPORARY) == 0 && !S_ISDIR(st.st_mode))
		return 1;
	if (l->leave)
		left = l->leave(l->arg, dir, name, &st);
	e->stays = left == CR_TREE_STAYS;
	e->mode = st.st_mode;
	e->uid = st.st_uid;
	e->ino = st.st_ino;
	e->size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
	e->nlink = (uint32_t)st.st_nlink;
	e->mtime_ns = cr_tree_time(st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	/* an overlay gives files other devices than their directory; mount points on files are refused as they are
	 * opened
	 */
	e->left = st.st_uid != l->tree->uid || (S_ISDIR(st.st_mode) && st.st_dev != l->tree->dev) ||
		  !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) || S_ISLNK(st.st_mode) || S_ISFIFO(st.st_mode)) ||
		  left != CR_TREE_TAKEN;
	if (e->left)
		return 0;
	if (S_ISLNK(st.st_mode)) {
		n = readlinkat(dir, name, target, PATH_MAX);
		if (n < 0 && is_gone(errno))
			return 1;
		if (n < 0 || n >= PATH_MAX)
			return cr_error_sys(err, n < 0 ? errno : ENAMETOOLONG, "%s", e->path);
		target[n] = '\0';
		e->link = target;
	}
	if (S_ISREG(st.st_mode) && st.st_nlink > 1 && inode_meet(l, e, err) < 0)
		return -1;
	if (S_ISREG(st.st_mode) && !e->hard) {
		uint64_t blocks = (uint64_t)st.st_blocks * BLOCK;

		/* holes cost nothing, and a file system that compresses tells too little */
		l->tree->bytes += blocks < e->size && blocks < e->size / 2 ? blocks : e->size;
	}
	return 0;
}

static int entry_list(struct listing *l, const char *parent, int dir, const char *name, struct cr_error *err)
{
	char path[PATH_MAX], target[PATH_MAX + 1];
	struct cr_tree_entry e = {.path = path};
	int rc;

	if (snprintf(path, sizeof(path), "%s%s%s", parent, *parent ? "/" : "", name) >= PATH_MAX)
		return cr_error_sys(err, ENAMETOOLONG, "%s/%.64s...", parent, name);
	if (l->tree->most && l->tree->n >= l->tree->most)
		return cr_error_set(err, EFBIG, "more than %zu names", l->tree->most);
	rc = entry_fill(l, dir, name, &e, target, err);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	return cr_tree_add(l->tree, &e, err);
}

static int names_read(DIR *stream, char ***names, size_t *n)
{
	size_t room = 0;
	struct dirent *d;

	for (errno = 0; (d = readdir(stream)); errno = 0) {
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		if (*n == room) {
			char **more = reallocarray(*names, room = room ? 2 * room : 64, sizeof(*more));

			if (!more)
				return ENOMEM;
			*names = more;
		}
		(*names)[*n] = strdup(d->d_name);
		if (!(*names)[*n])
			return ENOMEM;
		++*n;
	}
	return errno;
}

static int name_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Directory i, which its owner may not be allowed to read. */
static int dir_open(struct listing *l, size_t i)
{
	if (l->all && cr_tree_dir_open(l->tree, &l->tree->entries[i]) < 0)
		return -1;
	return cr_tree_openat(l->tree, l->tree->entries[i].path, O_RDONLY | O_DIRECTORY);
}

/* One that was removed since it was listed is not there; but for the tree's own. */
static int dir_failed(struct listing *l, size_t i, int errnum, struct cr_error *err)
{
	struct cr_tree_entry *e = &l->tree->entries[i];

	if (i == 0 || l->all || !is_gone(errnum))
		return cr_error_sys(err, errnum, "%s", e->path);
	e->left = true;
	return 0;
}

/* In the order of the names, so that an archive of the same is the same. */
static int dir_list(struct listing *l, size_t i, const char *path, struct cr_error *err)
{
	const char *parent = strcmp(path, ".") == 0 ? "" : path;
	int fd = dir_open(l, i), rc = 0, errnum;
	cleanup_closedir DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	cleanup_free char **names = NULL;
	size_t n = 0;

	if (!stream) {
		errnum = errno;
		if (fd >= 0)
			close(fd);
		return dir_failed(l, i, errnum, err);
	}
	errnum = names_read(stream, &names, &n);
	if (errnum == ENOENT)
		rc = dir_failed(l, i, errnum, err);
	else if (errnum)
		rc = cr_error_sys(err, errnum, "%s", path);
	else if (n > 0)
		qsort(names, n, sizeof(*names), name_compare);
	for (size_t k = 0; k < n; k++) {
		if (rc == 0)
			rc = entry_list(l, parent, dirfd(stream), names[k], err);
		free(names[k]);
	}
	return rc;
}

static int tree_list(struct listing *l, struct cr_error *err)
{
	struct cr_tree *tree = l->tree;
	int rc = entry_list(l, "", tree->root, ".", err);

	/* the list grows meanwhile */
	for (size_t i = 0; rc == 0 && i < tree->n; i++) {
		cleanup_free char *path = NULL;

		if (!S_ISDIR(tree->entries[i].mode) || tree->entries[i].left)
			continue;
		path = strdup(tree->entries[i].path);
		rc = path ? dir_list(l, i, path, err) : cr_error_sys(err, ENOMEM, "list of files");
	}
	if (l->inodes)
		tdestroy(l->inodes, free);
	return rc;
}

int cr_tree_list(struct cr_tree *tree, cr_tree_leave leave, void *arg, struct cr_error *err)
{
	return tree_list(&(struct listing){.tree = tree, .leave = leave, .arg = arg}, err);
}

int cr_tree_list_all(struct cr_tree *tree, cr_tree_leave leave, void *arg, struct cr_error *err)
{
	return tree_list(&(struct listing){.tree = tree, .leave = leave, .arg = arg, .all = true}, err);
}

void cr_tree_close_again(struct cr_tree *tree)
{
	/* the inner ones first: the way to them leads through the others */
	for (size_t i = tree->n; i-- > 0;) {
		struct cr_tree_entry *e = &tree->entries[i];
		cleanup_close int handle = -1;

		if (!e->opened)
			continue;
		handle = cr_tree_openat(tree, e->path, O_PATH | O_DIRECTORY);
		if (handle >= 0)
			(void)cr_tree_mode_set(handle, e->mode);
		e->opened = false;
	}
}
