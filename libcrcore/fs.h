/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* fs.h - files and directories, durably and without following links that others may have planted */

#ifndef CR_FS_H
#define CR_FS_H

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "error.h"

/* Create path and its missing parents, each new one with mode (less the umask) and made durable. An existing
 * directory is fine. */
int cr_fs_mkdirs(const char *path, mode_t mode, struct cr_error *err);

/* Refuse path unless it is a directory (not a link to one), owned by uid, without write permission for
 * group and others. The text says what to do. */
int cr_fs_check_owned(const char *path, uid_t uid, struct cr_error *err);

/* Write size bytes to path: into a temporary name beside it, fsync, rename, fsync of the directory. */
int cr_fs_write_atomic(const char *path, const void *data, size_t size, mode_t mode, struct cr_error *err);

/* Read all of path, at most max bytes (more is an error), into a malloc'ed, NUL-terminated *data that the
 * caller frees. *size (may be NULL) excludes the NUL. A final symbolic link, and anything but a regular file,
 * is refused. */
int cr_fs_read(const char *path, size_t max, char **data, size_t *size, struct cr_error *err);

/* The same of what comes from fd, which may be a pipe; path is for the text. */
int cr_fs_read_fd(int fd, const char *path, size_t max, char **data, size_t *size, struct cr_error *err);

/* fsync(2), rename(2), unlink(2) (a missing path is fine): the library calls none of them anywhere else, but for
 * its temporary files. path is for the text; a file system that
 * has no fsync for directories (EINVAL) is taken at its word. */
int cr_fs_sync(int fd, const char *path, struct cr_error *err);
int cr_fs_rename(const char *from, const char *to, struct cr_error *err);
int cr_fs_unlink(const char *path, struct cr_error *err);

/* fsync a directory, or every regular file and directory below (and including) one. */
int cr_fs_sync_dir(const char *path, struct cr_error *err);
int cr_fs_sync_tree(const char *path, struct cr_error *err);

/* fsync the directory that path is in; one that this user may not read is passed over. */
int cr_fs_sync_parent(const char *path, struct cr_error *err);

/* Remove path and all below it; never crosses a symbolic link or a mount point (one is the error EBUSY, after
 * everything else is gone). Directories without permissions for their owner are no obstacle. A missing path
 * is fine. */
int cr_fs_remove_tree(const char *path, struct cr_error *err);

/* openat(2), but no component of path may be a symbolic link (ELOOP). Returns a descriptor, or -1 and errno. */
int cr_fs_open_unlinked(int dir, const char *path, int flags);

/* Copy bytes [0, size) of file descriptor in to the start of out (both regular files; positions of
 * neither are used), reflinked or copied by the kernel where it can (copy_file_range). A file shorter
 * than size is an error, and so is an out opened with O_APPEND. */
int cr_fs_copy(int in, int out, uint64_t size, struct cr_error *err);

/* write(2) all of it; retries EINTR and short writes. */
int cr_fs_write_all(int fd, const void *data, size_t size, struct cr_error *err);

/* Write bytes [from, from + size) of file in to out, which may be a pipe: what is in it afterwards is a copy. */
int cr_fs_send(int in, uint64_t from, uint64_t size, int out, struct cr_error *err);

/* pread(2) all of it; an earlier end of the file is the error EBADMSG. */
int cr_fs_pread_all(int fd, void *data, size_t size, uint64_t offset, struct cr_error *err);

/* Open path, relative to directory dir as openat(2) has it, to read: a directory's listing, or a file. NULL and
 * errno. flags: O_NOFOLLOW and the like, beside those that this takes. The caller closes it. */
DIR *cr_fs_opendir_at(int dir, const char *path, int flags);
FILE *cr_fs_fopen_at(int dir, const char *path, int flags);

#endif
