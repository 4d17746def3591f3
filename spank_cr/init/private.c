/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* private.c - the archive is tar's, which reads what the user may read
 *
 * What the user owns and may not read (a key of mode 000) is opened up while the job stands still. The archive has
 * the modes of that moment, and a file of our own with those to go back to.
 */

#include "private.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"
#include "ns.h"
#include "opened.h"
#include "spawn.h"

#define TAR		"/bin/tar"
#define TAR_PATIENCE_MS (3600 * 1000)
#define MODES		".spank_cr.modes"
#define MODES_MAX	(64u << 20) /* bytes of it */
#define MODE_ROOM	8

static const char *const private[] = {CR_NS_PRIVATE};

#define PRIVATE_N (sizeof(private) / sizeof(private[0]))

bool private_has(const char *path)
{
	return cr_ns_private(path);
}

static int tar_run(const struct job *job, const char *const *argv, int fd, struct cr_error *err)
{
	char output[4096];

	return spawn_capture(argv, spawn_environment(), job->cgroup, fd, TAR_PATIENCE_MS, output, sizeof(output),
			     err);
}

/* ---- what tar may not read ---- */

/* Returns 1 when it stays closed: it is somebody else's. */
static int entry_open(struct opened *o, const FTSENT *e, struct cr_error *err)
{
	const mode_t mode = e->fts_statp->st_mode, bits = S_ISDIR(mode) ? S_IRUSR | S_IXUSR : S_IRUSR;

	if (!S_ISDIR(mode) && !S_ISREG(mode))
		return 0;
	if (e->fts_statp->st_uid != geteuid())
		return faccessat(AT_FDCWD, e->fts_path, S_ISDIR(mode) ? R_OK | X_OK : R_OK, AT_EACCESS) < 0;
	return (mode & bits) == bits || opened_add(o, e->fts_path, bits, err) >= 0 ? 0 : -1;
}

/* Open up all below the directories. A directory is read after it was opened. Returns how much stays closed, or
 * -1. */
static int all_open(const struct job *job, struct opened *o, struct cr_error *err)
{
	char names[PRIVATE_N][32], *roots[PRIVATE_N + 1] = {0};
	int closed = 0, rc = 0;
	FTSENT *e;
	FTS *fts;

	for (size_t i = 0; i < PRIVATE_N; i++) {
		snprintf(names[i], sizeof(names[i]), "/%s", private[i]);
		roots[i] = names[i];
	}
	fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	if (!fts)
		return cr_error_sys(err, errno, "/tmp");
	while (rc >= 0 && (e = fts_read(fts))) {
		if (e->fts_info == FTS_DP || e->fts_info == FTS_DNR || e->fts_info == FTS_NS ||
		    e->fts_info == FTS_ERR)
			continue;
		rc = entry_open(o, e, err);
		if (rc > 0 && closed++ == 0)
			job_log(job, 0,
				"%s belongs to another user, who lets nobody read it: no checkpoint has it",
				e->fts_path);
	}
	fts_close(fts);
	return rc < 0 ? -1 : closed;
}

/* ---- the modes to go back to ---- */

static char *modes_text(const struct opened *o, size_t *size, struct cr_error *err)
{
	size_t room = 1;
	char *text;

	for (size_t i = 0; i < o->n; i++)
		room += strlen(o->list[i].path) + MODE_ROOM;
	text = malloc(room);
	if (!text)
		(void)cr_error_sys(err, ENOMEM, "the modes in /tmp");
	*size = 0;
	for (size_t i = 0; text && i < o->n; i++)
		*size += (size_t)snprintf(text + *size, room - *size, "%04o %s", (unsigned)o->list[i].mode,
					  o->list[i].path) +
			 1;
	return text;
}

static void modes_path(size_t i, char path[64])
{
	snprintf(path, 64, "/%s/" MODES, private[i]);
}

/* Into the first directory that has room for it. */
static int modes_write(const struct opened *o, struct cr_error *err)
{
	cleanup_free char *text = NULL;
	char path[64];
	size_t size;
	int rc = -1;

	if (o->n == 0)
		return 0;
	text = modes_text(o, &size, err);
	for (size_t i = 0; text && rc < 0 && i < PRIVATE_N; i++) {
		cleanup_close int fd = -1;

		modes_path(i, path);
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		rc = fd < 0 ? cr_error_sys(err, errno, "%s", path) : cr_fs_write_all(fd, text, size, err);
		if (rc < 0 && fd >= 0)
			unlink(path);
	}
	return rc;
}

static void modes_remove(void)
{
	char path[64];

	for (size_t i = 0; i < PRIVATE_N; i++) {
		modes_path(i, path);
		unlink(path);
	}
}

/* The mode of something of the user's own; a path leads nowhere that the user could not reach. */
static void mode_apply(const char *text)
{
	const mode_t mode = (mode_t)strtoul(text, NULL, 8);
	cleanup_close int fd = -1;
	char link[64];
	struct stat st;

	if (strspn(text, "01234567") != 4 || text[4] != ' ' || !private_has(text + 5))
		return;
	fd = cr_fs_open_unlinked(AT_FDCWD, text + 5, O_PATH | O_NOFOLLOW);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (fd >= 0 && fstat(fd, &st) == 0 && !S_ISLNK(st.st_mode))
		(void)chmod(link, mode & 07777);
}

/* From the inner ones outwards: they were opened up in the other order. */
static void modes_apply(char *text, size_t size)
{
	while (size > 0 && text[size - 1] == '\0') {
		size_t at = size - 1;

		while (at > 0 && text[at - 1] != '\0')
			at--;
		mode_apply(text + at);
		size = at;
	}
}

static void modes_restore(void)
{
	struct cr_error ignored;
	char path[64];

	for (size_t i = 0; i < PRIVATE_N; i++) {
		cleanup_free char *text = NULL;
		size_t size;

		modes_path(i, path);
		if (cr_fs_read(path, MODES_MAX, &text, &size, &ignored) < 0)
			continue;
		unlink(path);
		modes_apply(text, size);
	}
}

/* ---- the archive ---- */

static int archive_write(const struct job *job, int fd, bool closed, struct cr_error *err)
{
	char archive[32];
	const char *const argv[] = {TAR, "--create", "--directory=/", "--file", archive, "--format=posix",
				    /* nobody asks for these times, and they change without the file */
				    "--pax-option=delete=atime,delete=ctime", "--sparse", "--numeric-owner",
				    "--xattrs", "--one-file-system", "--sort=name", "--warning=no-file-ignored",
				    /* the last one once more is nothing */
				    closed ? "--ignore-failed-read" : "--warning=no-file-ignored", CR_NS_PRIVATE,
				    NULL};

	snprintf(archive, sizeof(archive), "/proc/self/fd/%d", fd);
	return tar_run(job, argv, fd, err);
}

int private_save(const struct job *job, int fd, struct cr_error *err)
{
	struct opened opened = {0};
	int closed, rc;

	/* one of an earlier attempt that did not come to its end */
	modes_remove();
	closed = all_open(job, &opened, err);
	rc = closed < 0 ? -1 : modes_write(&opened, err);
	if (rc == 0)
		rc = archive_write(job, fd, closed > 0, err);
	if (opened.n > 0)
		modes_remove();
	opened_close(&opened);
	return rc < 0 ? cr_error_prefix(err, "saving the job's /tmp, /var/tmp and /dev/shm") : 0;
}

int private_restore(const struct job *job, int fd, struct cr_error *err)
{
	char archive[32];
	const char *const argv[] = {TAR,     "--extract",	   "--directory=/",   "--file",
				    archive, "--same-permissions", "--numeric-owner", "--xattrs",
				    NULL};

	snprintf(archive, sizeof(archive), "/proc/self/fd/%d", fd);
	if (tar_run(job, argv, fd, err) < 0)
		return cr_error_prefix(err, "restoring the job's /tmp, /var/tmp and /dev/shm");
	modes_restore();
	return 0;
}
