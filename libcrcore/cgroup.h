/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* cgroup.h - the child cgroup that keeps Slurm's signals from the job's tree
 *
 * proctrack/cgroup signals the processes in the step's (v1, freezer) or task's (v2) own directory and does not
 * descend. The tree lives one level below: it stays under every limit and in the accounting, is frozen by
 * scontrol suspend, and gets neither SIGTERM nor SIGKILL from Slurm.
 */

#ifndef CR_CGROUP_H
#define CR_CGROUP_H

#include <limits.h>
#include <sys/types.h>

#include "error.h"

#define CR_CGROUP_CHILD "spank_cr"

/* Where pid ("self" or a number) is in the hierarchy of a controller: version 1 if the controller is mounted as
 * such, else version 2. point is the mount point, below the path under it, "" at the top; both have PATH_MAX
 * bytes. A mount that shows only a part of the hierarchy is taken into account as far as proc tells; below may
 * not exist. tree stands before every path: "" except in tests. Returns the version, 1 or 2; fails with ENOENT
 * when there is neither. */
int cr_cgroup_find(const char *tree, const char *pid, const char *controller, char *point, char *below,
		   struct cr_error *err);

/* The directory of pid's cgroup in the hierarchy that proctrack/cgroup uses, from proc/PID/cgroup and the
 * mounts of the caller: v1 freezer if there is one, else v2. buf has PATH_MAX bytes. Fails with ENOENT when
 * neither is mounted, ENOTSUP when the process is in the root cgroup (proctrack is not proctrack/cgroup). */
int cr_cgroup_of(pid_t pid, char *buf, struct cr_error *err);

/* Make the child of the caller's cgroup, which is root's, and open its cgroup.procs for writing (close-on-exec).
 * The kernel checks the opener's rights at each write, so a descriptor opened with them serves a process without.
 * Returns the descriptor or -1. */
int cr_cgroup_open_child(struct cr_error *err);

/* Move the calling process through a descriptor of cr_cgroup_open_child. */
int cr_cgroup_enter(int fd, struct cr_error *err);

/* The part of dir up to and including its "step_…" component, in place; without one dir is left alone. */
void cr_cgroup_step_dir(char *dir);

/* Remove every child of ours at or below dir, with what is below it. Processes that are in one are thawed and
 * killed, and have wait_ms to go. Returns how many are left, or -1. */
int cr_cgroup_remove_children(const char *dir, int wait_ms, struct cr_error *err);

#endif
