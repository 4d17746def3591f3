/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "rollback.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ns.h"
#include "options.h"
#include "pathlist.h"

/* Slurm's name for the value of this option, and for the copy of it that a job's prolog and an sbatch called from
 * inside of the job see */
#define VARIABLE      "_SLURM_SPANK_OPTION_spank_cr_checkpoint_rollback"
#define VARIABLE_COPY "SLURM_SPANK_" VARIABLE
#define LIST_MARK     '@' /* before a list; a single value never begins with it on its way to a node */

void rollback_forget(void)
{
	if (spank_context() != S_CTX_ALLOCATOR && spank_context() != S_CTX_LOCAL)
		return;
	unsetenv(VARIABLE);
	unsetenv(VARIABLE_COPY);
}

void rollback_hide(spank_t sp)
{
	/* most jobs have none */
	(void)spank_unsetenv(sp, VARIABLE_COPY);
}

/* Is it one of these, or below one? */
static bool path_below(const char *path, const char *const *dirs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t length = strlen(dirs[i]);

		if (strncmp(path, dirs[i], length) == 0 && (path[length] == '/' || !path[length]))
			return true;
	}
	return false;
}

/* Against those that were given before. */
static int others_check(const char *path)
{
	const char *at = options.rollback;
	char other[PATH_MAX];
	const char *const a[] = {path}, *const b[] = {other};
	int n = 0;

	while (cr_pathlist_next(&at, other, sizeof(other), NULL) > 0) {
		if (path_below(path, b, 1) || path_below(other, a, 1)) {
			slurm_error(LOG "--checkpoint-rollback=%s: %s %s, which was given too", path,
				    strcmp(path, other) == 0 ? "the same as" : "is within, or holds,", other);
			return -1;
		}
		if (++n == ROLLBACK_MOST) {
			slurm_error(LOG "--checkpoint-rollback may be given %d times, not more", ROLLBACK_MOST);
			return -1;
		}
	}
	return 0;
}

static int path_check(const char *value, const char *path, const struct stat *st)
{
	static const char *const kernel[] = {"/proc", "/sys", "/dev", "/run"};
	const char *what = NULL;

	if (!S_ISDIR(st->st_mode))
		what = S_ISLNK(st->st_mode) ? "a symbolic link; name the directory itself" : "not a directory";
	else if (strcmp(path, "/") == 0)
		what = "not a directory for one job";
	else if (cr_ns_private(path))
		what = "there every job has files of its own, which its checkpoints hold anyhow";
	else if (path_below(path, kernel, 4))
		what = "has no files to keep";
	else if (st->st_uid != getuid())
		what = "belongs to somebody else";
	else if (access(path, R_OK | W_OK | X_OK) < 0)
		what = "cannot be read and written";
	else
		return others_check(path);
	slurm_error(LOG "--checkpoint-rollback=%s: %s", value, what);
	return -1;
}

static int path_add(const char *value)
{
	size_t length = strlen(value);
	char given[PATH_MAX], path[PATH_MAX];
	struct cr_error err;
	struct stat st;

	if (length == 0 || length >= sizeof(given)) {
		slurm_error(LOG "--checkpoint-rollback needs a directory");
		return -1;
	}
	memcpy(given, value, length + 1);
	/* lstat follows a link that has a slash behind it */
	while (length > 1 && given[length - 1] == '/')
		given[--length] = '\0';
	if (lstat(given, &st) < 0 || !realpath(given, path)) {
		slurm_error(LOG "--checkpoint-rollback=%s: %s", value, strerror(errno));
		return -1;
	}
	if (path_check(value, path, &st) < 0)
		return -1;
	if (cr_pathlist_add(options.rollback, sizeof(options.rollback), path, &err) < 0) {
		slurm_error(LOG "--checkpoint-rollback=%s: %s", value, err.text);
		return -1;
	}
	return 0;
}

int rollback_set(const char *value, bool submit)
{
	const char *at;
	char path[PATH_MAX];
	struct cr_error err;
	int rc;

	if (submit)
		return path_add(value ? value : "");
	/* a single value is Slurm's copy of the last one, in the prolog and the epilog, which need none */
	if (!value || *value != LIST_MARK)
		return 0;
	at = value + 1;
	while ((rc = cr_pathlist_next(&at, path, sizeof(path), &err)) > 0)
		;
	if (rc < 0 || strlen(value) > sizeof(options.rollback)) {
		slurm_error(LOG "--checkpoint-rollback: %s", rc < 0 ? err.text : "too long");
		return -1;
	}
	snprintf(options.rollback, sizeof(options.rollback), "%s", value + 1);
	return 0;
}

int rollback_publish(void)
{
	static char list[ROLLBACK_LIST + 1];

	if (spank_context() != S_CTX_ALLOCATOR || !options.rollback[0])
		return 0;
	snprintf(list, sizeof(list), "%c%s", LIST_MARK, options.rollback);
	if (setenv(VARIABLE, list, 1) == 0)
		return 0;
	slurm_error(LOG "--checkpoint-rollback: %s", strerror(errno));
	return -1;
}
