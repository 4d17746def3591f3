/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "ended.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "fs.h"
#include "proc.h"
#include "shim.h"

static json_t *list_take(const pid_t *pids, size_t n, int (*look)(pid_t pid, int *status))
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < n; i++) {
		int status;

		if (look(pids[i], &status) <= 0)
			continue;
		if (json_array_append_new(list, json_pack("[i, i]", (int)pids[i], status)) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

json_t *ended_take(const pid_t *pids, size_t n)
{
	return list_take(pids, n, cr_proc_ended);
}

json_t *untold_take(const pid_t *pids, size_t n)
{
	return list_take(pids, n, cr_proc_stop_untold);
}

bool ended_ok(const json_t *ended)
{
	size_t i;
	json_t *item;

	if (!ended)
		return true;
	if (!json_is_array(ended))
		return false;
	json_array_foreach (ended, i, item) {
		int pid, status;

		if (json_unpack(item, "[i, i!]", &pid, &status) < 0 || pid <= 0 || status < 0 || status > 0xffff)
			return false;
	}
	return true;
}

static int list_write(const char *dir, const char *name, const json_t *list, struct cr_error *err)
{
	size_t room = json_array_size(list) * 24 + 1, used = 0, i;
	cleanup_free char *text = calloc(1, room);
	char path[PATH_MAX];
	json_t *item;

	if (!text)
		return cr_error_sys(err, ENOMEM, "%s", name);
	json_array_foreach (list, i, item) {
		used += (size_t)snprintf(text + used, room - used, "%d %d\n",
					 (int)json_integer_value(json_array_get(item, 0)),
					 (int)json_integer_value(json_array_get(item, 1)));
	}
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return cr_fs_write_atomic(path, text, used, 0600, err);
}

int ended_tell(const char *dir, const json_t *ended, const json_t *untold, struct cr_error *err)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/" SHIM_CORES, dir);
	if (json_array_size(ended) > 0 &&
	    (cr_fs_mkdirs(path, 0700, err) < 0 || list_write(dir, SHIM_ENDED, ended, err) < 0))
		return -1;
	/* an empty one says that all have been told; a checkpoint of before does not know */
	return untold ? list_write(dir, SHIM_UNTOLD, untold, err) : 0;
}

void ended_forget(const char *dir)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/" SHIM_CORES, dir);
	(void)cr_fs_remove_tree(path, NULL);
	snprintf(path, sizeof(path), "%s/" SHIM_ENDED, dir);
	(void)cr_fs_unlink(path, NULL);
	snprintf(path, sizeof(path), "%s/" SHIM_UNTOLD, dir);
	(void)cr_fs_unlink(path, NULL);
}
