/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* timers.c - POSIX timers: of a thread that has ended, of one that lives, pending, of no signal, of processor
 * time */

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static FILE *result;
static volatile int caught[65], called;
static volatile pid_t catcher;

static void catch (int sig)
{
	caught[sig]++;
	catcher = (pid_t)syscall(SYS_gettid);
}

static void call(union sigval value)
{
	(void)value;
	called++;
}

static timer_t timer(clockid_t clock, int notify, int sig, pid_t tid, double value, double interval)
{
	struct sigevent event = {.sigev_notify = notify, .sigev_signo = sig};
	struct itimerspec it = {
		.it_value = {(time_t)value, (long)((value - (double)(time_t)value) * 1e9)},
		.it_interval = {(time_t)interval, (long)((interval - (double)(time_t)interval) * 1e9)}};
	timer_t timer;

	if (notify == SIGEV_THREAD)
		event.sigev_notify_function = call;
	else
		event.sigev_notify_thread_id = tid;
	if (timer_create(clock, &event, &timer) < 0 || timer_settime(timer, 0, &it, NULL) < 0)
		perror("timer");
	return timer;
}

static timer_t dead[5];
static clockid_t dead_clock;

/* its timers outlive it: not armed, armed, expired; the number of the first is the lowest */
static void *brief(void *arg)
{
	pid_t tid = (pid_t)syscall(SYS_gettid);

	dead[0] = timer(CLOCK_MONOTONIC, SIGEV_THREAD_ID, SIGUSR1, tid, 0, 0);
	dead[1] = timer(CLOCK_MONOTONIC, SIGEV_THREAD_ID, SIGUSR1, tid, 100000, 1);
	dead[2] = timer(CLOCK_MONOTONIC, SIGEV_THREAD_ID, SIGUSR1, tid, 0.3, 0.1);
	pthread_getcpuclockid(pthread_self(), &dead_clock);
	dead[3] = timer(dead_clock, SIGEV_SIGNAL, SIGUSR1, 0, 1000, 1);
	dead[4] = timer(dead_clock, SIGEV_NONE, 0, 0, 0, 0);
	return arg;
}

static volatile pid_t long_tid;
static timer_t thread_processor;

/* its own processor time, of which it uses none */
static void *lasting(void *arg)
{
	pid_t tid = (pid_t)syscall(SYS_gettid);

	thread_processor = timer(CLOCK_THREAD_CPUTIME_ID, SIGEV_THREAD_ID, SIGRTMIN + 6, tid, 0.5, 0);
	long_tid = tid;
	for (;;)
		pause();
	return arg;
}

static double left(timer_t timer)
{
	struct itimerspec it = {0};

	if (timer_gettime(timer, &it) < 0)
		return -1;
	return (double)it.it_value.tv_sec + (double)it.it_value.tv_nsec / 1e9;
}

static double cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool pending(int sig)
{
	sigset_t set;

	sigpending(&set);
	return sigismember(&set, sig);
}

static void say(const char *what, bool right)
{
	fprintf(result, "%s: %s\n", what, right ? "right" : "WRONG");
}

int main(void)
{
	timer_t silent, waiting, once, processor, self;
	struct itimerval day = {.it_interval.tv_usec = 100000, .it_value.tv_usec = 100000};
	pthread_t thread;
	sigset_t blocked;
	int before;

	for (int sig = SIGRTMIN; sig < SIGRTMIN + 8; sig++)
		signal(sig, catch);
	signal(SIGUSR1, catch);
	signal(SIGALRM, catch);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGRTMIN + 1);
	sigaddset(&blocked, SIGRTMIN + 2);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	pthread_create(&thread, NULL, brief, NULL);
	pthread_join(thread, NULL);
	pthread_create(&thread, NULL, lasting, NULL);
	while (!long_tid)
		usleep(1000);
	silent = timer(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0, 100000, 0);
	waiting = timer(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN + 1, 0, 0.1, 0.1);
	once = timer(CLOCK_BOOTTIME, SIGEV_SIGNAL, SIGRTMIN + 2, 0, 0.1, 0);
	processor = timer(CLOCK_PROCESS_CPUTIME_ID, SIGEV_SIGNAL, SIGRTMIN + 3, 0, 1000, 0);
	timer(CLOCK_REALTIME, SIGEV_THREAD_ID, SIGRTMIN + 4, long_tid, 0.1, 0.1);
	self = timer(CLOCK_MONOTONIC, SIGEV_THREAD_ID, SIGRTMIN + 5, (pid_t)syscall(SYS_gettid), 0.1, 0.1);
	timer(CLOCK_MONOTONIC, SIGEV_THREAD, 0, 0, 0.1, 0.1);
	setitimer(ITIMER_REAL, &day, NULL);
	while (!pending(SIGRTMIN + 1) || !pending(SIGRTMIN + 2) || !called)
		usleep(10000);
	fclose(fopen("ready", "w"));
	while (access("go", F_OK))
		usleep(100000);
	result = fopen("result", "w");
	say("the ended thread's, not armed", left(dead[0]) == 0);
	say("the ended thread's, armed", left(dead[1]) > 90000 && left(dead[1]) < 100000);
	say("the ended thread's, expired", left(dead[2]) >= 0 && caught[SIGUSR1] == 0);
	say("of the ended thread's processor time", left(dead[3]) == 0 && left(dead[4]) == 0);
	say("of no signal", left(silent) > 90000 && left(silent) < 100000);
	say("of processor time", left(processor) > 990 && left(processor) <= 1000);
	/* the first thread uses some, which does not count there */
	for (double until = cpu() + 0.7; cpu() < until;)
		;
	say("of a thread's processor time", left(thread_processor) > 0.3 && caught[SIGRTMIN + 6] == 0);
	say("pending", pending(SIGRTMIN + 1) && left(waiting) >= 0);
	say("pending, once", pending(SIGRTMIN + 2) && left(once) == 0);
	sigprocmask(SIG_UNBLOCK, &blocked, NULL);
	say("delivered once", caught[SIGRTMIN + 2] == 1);
	for (int i = 0; i < 4; i++) {
		static const int of[] = {1, 4, 5};
		int sig = i < 3 ? SIGRTMIN + of[i] : SIGALRM;

		for (before = caught[sig]; caught[sig] < before + 3;)
			usleep(10000);
		fprintf(result, "ticks: %d\n", i);
	}
	for (before = called; called < before + 3;)
		usleep(10000);
	timer_delete(self);
	say("after its end", left(self) == -1);
	return fclose(result);
}
