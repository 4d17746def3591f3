/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* ns.h - the only module that makes namespaces and mounts */

#ifndef CR_NS_H
#define CR_NS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"

/* A new time namespace for the children of the caller, in which CLOCK_MONOTONIC and CLOCK_BOOTTIME read
 * monotonic_ns and boottime_ns now. Both 0: the node's own values. May be called again for the next child. */
int cr_ns_time(int64_t monotonic_ns, int64_t boottime_ns, struct cr_error *err);

/* Leave the node's network for a new one with loopback alone, which is up. */
int cr_ns_net(struct cr_error *err);

/* Whether the caller's network has loopback alone. */
bool cr_ns_net_alone(void);

/* fork into new pid and mount namespaces: the child is pid 1 there. Returns as fork does, -1 with err. */
pid_t cr_ns_fork(struct cr_error *err);

/* What a job sees instead of the node's: all paths absolute. tmp and var_tmp must be the
 * user's directories, and no links. */
struct cr_ns_mounts {
	const char *tmp;     /* bound on /tmp */
	const char *var_tmp; /* bound on /var/tmp */
	const char *home;    /* root's own directory; gets a small tmpfs for criu, seen in this namespace alone */
	const char *sockets; /* likewise, but the tmpfs is root's */
	uid_t uid;
	gid_t gid;
};

/* In the child of cr_ns_fork: private propagation, fresh /proc, /dev/shm and devpts, the binds above. */
int cr_ns_mount(const struct cr_ns_mounts *mounts, struct cr_error *err);

/* The directories that a job has for itself by that, below /, and whether path is one of them or below one. */
#define CR_NS_PRIVATE "tmp", "var/tmp", "dev/shm"
bool cr_ns_private(const char *path);

/* Pids below this one are crinit's own: criu and its helpers must not sit on a pid that a restore needs. */
#define CR_NS_PID_FIRST 1000

/* The pid after which the kernel looks for the next free one, in the caller's pid namespace. Writing needs
 * CAP_CHECKPOINT_RESTORE. */
int cr_ns_last_pid_read(uint32_t *last_pid, struct cr_error *err);
int cr_ns_last_pid_write(uint32_t last_pid, struct cr_error *err);

#endif
