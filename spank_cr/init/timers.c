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

#define FLAGS (TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)
#define LOOKS 3	 /* at one that expires meanwhile */
#define SETS  16 /* of one that expires at once */

struct timer {
	int clock;
	unsigned flags;
	uint64_t ticks;
	int64_t left, interval; /* ns */
};

/* ---- as it is ---- */

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

/* The kernel lets a periodic timer that has expired stand still until somebody reads it, or asks for the time that
 * is left, as is done here: then it counts what has passed meanwhile, and goes on. */
static void timer_wake(int pidfd, int number)
{
	cleanup_close int fd = pidfd >= 0 ? (int)syscall(SYS_pidfd_getfd, pidfd, number, 0) : -1;
	struct itimerspec spec;

	if (fd >= 0)
		(void)timerfd_gettime(fd, &spec);
}

static int timer_look(pid_t pid, int pidfd, int fd, struct timer *t)
{
	if (timer_read(pid, fd, t) < 0)
		return -1;
	/* one that is just about to expire has no time left either */
	for (int i = 0; t->left == 0 && i < LOOKS; i++) {
		if (t->interval)
			timer_wake(pidfd, fd);
		else if (i > 0 || t->ticks)
			break;
		if (timer_read(pid, fd, t) < 0)
			return -1;
	}
	if (t->left == 0 && t->interval && t->ticks)
		t->left = t->interval;
	return 0;
}

/* ---- taking ---- */

/* The clock that its moment is noted on. A relative timer does not look at the time of day. */
static int timer_clock(int clock, unsigned flags)
{
	switch (clock) {
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		return CLOCK_BOOTTIME;
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_ALARM:
		return flags & TFD_TIMER_ABSTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC;
	default:
		return CLOCK_MONOTONIC;
	}
}

static int64_t clock_now(int clock)
{
	struct timespec now = {0};

	clock_gettime(clock, &now);
	return now.tv_sec * NSEC + now.tv_nsec;
}

static int64_t sum(int64_t a, int64_t b)
{
	int64_t s;

	return __builtin_add_overflow(a, b, &s) ? INT64_MAX : s;
}

/* null when it cannot be looked at */
static json_t *timer_take(pid_t pid, int pidfd, int fd)
{
	struct timer t = {0};
	int64_t moment = 0;

	if (timer_look(pid, pidfd, fd, &t) < 0)
		return json_null();
	if (t.left > 0)
		moment = sum(clock_now(timer_clock(t.clock, t.flags)), t.left);
	return json_pack("[i, I, I, I, i, i]", fd, (json_int_t)moment, (json_int_t)t.interval,
			 (json_int_t)(t.ticks & INT64_MAX), t.clock, (int)(t.flags & FLAGS));
}

json_t *timers_take(pid_t pid)
{
	json_t *timers = json_array();
	cleanup_close int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
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
		timer = timer_take(pid, pidfd, atoi(e->d_name));
		if (!json_is_null(timer) && json_array_append_new(timers, timer) < 0) {
			json_decref(timers);
			return NULL;
		}
	}
	return timers;
}

/* ---- checking ---- */

/* One from before all of them were noted is an absolute one, and none of the time of day. */
static int timer_parse(const json_t *item, int *fd, struct timer *t, int64_t *moment)
{
	json_int_t at, interval, ticks;
	json_t *list = (json_t *)(uintptr_t)item;
	int flags = TFD_TIMER_ABSTIME;

	t->clock = CLOCK_MONOTONIC;
	if (json_unpack(list, json_array_size(list) == 4 ? "[i, I, I, I!]" : "[i, I, I, I, i, i!]", fd, &at,
			&interval, &ticks, &t->clock, &flags) < 0 ||
	    *fd < 0 || at < 0 || interval < 0 || ticks < 0 || (flags & ~FLAGS))
		return -1;
	*moment = at;
	t->interval = interval;
	t->ticks = (uint64_t)ticks;
	t->flags = (unsigned)flags;
	return 0;
}

bool timers_ok(const json_t *timers)
{
	size_t i;
	json_t *item;

	if (!json_is_array(timers))
		return false;
	json_array_foreach (timers, i, item) {
		struct timer t;
		int64_t moment;
		int fd;

		if (timer_parse(item, &fd, &t, &moment) < 0)
			return false;
	}
	return true;
}

/* ---- putting back ---- */

/* What has expired by now is counted here: ticks are set behind the timer, which may have begun to count. */
static void timer_pass(struct timer *t, int64_t *moment, int64_t now)
{
	int64_t more;

	if (*moment == 0 || *moment > now)
		return;
	more = t->interval ? (now - *moment) / t->interval + 1 : 1;
	t->ticks += (uint64_t)more;
	*moment = t->interval ? *moment + more * t->interval : 0;
}

/* One that was relative is set by what is left, so that it stays one: fdinfo tells, and the time of day is of no
 * account to it. */
static int timer_set(int fd, const struct timer *t, int64_t moment)
{
	bool relative = !(t->flags & TFD_TIMER_ABSTIME);
	int64_t value = moment && relative ? moment - clock_now(timer_clock(t->clock, t->flags)) : moment;
	struct itimerspec spec = {.it_interval = {t->interval / NSEC, t->interval % NSEC}};

	if (moment && value <= 0)
		value = 1;
	spec.it_value = (struct timespec){value / NSEC, value % NSEC};
	return timerfd_settime(fd, (int)t->flags, &spec, NULL);
}

static int timer_apply(int pidfd, const json_t *item)
{
	cleanup_close int fd = -1;
	struct timer t;
	int64_t moment;
	int number, clock;

	if (timer_parse(item, &number, &t, &moment) < 0)
		return 0;
	clock = timer_clock(t.clock, t.flags);
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	if (fd < 0)
		return -1;
	/* again when it has expired before its ticks were set */
	for (int i = 0; i < SETS; i++) {
		timer_pass(&t, &moment, clock_now(clock));
		if (timer_set(fd, &t, moment) < 0 || (t.ticks && ioctl(fd, TFD_IOC_SET_TICKS, &t.ticks) < 0))
			return -1;
		if (moment == 0 || moment > clock_now(clock))
			break;
	}
	return 0;
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
					    "a timer (timerfd) of process %d may expire at another moment, or not",
					    (int)pid);
	}
	return 0;
}
