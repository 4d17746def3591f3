/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* threads - 1,000 threads: each waits on a condition, has data of its own and a signal mask of its own */

#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define THREADS 1000

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn = PTHREAD_COND_INITIALIZER, done = PTHREAD_COND_INITIALIZER;
static long round_number, finished, sum;
static __thread long mine;

static int same(long n)
{
	char name[16], want[16];
	sigset_t set;

	snprintf(want, sizeof(want), "thread %ld", n);
	return prctl(PR_GET_NAME, name) == 0 && strcmp(name, want) == 0 &&
	       pthread_sigmask(SIG_BLOCK, NULL, &set) == 0 && sigismember(&set, SIGRTMIN + (int)(n % 20)) == 1 &&
	       sigismember(&set, SIGRTMIN + (int)((n + 1) % 20)) == 0;
}

static void *member(void *arg)
{
	long n = (long)arg, seen = 0;
	char name[16];
	sigset_t set;

	snprintf(name, sizeof(name), "thread %ld", n);
	prctl(PR_SET_NAME, name);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + (int)(n % 20));
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	mine = n;
	pthread_mutex_lock(&mutex);
	for (;;) {
		while (seen == round_number)
			pthread_cond_wait(&turn, &mutex);
		seen = round_number;
		if (seen < 0)
			break;
		sum += mine + (same(n) ? 0 : -1000000);
		if (++finished == THREADS)
			pthread_cond_signal(&done);
	}
	pthread_mutex_unlock(&mutex);
	return (void *)mine;
}

/* all once; their numbers' sum */
static long turn_all(void)
{
	long is;

	pthread_mutex_lock(&mutex);
	sum = finished = 0;
	round_number++;
	pthread_cond_broadcast(&turn);
	while (finished < THREADS)
		pthread_cond_wait(&done, &mutex);
	is = sum;
	pthread_mutex_unlock(&mutex);
	return is;
}

int main(void)
{
	static pthread_t threads[THREADS];
	pthread_attr_t attr;
	long first, joined = 0;
	void *result;

	setlinebuf(stdout);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 << 10);
	for (long i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], &attr, member, (void *)i) != 0) {
			perror("threads");
			return 1;
		}
	first = turn_all();
	printf("%d threads, %ld\nready\n", THREADS, first);
	while (access("go", F_OK) < 0) {
		if (turn_all() != first)
			printf("another sum at the gate\n");
		usleep(400000);
	}
	for (int i = 0; i < 20; i++)
		printf("%ld\n", turn_all());
	pthread_mutex_lock(&mutex);
	round_number = -1;
	pthread_cond_broadcast(&turn);
	pthread_mutex_unlock(&mutex);
	for (long i = 0; i < THREADS; i++)
		joined += pthread_join(threads[i], &result) == 0 ? (long)result : -1000000;
	printf("joined: %ld\nend\n", joined);
	return 0;
}
