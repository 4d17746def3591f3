/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* proc.h - the job's tree as /proc shows it in the job's pid namespace */

#ifndef CR_PROC_H
#define CR_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"

/* root and all its descendants, root first, into a malloc'ed array that the caller frees. An empty tree (root is
 * gone) is *n 0. */
int cr_proc_tree(pid_t root, pid_t **pids, size_t *n, struct cr_error *err);

/* A regular file open for writing, or mapped shared and writable. */
struct cr_proc_file {
	char path[4096];
	uint64_t size, dev, ino;
	int64_t mtime_ns; /* not below 0 */
	uint64_t offset;
	uint32_t mode, uid, links;
	uint32_t flags; /* as open(2) has them; of a mapping O_RDWR */
	bool mapped;
	/* with a lease for writing of that descriptor's: whoever opens it breaks that */
	bool leased;
	pid_t pid;
	int fd;
};

/* Is this line of fdinfo, "lock:\t1: LEASE  ACTIVE    WRITE 1004 …", a lease that reading breaks, or
 * one that somebody has broken? */
bool cr_proc_lease(const char *line);

/* Call each for every descriptor of pid that is a regular file open for writing and has a name, and for every
 * shared mapping of one through which pid may write now; what is below /proc and /sys is none. A process that is
 * gone or a zombie is no error; one that cannot be read is. A non-zero return of each ends the walk and is
 * returned. */
int cr_proc_written(pid_t pid, int (*each)(const struct cr_proc_file *file, void *arg), void *arg,
		    struct cr_error *err);

/* The same for its working directory and the directories it has open; path is where they are now. */
int cr_proc_directories(pid_t pid, int (*each)(const char *path, void *arg), void *arg, struct cr_error *err);

/* Does this link of /proc say that the file has lost its name? */
bool cr_proc_deleted(const char *link);

/* Is pid not there any more, or has it ended, and nobody has waited for it yet? */
bool cr_proc_gone(pid_t pid);

/* A copy of descriptor fd of pid; -1 and errno: it is gone, or may not be had. The caller closes it. */
int cr_proc_descriptor(pid_t pid, int fd);

/* Bytes of pid's memory that are not a file's; 0 when it is gone or cannot be read. */
uint64_t cr_proc_memory(pid_t pid);

/* The state of pid, a letter as in /proc/PID/stat; 0 when it is gone. */
char cr_proc_state(pid_t pid);

/* Has pid ended, and was not waited for? Returns 1 and *status, as wait(2) has it; 0 when it has not, or is gone;
 * -1 when the kernel does not let us know. */
int cr_proc_ended(pid_t pid, int *status);

/* Is pid stopped by a signal, *sig, of which its parent has not been told by wait(2)? Returns 1 or 0; not on
 * kernels that do not show it. */
int cr_proc_stop_untold(pid_t pid, int *sig);

/* The number behind "KEY:" in /proc/PID/status, or of thread tid in /proc/PID/task/TID/status; base as strtoull
 * has it. False when there is none. */
bool cr_proc_status(pid_t pid, const char *tid, const char *key, int base, uint64_t *value);

/* When pid was started, in clock ticks of CLOCK_BOOTTIME, and whether it has executed a program since. False when
 * it is gone. */
bool cr_proc_birth(pid_t pid, uint64_t *start, bool *executed);

/* Clock ticks of processor time that pid's threads have used so far; 0 when it is gone. */
uint64_t cr_proc_cpu(pid_t pid);

/* The same, and what children of its have used whose end it has waited for. */
uint64_t cr_proc_cpu_family(pid_t pid);

/* Where pid stands in the file at path that it has open. Returns 1 and *pos, 0 when it has not, -1 on error. */
int cr_proc_position(pid_t pid, const char *path, uint64_t *pos, struct cr_error *err);

/* The kernel's release and machine, the processor's model and feature flags; each malloc'ed. */
int cr_node_kernel(char **text, struct cr_error *err);
int cr_node_cpu(char **model, char **flags, struct cr_error *err);

#endif
