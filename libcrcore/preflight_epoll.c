/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* preflight_epoll.c - an epoll set that watches what its process has closed
 *
 * criu describes a set once, as the first process that has it sees it, and restores it there: all that the set
 * watches must be among that process's descriptors, at this number or another. A set that was made before a fork
 * watches on what one of the two has closed, as long as the other has it open.
 */

#include "preflight_part.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kcmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"

/* One more thing than these is not looked at: each costs a few system calls. */
#define TARGETS_MAX 16384
#define TRIES	    3

struct epoll {
	const struct preflight_process *process;
	int fd;
	int *descriptors; /* of the process */
	size_t n;
};

static int int_compare(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return x < y ? -1 : x > y;
}

/* All of them, ascending. */
static int descriptors_read(const struct preflight *p, struct epoll *e, struct cr_error *err)
{
	cleanup_closedir DIR *d = preflight_opendir(p, "%d/fd", (int)e->process->pid);
	struct dirent *entry;
	size_t room = 0;

	while (d && (entry = readdir(d))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		if (e->n == room) {
			int *more = realloc(e->descriptors, (room = room ? 2 * room : 64) * sizeof(*more));

			if (!more)
				return cr_error_sys(err, ENOMEM, "the list of descriptors");
			e->descriptors = more;
		}
		e->descriptors[e->n++] = atoi(entry->d_name);
	}
	if (e->n)
		qsort(e->descriptors, e->n, sizeof(*e->descriptors), int_compare);
	return 0;
}

/* Is descriptor fd what the set watches under the number tfd, the nth of these? 1, 0; -1: no telling. */
static int is_target(const struct epoll *e, int fd, int tfd, unsigned nth)
{
	const struct kcmp_epoll_slot slot = {.efd = (uint32_t)e->fd, .tfd = (uint32_t)tfd, .toff = nth};
	const pid_t pid = e->process->pid;
	long rc = syscall(SYS_kcmp, pid, pid, KCMP_EPOLL_TFD, (unsigned long)fd, &slot);

	if (rc < 0)
		return errno == EBADF || errno == ENOENT ? 0 : -1;
	return rc == 0;
}

static bool target_there(const struct preflight *p, const struct epoll *e, int tfd, unsigned nth)
{
	int is = preflight_live(p) ? is_target(e, tfd, tfd, nth) : -1;

	/* a kernel without this */
	if (is < 0)
		return e->n && bsearch(&tfd, e->descriptors, e->n, sizeof(tfd), int_compare);
	for (size_t i = 0; is != 1 && i < e->n; i++)
		is = is_target(e, e->descriptors[i], tfd, nth) == 1;
	return is == 1;
}

/* The first number that the set watches and the process does not have into *missing; -1: none. */
static int target_missing(struct preflight *p, const struct epoll *e, int *missing, struct cr_error *err)
{
	cleanup_fclose FILE *f = preflight_open(p, "%d/fdinfo/%d", (int)e->process->pid, e->fd);
	cleanup_free int *seen = calloc(TARGETS_MAX, sizeof(*seen));
	char line[256];
	size_t n = 0;

	*missing = -1;
	if (!seen)
		return cr_error_sys(err, ENOMEM, "what an epoll set watches");
	while (f && n < TARGETS_MAX && !preflight_late(p) && fgets(line, sizeof(line), f)) {
		unsigned nth = 0;

		if (sscanf(line, "tfd: %d", &seen[n]) != 1)
			continue;
		for (size_t i = 0; i < n; i++)
			nth += seen[i] == seen[n];
		if (!target_there(p, e, seen[n], nth)) {
			*missing = seen[n];
			return 0;
		}
		n++;
	}
	return 0;
}

/* Does other have the same set open? */
static bool set_shared(const struct preflight *p, const struct epoll *e, pid_t other)
{
	cleanup_closedir DIR *d = preflight_opendir(p, "%d/fd", (int)other);
	struct dirent *entry;
	char link[64];

	while (d && (entry = readdir(d))) {
		ssize_t n = readlinkat(dirfd(d), entry->d_name, link, sizeof(link) - 1);

		link[n > 0 ? n : 0] = '\0';
		if (strcmp(link, "anon_inode:[eventpoll]") == 0 &&
		    syscall(SYS_kcmp, e->process->pid, other, KCMP_FILE, (unsigned long)e->fd,
			    strtoul(entry->d_name, NULL, 10)) == 0)
			return true;
	}
	return false;
}

/* criu goes from the root to its first child, to that one's first child, and so on. */
static bool comes_before(const struct preflight *p, const struct preflight_process *a,
			 const struct preflight_process *b)
{
	pid_t up[2][64];
	int n[2] = {0, 0}, i;

	for (; a && n[0] < 64; a = preflight_process_find(p, a->pid == p->job->root ? 0 : a->parent))
		up[0][n[0]++] = a->pid;
	for (; b && n[1] < 64; b = preflight_process_find(p, b->pid == p->job->root ? 0 : b->parent))
		up[1][n[1]++] = b->pid;
	for (i = 1; i <= n[0] && i <= n[1]; i++)
		if (up[0][n[0] - i] != up[1][n[1] - i])
			return up[0][n[0] - i] < up[1][n[1] - i];
	return n[0] < n[1];
}

/* Is the set described as another process sees it? */
static bool described_elsewhere(const struct preflight *p, const struct epoll *e)
{
	for (size_t i = 0; preflight_live(p) && i < p->n; i++) {
		const struct preflight_process *other = &p->processes[i];

		if (other != e->process && other->in && other->state != 'Z' &&
		    comes_before(p, other, e->process) && set_shared(p, e, other->pid))
			return true;
	}
	return false;
}

/* The process goes on meanwhile: what it closes between two of our looks is missed by one of them. */
int preflight_epoll_look(struct preflight *p, const struct preflight_process *process, int fd,
			 struct cr_error *err)
{
	static const struct timespec pause = {.tv_nsec = 20 * 1000000L};
	int missing = -1;

	for (int i = 0; i < TRIES; i++) {
		struct epoll e = {.process = process, .fd = fd};
		int rc = descriptors_read(p, &e, err);

		if (rc == 0)
			rc = target_missing(p, &e, &missing, err);
		if (rc == 0 && missing >= 0 && described_elsewhere(p, &e))
			missing = -1;
		free(e.descriptors);
		if (rc < 0 || missing < 0)
			return rc;
		nanosleep(&pause, NULL);
	}
	preflight_add(p, CR_PREFLIGHT_EPOLL, process, fd, "descriptor %d", missing);
	return 0;
}
