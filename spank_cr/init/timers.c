/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "timers.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"

#ifndef TFD_IOC_SET_TICKS
#define TFD_IOC_SET_TICKS _IOW('T', 0, uint64_t)
#endif

#define LINK "anon_inode:[timerfd]"
#define NSEC INT64_C(1000000000)

struct timer {
	int clock;
	unsigned flags;
	uint64_t ticks;
	int64_t left, interval; /* ns */
};

static int timer_read(pid_t pid, int fd, struct timer *t)
{
	char path[64], line[128];
	cleanup_fclose FILE *f = NULL;
	int64_t s, ns;
	int seen = 0;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)pid, fd);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		seen += sscanf(line, "clockid: %d", &t->clock) == 1 ||
			sscanf(line, "ticks: %" SCNu64, &t->ticks) == 1 ||
			sscanf(line, "settime flags: %o", &t->flags) == 1;
		if (sscanf(line, "it_value: (%" SCNd64 ", %" SCNd64 ")", &s, &ns) == 2) {
			t->left = s * NSEC + ns;
			seen++;
		}
		if (sscanf(line, "it_interval: (%" SCNd64 ", %" SCNd64 ")", &s, &ns) == 2) {
			t->interval = s * NSEC + ns;
			seen++;
		}
	}
	return seen == 5 ? 0 : -1;
}

/* null when there is nothing to note */
static json_t *timer_take(pid_t pid, int fd)
{
	struct timer t = {0};
	struct timespec now;

	/* the time of day jumps: there criu's way is as good as any */
	if (timer_read(pid, fd, &t) < 0 || !(t.flags & TFD_TIMER_ABSTIME) || t.left <= 0 ||
	    (t.clock != CLOCK_MONOTONIC && t.clock != CLOCK_BOOTTIME) || clock_gettime(t.clock, &now) < 0)
		return json_null();
	return json_pack("[i, I, I, I]", fd, (json_int_t)(now.tv_sec * NSEC + now.tv_nsec + t.left),
			 (json_int_t)t.interval, (json_int_t)t.ticks);
}

json_t *timers_take(pid_t pid)
{
	json_t *timers = json_array();
	cleanup_closedir DIR *d = NULL;
	char path[64], link[PATH_MAX];
	struct dirent *e;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	d = opendir(path);
	while (timers && d && (e = readdir(d))) {
		ssize_t n = readlinkat(dirfd(d), e->d_name, link, sizeof(link));
		json_t *timer;

		if (n != (ssize_t)strlen(LINK) || memcmp(link, LINK, (size_t)n) != 0)
			continue;
		timer = timer_take(pid, atoi(e->d_name));
		if (!json_is_null(timer) && json_array_append_new(timers, timer) < 0) {
			json_decref(timers);
			return NULL;
		}
	}
	return timers;
}

bool timers_ok(const json_t *timers)
{
	size_t i;
	json_t *item;

	if (!json_is_array(timers))
		return false;
	json_array_foreach (timers, i, item) {
		json_int_t moment, interval, ticks;
		int fd;

		if (json_unpack(item, "[i, I, I, I!]", &fd, &moment, &interval, &ticks) < 0 || fd < 0 ||
		    moment <= 0 || interval < 0 || ticks < 0)
			return false;
	}
	return true;
}

static int timer_apply(int pidfd, const json_t *item)
{
	json_int_t moment, interval, count;
	struct itimerspec spec;
	cleanup_close int fd = -1;
	uint64_t ticks;
	int number;

	if (json_unpack((json_t *)(uintptr_t)item, "[i, I, I, I]", &number, &moment, &interval, &count) < 0)
		return 0;
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	if (fd < 0)
		return -1;
	spec.it_value = (struct timespec){moment / NSEC, moment % NSEC};
	spec.it_interval = (struct timespec){interval / NSEC, interval % NSEC};
	if (timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, NULL) < 0)
		return -1;
	/* expirations that nobody has read yet */
	ticks = (uint64_t)count;
	return ticks && ioctl(fd, TFD_IOC_SET_TICKS, &ticks) < 0 ? -1 : 0;
}

int timers_apply(pid_t pid, const json_t *timers, struct cr_error *err)
{
	cleanup_close int pidfd = -1;
	size_t i;
	json_t *item;

	if (json_array_size(timers) == 0)
		return 0;
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		return errno == ESRCH ? 0 : cr_error_sys(err, errno, "the timers of process %d", (int)pid);
	json_array_foreach (timers, i, item) {
		if (timer_apply(pidfd, item) < 0)
			return cr_error_sys(err, errno,
					    "an absolute timer of process %d may expire up to a second early",
					    (int)pid);
	}
	return 0;
}
