/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "caps.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/securebits.h>

#include "cleanup.h"
#include "groups.h"

#ifndef CAP_CHECKPOINT_RESTORE
#define CAP_CHECKPOINT_RESTORE 40
#endif

#define BIT(cap) (UINT64_C(1) << (cap))

static const char *cap_label(int cap)
{
	switch (cap) {
	case CAP_CHECKPOINT_RESTORE:
		return "CAP_CHECKPOINT_RESTORE";
	case CAP_SETPCAP:
		return "CAP_SETPCAP";
	case CAP_SYS_PTRACE:
		return "CAP_SYS_PTRACE";
	case CAP_NET_ADMIN:
		return "CAP_NET_ADMIN";
	case CAP_NET_RAW:
		return "CAP_NET_RAW";
	default:
		return "CAP_?";
	}
}

static void budget_add(struct cr_budget *budget, int cap, const char *reason)
{
	budget->caps |= BIT(cap);
	budget->why[budget->n].cap = cap;
	budget->why[budget->n].reason = reason;
	budget->n++;
}

int cr_budget_compute(struct cr_budget *budget, uint64_t bounding, int last_cap, int ptrace_scope,
		      bool private_net, struct cr_error *err)
{
	uint64_t all;

	memset(budget, 0, sizeof(*budget));
	if (last_cap < CAP_CHECKPOINT_RESTORE)
		return cr_error_set(err, ENOTSUP,
				    "the kernel has no CAP_CHECKPOINT_RESTORE: Linux 5.9 or later is needed");
	if (ptrace_scope > 1)
		return cr_error_set(
			err, EPERM,
			"Yama's ptrace_scope is %d: set kernel.yama.ptrace_scope to 0 or 1 on the nodes",
			ptrace_scope);
	all = last_cap >= 63 ? UINT64_MAX : BIT(last_cap + 1) - 1;
	budget_add(budget, CAP_CHECKPOINT_RESTORE, "always: pids, map_files and exe links");
	if ((bounding & all) != all)
		budget_add(budget, CAP_SETPCAP, "bounding set not full: criu drops each missing capability");
	if (ptrace_scope > 0)
		budget_add(budget, CAP_SYS_PTRACE, "Yama ptrace_scope is not 0: criu is no ancestor");
	/* over the job's own network and no other: without CAP_SYS_ADMIN nobody enters one */
	if (private_net) {
		budget_add(budget, CAP_NET_ADMIN, "private network: TCP connections are read and put back");
		budget_add(budget, CAP_NET_RAW, "private network: connections that one end has closed");
	}
	for (int i = 0; i < budget->n; i++) {
		const char *label = cap_label(budget->why[i].cap);

		if (bounding & BIT(budget->why[i].cap))
			continue;
		budget->caps = 0;
		return cr_error_set(err, EPERM,
				    "%s is not in slurmd's bounding set, and needed (%s): start slurmd with it "
				    "(CapabilityBoundingSet= in its unit)",
				    label, budget->why[i].reason);
	}
	return 0;
}

const char *cr_budget_describe(const struct cr_budget *budget, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (int i = 0; i < budget->n && used < size; i++)
		used += (size_t)snprintf(buf + used, size - used, "%s%s (%s)", i ? ", " : "",
					 cap_label(budget->why[i].cap), budget->why[i].reason);
	return buf;
}

int cr_caps_bounding(uint64_t *bounding, int *last_cap, struct cr_error *err)
{
	int cap;

	*bounding = 0;
	for (cap = 0; cap < 64; cap++) {
		int rc = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);

		if (rc < 0)
			break;
		if (rc)
			*bounding |= BIT(cap);
	}
	if (cap == 0)
		return cr_error_sys(err, errno, "reading the capability bounding set");
	*last_cap = cap - 1;
	return 0;
}

int cr_caps_ptrace_scope(void)
{
	cleanup_fclose FILE *f = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	int scope = 0;

	if (!f || fscanf(f, "%d", &scope) != 1)
		return 0; /* no Yama in this kernel */
	return scope;
}

int cr_caps_keep(struct cr_error *err)
{
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return cr_error_sys(err, errno, "keeping capabilities across setuid");
	return 0;
}

/* Set permitted, effective and inheritable to the bits of one mask each. */
static int caps_apply(uint64_t permitted, uint64_t effective, uint64_t inheritable, struct cr_error *err)
{
	cap_t caps = cap_init();
	int rc = 0;

	if (!caps)
		return cr_error_sys(err, errno, "cap_init");
	for (int i = 0; i < 64 && rc == 0; i++) {
		cap_value_t cap = i;

		if (permitted & BIT(i))
			rc |= cap_set_flag(caps, CAP_PERMITTED, 1, &cap, CAP_SET);
		if (effective & BIT(i))
			rc |= cap_set_flag(caps, CAP_EFFECTIVE, 1, &cap, CAP_SET);
		if (inheritable & BIT(i))
			rc |= cap_set_flag(caps, CAP_INHERITABLE, 1, &cap, CAP_SET);
	}
	if (rc == 0)
		rc = cap_set_proc(caps);
	if (rc < 0)
		cr_error_sys(err, errno, "setting capabilities");
	cap_free(caps);
	return rc < 0 ? -1 : 0;
}

static int caps_permitted(uint64_t *permitted, struct cr_error *err)
{
	cap_t caps = cap_get_proc();

	if (!caps)
		return cr_error_sys(err, errno, "reading own capabilities");
	*permitted = 0;
	for (int i = 0; i < 64; i++) {
		cap_flag_value_t value = CAP_CLEAR;

		if (cap_get_flag(caps, i, CAP_PERMITTED, &value) < 0)
			break; /* beyond what the library or the kernel knows */
		if (value == CAP_SET)
			*permitted |= BIT(i);
	}
	cap_free(caps);
	return 0;
}

int cr_caps_raise(struct cr_error *err)
{
	uint64_t permitted;

	if (caps_permitted(&permitted, err) < 0)
		return -1;
	return caps_apply(permitted, permitted, 0, err);
}

int cr_caps_set_ambient(const struct cr_budget *budget, struct cr_error *err)
{
	if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0)
		return cr_error_sys(err, errno, "clearing the keep-capabilities flag");
	if (caps_apply(budget->caps, budget->caps, budget->caps, err) < 0)
		return -1;
	for (int i = 0; i < budget->n; i++) {
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, budget->why[i].cap, 0, 0) < 0)
			return cr_error_sys(err, errno, "raising ambient %s", cap_label(budget->why[i].cap));
	}
	return 0;
}

int cr_caps_drop_ptrace(struct cr_error *err)
{
	uint64_t left;

	if (caps_permitted(&left, err) < 0)
		return -1;
	left &= ~BIT(CAP_SYS_PTRACE);
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_SYS_PTRACE, 0, 0) < 0)
		return cr_error_sys(err, errno, "lowering ambient CAP_SYS_PTRACE");
	return caps_apply(left, left, left, err);
}

int cr_caps_leave_groups(const char *list, struct cr_error *err)
{
	int n = getgroups(0, NULL), kept = 0;
	cleanup_free gid_t *groups = n >= 0 ? calloc((size_t)n + 1, sizeof(*groups)) : NULL;

	if (!*list)
		return 0;
	if (cr_groups_has(list, 0) < 0)
		return cr_error_set(err, EINVAL, "no list of groups: \"%.64s\"", list);
	if (!groups || (n = getgroups(n, groups)) < 0)
		return cr_error_sys(err, errno, "leaving the groups %s", list);
	for (int i = 0; i < n; i++) {
		if (cr_groups_has(list, groups[i]) == 0)
			groups[kept++] = groups[i];
	}
	if (setgroups((size_t)kept, groups) < 0)
		return cr_error_sys(err, errno, "leaving the groups %s", list);
	return 0;
}

int cr_caps_drop(struct cr_error *err)
{
	uint64_t permitted;

	if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0)
		return cr_error_sys(err, errno, "clearing the keep-capabilities flag");
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return cr_error_sys(err, errno, "clearing ambient capabilities");
	if (caps_apply(0, 0, 0, err) < 0 || caps_permitted(&permitted, err) < 0)
		return -1;
	if (permitted)
		return cr_error_set(err, EPERM, "capabilities left after dropping them: %" PRIx64, permitted);
	return 0;
}

/* There is no other way to learn whether it worked than to try to set an id that is none. */
static bool fs_ids_set(uid_t uid, gid_t gid)
{
	setfsgid(gid);
	setfsuid(uid);
	return setfsgid((gid_t)-1) == (int)gid && setfsuid((uid_t)-1) == (int)uid;
}

int cr_caps_mkdir(const char *path, mode_t mode, struct cr_error *err)
{
	mode_t mask = umask(0); /* the submitter's */
	bool root = fs_ids_set(0, 0);
	int rc = root ? mkdir(path, mode) : -1, errnum = root ? errno : EPERM;
	struct cr_error raise;

	umask(mask);
	/* from root's id to another one it takes rights away */
	if (!fs_ids_set(geteuid(), getegid()) || cr_caps_raise(&raise) < 0)
		return cr_error_set(err, EPERM, "making %s: the ids of before cannot be had again", path);
	return rc < 0 && errnum != EEXIST ? cr_error_sys(err, errnum, "making %s", path) : 0;
}

int cr_caps_bare_root(struct cr_error *err)
{
	if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECUREBITS,
		  SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED |
			  SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED,
		  0, 0, 0) < 0)
		return cr_error_sys(err, errno, "locking securebits");
	if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return cr_error_sys(err, errno, "taking root's uid for the notary");
	if (cr_caps_drop(err) < 0)
		return -1;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return cr_error_sys(err, errno, "setting no_new_privs");
	return 0;
}

int cr_caps_shield(struct cr_error *err)
{
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return cr_error_sys(err, errno, "becoming undumpable");
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return cr_error_sys(err, errno, "asking to die with the parent");
	return 0;
}

/* One thread's status file. Returns as cr_caps_task_has. */
static int status_has(const char *path, struct cr_error *err)
{
	static const char *const keys[] = {"CapInh:", "CapPrm:", "CapEff:", "CapAmb:"};
	cleanup_fclose FILE *f = fopen(path, "re");
	char line[256];
	unsigned seen = 0;

	if (!f)
		return cr_error_sys(err, errno == ENOENT ? ESRCH : errno, "%s", path);
	while (fgets(line, sizeof(line), f)) {
		char state;

		/* a zombie keeps what it died with, and will never run */
		if (sscanf(line, "State: %c", &state) == 1 && (state == 'Z' || state == 'X'))
			return cr_error_set(err, ESRCH, "%s: a zombie", path);
		for (unsigned i = 0; i < 4; i++) {
			uint64_t caps;

			if (strncmp(line, keys[i], 7) != 0)
				continue;
			if (sscanf(line + 7, "%" SCNx64, &caps) != 1)
				return cr_error_set(err, EINVAL, "%s: unreadable %s", path, keys[i]);
			if (caps)
				return 1;
			seen |= 1u << i;
		}
	}
	if (seen == 15)
		return 0;
	/* a thread that ends while it is looked at shows nothing */
	return cr_error_set(err, seen ? EINVAL : ESRCH, "%s: no capability lines", path);
}

int cr_caps_task_has(const char *proc, pid_t pid, struct cr_error *err)
{
	char path[512];
	cleanup_closedir DIR *threads = NULL;
	bool alive = false;
	struct dirent *e;

	cr_error_set(err, ESRCH, "process %d has no threads", (int)pid);
	snprintf(path, sizeof(path), "%.200s/%d/task", proc, (int)pid);
	threads = opendir(path);
	if (!threads)
		return cr_error_sys(err, errno == ENOENT ? ESRCH : errno, "%s", path);
	while ((e = readdir(threads))) {
		int has;

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%.200s/%d/task/%.20s/status", proc, (int)pid, e->d_name);
		has = status_has(path, err);
		if (has > 0 || (has < 0 && err->errnum != ESRCH))
			return has;
		alive |= has == 0;
	}
	/* err says why the last one could not be looked at */
	return alive ? 0 : -1;
}
