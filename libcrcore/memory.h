/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* memory.h - how much memory a process of this job may still take, and who dies first when there is none */

#ifndef CR_MEMORY_H
#define CR_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

/* How many bytes the calling process can take now without swapping and without the OOM killer: the least of what
 * the node has available and, for the caller's memory cgroup and each one above it that is visible and limited,
 * the limit less the usage plus what the kernel drops at no cost there (inactive page cache that is clean). Both
 * versions of cgroups; no memory controller means the node alone. 0 when a limit is reached. root stands before
 * every path: "" except in tests.
 *
 * It is a look, not a reservation: the job goes on allocating. A number that cannot be read is an error. */
int cr_memory_free(const char *root, uint64_t *bytes, struct cr_error *err);

/* Touch bytes of memory at at, so that page faults come now and not while a job is frozen. */
int cr_memory_touch(void *at, size_t bytes, struct cr_error *err);

/* Make the calling process the first that the kernel kills when memory runs out, in its cgroup or on the node.
 * What it forks inherits that: not for a process that starts the job or restores it. The kernel gives the file to
 * root while a process is not dumpable (PR_SET_DUMPABLE): EACCES without privilege, so call it before that. */
int cr_memory_oom_first(struct cr_error *err);

#endif
