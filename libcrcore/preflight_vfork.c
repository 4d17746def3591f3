/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* preflight_vfork.c - a process that shares its parent's memory: a child of vfork(2) that has not executed a
 * program yet, or a thread that is none
 *
 * Its parent sleeps, where no tracer can stop it, until the child executes something or ends. Most do within
 * microseconds. One that takes its time (its file actions open a FIFO, its program is on storage that hangs) would
 * keep criu waiting, and with it the processes that criu has stopped already. Where no parent sleeps, clone(2)
 * made two processes that criu cannot make.
 */

#include "preflight_part.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "proc.h"

#define TRIES 25
#define PAUSE 40 /* ms */

static bool is_shared(pid_t one, pid_t other, int what)
{
	return syscall(SYS_kcmp, one, other, what, 0, 0) == 0;
}

/* The state of a thread as in its stat; 0 when it is gone. */
static char thread_state(const struct preflight *p, pid_t pid, const char *tid)
{
	char line[CR_PREFLIGHT_STAT], state = 0;
	const char *tail = preflight_stat(p, line, "%d/task/%.20s/stat", (int)pid, tid);

	return tail && sscanf(tail, ") %c", &state) == 1 ? state : 0;
}

/* Does one of its threads sleep where no signal reaches it? Any of them may have called vfork. */
static bool sleeps_deep(const struct preflight *p, pid_t pid)
{
	cleanup_closedir DIR *d = preflight_opendir(p, "%d/task", (int)pid);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (isdigit((unsigned char)e->d_name[0]) && thread_state(p, pid, e->d_name) == 'D')
			return true;
	return false;
}

void preflight_vfork_look(struct preflight *p, const struct preflight_process *child)
{
	static const struct timespec pause = {.tv_nsec = PAUSE * 1000000L};
	const struct preflight_process *parent = preflight_process_find(p, child->parent);
	bool vfork = false;

	if (!parent || !parent->in || !preflight_live(p))
		return;
	for (int i = 0; i < TRIES; i++) {
		bool memory = is_shared(child->pid, parent->pid, KCMP_VM);

		/* two that end have none, and that is alike */
		if ((!memory && !is_shared(child->pid, parent->pid, KCMP_FS)) || cr_proc_gone(child->pid) ||
		    cr_proc_gone(parent->pid))
			return;
		vfork = memory && sleeps_deep(p, parent->pid);
		/* with a parent that sleeps criu would let the others wait for long */
		if (preflight_late(p)) {
			if (!vfork)
				return;
			break;
		}
		nanosleep(&pause, NULL);
	}
	preflight_add(p, vfork ? CR_PREFLIGHT_VFORK : CR_PREFLIGHT_SHARED, child, -1,
		      vfork ? "pid %d %s waits for that" : "with pid %d %s", (int)parent->pid, parent->name);
}
