/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* clocks.c - every way to wait, each in a process of its own that says how long it took on CLOCK_MONOTONIC
 *
 * "clocks SECONDS" prints "ready" when all of them have waited 6 s, then for each "NAME MILLISECONDS RESULT", then
 * "end".
 */

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/futex.h>

static time_t seconds;

static double now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static struct timespec later(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	ts.tv_sec += seconds;
	return ts;
}

static void set(int sig)
{
	(void)sig;
}

/* Wait until a signal has come; the timer behind it is what is tried. */
static int signal_wait(int sig)
{
	sigset_t one;

	sigemptyset(&one);
	sigaddset(&one, sig);
	while (sigwaitinfo(&one, NULL) < 0)
		;
	return 0;
}

static int nanosleep_plain(void)
{
	struct timespec ts = {.tv_sec = seconds};

	return nanosleep(&ts, &ts) < 0 ? errno : 0;
}

/* as those do it who know that a sleep may end early */
static int nanosleep_again(void)
{
	struct timespec ts = {.tv_sec = seconds};

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
	return 0;
}

static int sleep_absolute(clockid_t clock)
{
	struct timespec ts = later(clock);
	int rc;

	while ((rc = clock_nanosleep(clock, TIMER_ABSTIME, &ts, NULL)) == EINTR)
		;
	return rc;
}

static int sleep_monotonic(void)
{
	return sleep_absolute(CLOCK_MONOTONIC);
}

static int sleep_boottime(void)
{
	return sleep_absolute(CLOCK_BOOTTIME);
}

static int poll_plain(void)
{
	return poll(NULL, 0, (int)seconds * 1000) < 0 ? errno : 0;
}

static int select_plain(void)
{
	struct timeval tv = {.tv_sec = seconds};

	return select(0, NULL, NULL, NULL, &tv) < 0 ? errno : 0;
}

static int epoll_plain(void)
{
	struct epoll_event event;

	return epoll_wait(epoll_create1(0), &event, 1, (int)seconds * 1000) < 0 ? errno : 0;
}

static int futex_plain(void)
{
	struct timespec ts = {.tv_sec = seconds};
	int word = 0;

	return syscall(SYS_futex, &word, FUTEX_WAIT, 0, &ts, NULL, 0) < 0 && errno != ETIMEDOUT ? errno : 0;
}

static int condition_timed(void)
{
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	struct timespec ts = later(CLOCK_MONOTONIC);
	pthread_condattr_t attr;
	pthread_cond_t cond;
	int rc;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&cond, &attr);
	pthread_mutex_lock(&mutex);
	while ((rc = pthread_cond_timedwait(&cond, &mutex, &ts)) == 0)
		;
	return rc == ETIMEDOUT ? 0 : rc;
}

static int itimer_wait(int which, int sig)
{
	struct itimerval it = {.it_value = {.tv_sec = seconds}};

	setitimer(which, &it, NULL);
	return signal_wait(sig);
}

static int itimer_real(void)
{
	return itimer_wait(ITIMER_REAL, SIGALRM);
}

/* Processor time does not pass while nobody runs, and these count it. The result is what is missing. */
static int itimer_cpu(int which, int sig)
{
	struct itimerval it = {.it_value = {.tv_sec = seconds, .tv_usec = 500000}}, left;
	sigset_t pending;

	setitimer(which, &it, NULL);
	for (time_t t = 0; t < seconds; t++) {
		sleep(1);
		sigpending(&pending);
		if (sigismember(&pending, sig))
			return 1;
	}
	getitimer(which, &left);
	return labs(left.it_value.tv_sec - seconds) <= 1 ? 0 : 2;
}

static int itimer_virtual(void)
{
	return itimer_cpu(ITIMER_VIRTUAL, SIGVTALRM);
}

static int itimer_prof(void)
{
	return itimer_cpu(ITIMER_PROF, SIGPROF);
}

static int alarm_wait(void)
{
	alarm((unsigned)seconds);
	return signal_wait(SIGALRM);
}

static int posix_wait(clockid_t clock, int flags)
{
	struct itimerspec it = {.it_value = {.tv_sec = seconds}};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	timer_t timer;

	if (timer_create(clock, &event, &timer) < 0)
		return errno;
	if (flags & TIMER_ABSTIME)
		it.it_value = later(clock);
	timer_settime(timer, flags, &it, NULL);
	return signal_wait(SIGUSR1);
}

static int posix_monotonic(void)
{
	return posix_wait(CLOCK_MONOTONIC, 0);
}

static int posix_absolute(void)
{
	return posix_wait(CLOCK_MONOTONIC, TIMER_ABSTIME);
}

static int posix_boottime(void)
{
	return posix_wait(CLOCK_BOOTTIME, 0);
}

static int posix_realtime(void)
{
	return posix_wait(CLOCK_REALTIME, 0);
}

static int timerfd_wait(clockid_t clock, int flags)
{
	struct itimerspec it = {.it_value = {.tv_sec = seconds}};
	int fd = timerfd_create(clock, 0);
	uint64_t ticks;

	if (flags & TFD_TIMER_ABSTIME)
		it.it_value = later(clock);
	timerfd_settime(fd, flags, &it, NULL);
	while (read(fd, &ticks, sizeof(ticks)) != sizeof(ticks))
		;
	return ticks == 1 ? 0 : (int)ticks;
}

static int timerfd_monotonic(void)
{
	return timerfd_wait(CLOCK_MONOTONIC, 0);
}

static int timerfd_boottime(void)
{
	return timerfd_wait(CLOCK_BOOTTIME, 0);
}

static int timerfd_absolute(void)
{
	return timerfd_wait(CLOCK_MONOTONIC, TFD_TIMER_ABSTIME);
}

/* one tick a second: as many as seconds have passed, none for the time between */
static int timerfd_interval(void)
{
	struct itimerspec it = {.it_value = {.tv_sec = 1}, .it_interval = {.tv_sec = 1}};
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	uint64_t ticks, sum = 0;

	timerfd_settime(fd, 0, &it, NULL);
	while (sum < (uint64_t)seconds) {
		if (read(fd, &ticks, sizeof(ticks)) == sizeof(ticks))
			sum += ticks;
	}
	return sum == (uint64_t)seconds ? 0 : (int)sum;
}

static const struct {
	const char *name;
	int (*wait)(void);
} waits[] = {
	{"nanosleep", nanosleep_plain},
	{"nanosleep-again", nanosleep_again},
	{"sleep-monotonic", sleep_monotonic},
	{"sleep-boottime", sleep_boottime},
	{"poll", poll_plain},
	{"select", select_plain},
	{"epoll", epoll_plain},
	{"futex", futex_plain},
	{"condition", condition_timed},
	{"itimer-real", itimer_real},
	{"itimer-virtual", itimer_virtual},
	{"itimer-prof", itimer_prof},
	{"alarm", alarm_wait},
	{"posix-monotonic", posix_monotonic},
	{"posix-absolute", posix_absolute},
	{"posix-boottime", posix_boottime},
	{"posix-realtime", posix_realtime},
	{"timerfd-monotonic", timerfd_monotonic},
	{"timerfd-boottime", timerfd_boottime},
	{"timerfd-absolute", timerfd_absolute},
	{"timerfd-interval", timerfd_interval},
};

static void child(size_t i)
{
	double from = now(CLOCK_MONOTONIC);
	char line[128];
	sigset_t some;
	int rc, n;

	sigemptyset(&some);
	sigaddset(&some, SIGALRM);
	sigaddset(&some, SIGUSR1);
	sigaddset(&some, SIGVTALRM);
	sigaddset(&some, SIGPROF);
	sigprocmask(SIG_BLOCK, &some, NULL);
	signal(SIGUSR1, set);
	rc = waits[i].wait();
	n = snprintf(line, sizeof(line), "%s %.0f %s\n", waits[i].name, (now(CLOCK_MONOTONIC) - from) * 1000,
		     rc == EINTR ? "EINTR"
		     : rc	 ? "wrong"
				 : "ok");
	_exit(write(1, line, (size_t)n) != n);
}

int main(int argc, char *argv[])
{
	double from = now(CLOCK_MONOTONIC);

	seconds = argc > 1 ? atoi(argv[1]) : 15;
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		if (fork() == 0)
			child(i);
	}
	while (now(CLOCK_MONOTONIC) - from < 6)
		sleep(1);
	puts("ready");
	while (wait(NULL) > 0)
		;
	puts("end");
	return 0;
}
