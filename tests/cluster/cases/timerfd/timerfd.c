/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* timerfd.c - timerfds of all kinds: armed or not, expired and not read, read, with somebody who waits for them */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static FILE *result;

static double now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct timespec spec(double s)
{
	return (struct timespec){(time_t)s, (long)((s - (double)(time_t)s) * 1e9)};
}

static int timer(clockid_t clock, int flags, double value, double interval)
{
	const struct itimerspec it = {.it_value = spec(value), .it_interval = spec(interval)};
	int fd = timerfd_create(clock, TFD_NONBLOCK);

	if (fd < 0 || timerfd_settime(fd, flags, &it, NULL) < 0)
		perror("timerfd");
	return fd;
}

static double left(int fd)
{
	struct itimerspec it = {0};

	timerfd_gettime(fd, &it);
	return (double)it.it_value.tv_sec + (double)it.it_value.tv_nsec / 1e9;
}

static uint64_t ticks(int fd)
{
	uint64_t n = 0;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static void say(const char *what, bool right, double value)
{
	fprintf(result, "%s: %s\n", what, right ? "right" : "WRONG");
	if (!right)
		fprintf(stderr, "%s: %f\n", what, value);
}

/* one more than there can be, or one less, is a matter of the moment */
static void say_ticks(const char *what, double n, double from, double interval)
{
	double expected = (now(CLOCK_MONOTONIC) - from) / interval;

	say(what, n > expected - 2 && n < expected + 2, n - expected);
}

static uint64_t waited;

static void *reader(void *arg)
{
	const struct itimerspec it = {.it_value = spec(0.2), .it_interval = spec(0.2)};
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	uint64_t n;

	timerfd_settime(fd, 0, &it, NULL);
	while (read(fd, &n, sizeof(n)) == sizeof(n))
		__atomic_add_fetch(&waited, n, __ATOMIC_SEQ_CST);
	return arg;
}

int main(void)
{
	double from = now(CLOCK_MONOTONIC), day = now(CLOCK_REALTIME), boot = now(CLOCK_BOOTTIME);
	int periodic = timer(CLOCK_MONOTONIC, 0, 0.1, 0.1);
	int absolute = timer(CLOCK_MONOTONIC, TFD_TIMER_ABSTIME, from + 0.1, 0.1);
	int booted = timer(CLOCK_BOOTTIME, TFD_TIMER_ABSTIME, boot + 0.1, 0.1);
	int daily = timer(CLOCK_REALTIME, 0, 0.1, 0.1);
	int once = timer(CLOCK_MONOTONIC, 0, 0.1, 0),
	    once_read = timer(CLOCK_MONOTONIC, TFD_TIMER_ABSTIME, from + 0.1, 0);
	int once_day = timer(CLOCK_REALTIME, TFD_TIMER_ABSTIME, day + 0.1, 0);
	int idle = timer(CLOCK_MONOTONIC, TFD_TIMER_ABSTIME, 0, 0),
	    idle_day = timer(CLOCK_REALTIME, TFD_TIMER_ABSTIME, 0, 5);
	int later = timer(CLOCK_MONOTONIC, 0, 1000, 0),
	    later_boot = timer(CLOCK_BOOTTIME, TFD_TIMER_ABSTIME, boot + 1000, 7);
	int later_day = timer(CLOCK_REALTIME, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, day + 1000, 0);
	int never = timer(CLOCK_REALTIME, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, 9e15, 0);
	int polled = timer(CLOCK_MONOTONIC, 0, 0.1, 0.1), watch = epoll_create1(0);
	struct epoll_event event = {.events = EPOLLIN, .data.fd = polled};
	pthread_t thread;
	uint64_t n = 0;
	double end;

	epoll_ctl(watch, EPOLL_CTL_ADD, polled, &event);
	pthread_create(&thread, NULL, reader, NULL);
	while (now(CLOCK_MONOTONIC) < from + 0.3)
		usleep(10000);
	ticks(once_read);
	fclose(fopen("ready", "w"));
	while (access("go", F_OK))
		usleep(100000);
	result = fopen("result", "w");
	say_ticks("blocked reader", (double)__atomic_load_n(&waited, __ATOMIC_SEQ_CST), from, 0.2);
	say_ticks("periodic, not read", (double)ticks(periodic), from, 0.1);
	say_ticks("periodic, absolute, not read", (double)ticks(absolute), from, 0.1);
	say_ticks("periodic, of the boot time, not read", (double)ticks(booted), from, 0.1);
	say_ticks("periodic, of the time of day, not read", (double)ticks(daily), from, 0.1);
	say("in an epoll set", epoll_wait(watch, &event, 1, 5000) == 1 && event.data.fd == polled, 0);
	n = ticks(polled);
	for (end = now(CLOCK_MONOTONIC) + 1; now(CLOCK_MONOTONIC) < end;) {
		if (epoll_wait(watch, &event, 1, 1000) == 1)
			n += ticks(polled);
	}
	say_ticks("in an epoll set, read", (double)n, from, 0.1);
	say("once, not read", ticks(once) == 1 && ticks(once) == 0 && left(once) == 0, left(once));
	say("once, of the time of day, not read", ticks(once_day) == 1 && left(once_day) == 0, left(once_day));
	say("once, read", ticks(once_read) == 0 && left(once_read) == 0, left(once_read));
	say("not armed", ticks(idle) == 0 && left(idle) == 0, left(idle));
	say("not armed, of the time of day", ticks(idle_day) == 0 && left(idle_day) == 0, left(idle_day));
	end = 1000 - (now(CLOCK_MONOTONIC) - from) - left(later);
	say("later", end > -0.5 && end < 0.5, end);
	end = boot + 1000 - now(CLOCK_BOOTTIME) - left(later_boot);
	say("later, of the boot time", end > -0.5 && end < 0.5, end);
	end = day + 1000 - now(CLOCK_REALTIME) - left(later_day);
	say("later, of the time of day", end > -0.5 && end < 0.5, end);
	say("never", left(never) > 1e9 && ticks(never) == 0, left(never));
	return fclose(result);
}
