/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* caps.h - the only module that changes capabilities or ids
 *
 * The budget is what crinit and criu hold as their ambient set; the job's processes hold nothing. It is
 * computed on each node from what that node is, and every entry has its reason (doc/architecture.md).
 */

#ifndef CR_CAPS_H
#define CR_CAPS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"

#define CR_CAPS_REASONS 5

struct cr_budget {
	uint64_t caps; /* bit N is capability N */
	struct {
		int cap;
		const char *reason;
	} why[CR_CAPS_REASONS];
	int n;
};

/* Decide what this node needs; private_net: for a job in a network namespace of its own. Fails when one of them is
 * outside of the bounding set or CAP_CHECKPOINT_RESTORE unknown to the kernel. bounding and ptrace_scope as
 * cr_caps_bounding and cr_caps_ptrace_scope give them. */
int cr_budget_compute(struct cr_budget *budget, uint64_t bounding, int last_cap, int ptrace_scope,
		      bool private_net, struct cr_error *err);

/* "CAP_CHECKPOINT_RESTORE (always), …" into buf; returns buf. */
const char *cr_budget_describe(const struct cr_budget *budget, char *buf, size_t size);

/* The calling process's bounding set, the kernel's highest capability, Yama's ptrace_scope (0 without Yama). */
int cr_caps_bounding(uint64_t *bounding, int *last_cap, struct cr_error *err);
int cr_caps_ptrace_scope(void);

/* Let the permitted set survive the setuid that Slurm does after task_init_privileged. */
int cr_caps_keep(struct cr_error *err);

/* Make everything permitted effective. */
int cr_caps_raise(struct cr_error *err);

/* Reduce to exactly the budget: permitted, effective, inheritable and ambient. What follows in an exec has it. */
int cr_caps_set_ambient(const struct cr_budget *budget, struct cr_error *err);

/* Give up CAP_SYS_PTRACE. criu is an ancestor of what it restores and needs it for dumps alone; with it, a path
 * that the user has bent to /proc/1/mem would open. */
int cr_caps_drop_ptrace(struct cr_error *err);

/* mkdir(2) as root, so that the directory, and what the kernel puts into one of cgroupfs, is root's from its first
 * moment on; with that mode whatever the umask. What is there already is no error, and stays as it is. Before
 * cr_caps_shield, which a change of ids undoes. Needs CAP_SETUID and CAP_SETGID; everything
 * permitted is effective afterwards. */
int cr_caps_mkdir(const char *path, mode_t mode, struct cr_error *err);

/* Leave the supplementary groups in list ("2001,2002"; "": none). Needs CAP_SETGID when there is one to leave. */
int cr_caps_leave_groups(const char *list, struct cr_error *err);

/* Give up every capability for good: ambient, inheritable, permitted, effective, and the keep flag. Verified. */
int cr_caps_drop(struct cr_error *err);

/* Become root by uid and gid without any capability, now or after an exec (no_new_privs, NOROOT locked). Needs
 * CAP_SETUID, CAP_SETGID, CAP_SETPCAP. For the notary. */
int cr_caps_bare_root(struct cr_error *err);

/* Have the kernel kill the caller when its parent dies; keep other processes of this uid from tracing it. */
int cr_caps_shield(struct cr_error *err);

/* Whether any thread of pid below proc ("/proc") has a capability in CapInh, CapPrm, CapEff or CapAmb; they are
 * each thread's own. Returns 1 yes, 0 none, -1 error (ESRCH: gone, or a zombie). */
int cr_caps_task_has(const char *proc, pid_t pid, struct cr_error *err);

#endif
