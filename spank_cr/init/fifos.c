/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "fifos.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"
#include "shim.h"
#include "shim_fifos.h"

/* ---- taking ---- */

static bool has_ended(int pidfd, int number)
{
	cleanup_close int fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return fd >= 0 && (fcntl(fd, F_GETFL) & (O_ACCMODE | O_PATH)) == O_RDONLY && poll(&p, 1, 0) > 0 &&
	       (p.revents & POLLHUP);
}

/* The path of a descriptor's named pipe; a pipe without a name is "pipe:[...]", a removed one has another end. */
static bool fifo_path(int dir, const char *name, char *path, size_t size)
{
	static const char deleted[] = " (deleted)";
	ssize_t n = readlinkat(dir, name, path, size - 1);
	struct stat st;

	if (n <= 0 || path[0] != '/' || fstatat(dir, name, &st, 0) < 0 || !S_ISFIFO(st.st_mode))
		return false;
	path[n] = '\0';
	if (st.st_nlink == 0 && (size_t)n >= sizeof(deleted) && strcmp(path + n - strlen(deleted), deleted) == 0)
		path[(size_t)n - strlen(deleted)] = '\0';
	return true;
}

/* The keys of fifos, for a job may have one pipe open a million times. */
static int process_take(json_t *fifos, pid_t pid, size_t *room)
{
	cleanup_close int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	cleanup_closedir DIR *d = NULL;
	char path[PATH_MAX], name[SHIM_FIFO_NAME];
	struct dirent *e;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	d = pidfd < 0 ? NULL : opendir(path);
	while (d && (e = readdir(d))) {
		if (!fifo_path(dirfd(d), e->d_name, path, sizeof(path)))
			continue;
		shim_fifo_name(path, name);
		if (json_object_get(fifos, name) || !has_ended(pidfd, atoi(e->d_name)))
			continue;
		if (strlen(name) >= *room || json_object_set_new(fifos, name, json_true()) < 0)
			return -1;
		*room -= strlen(name) + 1;
	}
	return 0;
}

json_t *fifos_take(const pid_t *pids, size_t n)
{
	json_auto_t *names = json_object();
	json_t *fifos = json_array(), *value;
	size_t room = FIFOS_MAX_BYTES;
	const char *name;

	for (size_t i = 0; names && i < n; i++) {
		if (process_take(names, pids[i], &room) == 0)
			continue;
		json_decref(fifos);
		return json_null();
	}
	json_object_foreach(names, name, value)
	{
		if (json_array_append_new(fifos, json_string(name)) < 0) {
			json_decref(fifos);
			return json_null();
		}
	}
	return fifos;
}

/* ---- telling ---- */

bool fifos_ok(const json_t *fifos)
{
	size_t i, sum = 0;
	json_t *item;

	if (!fifos || json_is_null(fifos))
		return true;
	if (!json_is_array(fifos))
		return false;
	json_array_foreach (fifos, i, item) {
		const char *hex = json_string_value(item);

		if (!hex || strspn(hex, SHIM_FIFO_HEX) != strlen(hex))
			return false;
		sum += strlen(hex) + 1;
	}
	return sum <= FIFOS_MAX_BYTES;
}

int fifos_tell(const char *dir, const json_t *fifos, struct cr_error *err)
{
	cleanup_free char *text = NULL;
	char path[PATH_MAX];
	size_t used = 0, i;
	json_t *item;

	if (!json_is_array(fifos))
		return 0;
	text = malloc(FIFOS_MAX_BYTES + 1);
	if (!text)
		return cr_error_sys(err, ENOMEM, "the job's named pipes");
	json_array_foreach (fifos, i, item) {
		used += (size_t)snprintf(text + used, FIFOS_MAX_BYTES + 1 - used, "%s\n", json_string_value(item));
	}
	snprintf(path, sizeof(path), "%s/" SHIM_FIFOS, dir);
	return cr_fs_write_atomic(path, text, used, 0600, err);
}

void fifos_forget(const char *dir)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/" SHIM_FIFOS, dir);
	(void)cr_fs_unlink(path, NULL);
}
