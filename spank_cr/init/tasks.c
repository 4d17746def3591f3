/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "tasks.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>

#include "caps.h"
#include "cleanup.h"
#include "proc.h"

#define TRY_MS 10
#define TRIES  50

static bool is_among(const pid_t *pids, size_t n, pid_t pid)
{
	for (size_t i = 0; i < n; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

/* A zombie is made by a process of criu's that dies about now, and one of ours may just have been forked. */
static int bare_check(pid_t pid, struct cr_error *err)
{
	int has = cr_caps_task_has("/proc", pid, err);

	for (int i = 0; has > 0 && i < TRIES; i++) {
		poll(NULL, 0, TRY_MS);
		has = cr_caps_task_has("/proc", pid, err);
	}
	if (has > 0)
		return cr_error_set(
			err, EPERM,
			"process %d holds capabilities after the restore: the images were tampered with",
			(int)pid);
	return has < 0 && err->errnum != ESRCH ? -1 : 0;
}

static int inside_check(pid_t pid, struct cr_error *err)
{
	for (int i = 0; i < TRIES; i++) {
		if (cr_proc_gone(pid))
			return 0;
		poll(NULL, 0, TRY_MS);
	}
	return cr_error_set(err, EPERM,
			    "restored process %d is not in the job's tree: the images were tampered with",
			    (int)pid);
}

int tasks_check(const struct tasks *t, struct cr_error *err)
{
	cleanup_free pid_t *all = NULL, *tree = NULL, *made = NULL;
	size_t n_all, n_tree, n_made;
	int rc = 0;

	if (cr_proc_tree(t->root, &tree, &n_tree, err) < 0 || cr_proc_tree(t->criu, &made, &n_made, err) < 0 ||
	    cr_proc_tree(t->top, &all, &n_all, err) < 0)
		return -1;
	if (n_tree == 0)
		return cr_error_set(err, ESRCH, "the restored tree has no root %d", (int)t->root);
	for (size_t i = 0; i < n_all && rc == 0; i++)
		rc = is_among(t->ours, t->n_ours, all[i]) ? 0 : bare_check(all[i], err);
	for (size_t i = 0; i < n_made && rc == 0; i++)
		if (!is_among(t->ours, t->n_ours, made[i]) && !is_among(tree, n_tree, made[i]))
			rc = inside_check(made[i], err);
	return rc;
}
