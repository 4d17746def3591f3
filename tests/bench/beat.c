/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* beat.c - LD_PRELOADed into a workload: a thread that stamps the file BENCH_BEAT every half millisecond
 *
 * It is the same for every workload whatever its language, and needs nothing of the workload: no lock of an
 * interpreter and no safepoint of a virtual machine shows up in it.
 */

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "beat.h"

static uint64_t now(clockid_t clock)
{
	struct timespec ts = {0};

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void *beat_run(void *arg)
{
	volatile struct beat *b = arg;
	uint64_t real = now(CLOCK_REALTIME), mono = now(CLOCK_MONOTONIC);
	const struct timespec period = {.tv_nsec = BEAT_PERIOD_NS};

	for (;;) {
		uint64_t r, m;

		clock_nanosleep(CLOCK_MONOTONIC, 0, &period, NULL);
		r = now(CLOCK_REALTIME);
		m = now(CLOCK_MONOTONIC);
		/* after a restore CLOCK_MONOTONIC may go on as if nothing had been: the other one tells */
		if (m - mono > BEAT_GAP_NS || r - real > BEAT_GAP_NS) {
			volatile struct beat_gap *g = &b->gaps[b->n_gaps % BEAT_GAPS];

			g->from_real = real;
			g->to_real = r;
			g->mono = m - mono;
			__atomic_add_fetch(&b->n_gaps, 1, __ATOMIC_RELEASE);
		}
		real = r;
		mono = m;
		b->real = r;
		b->mono = m;
		b->trace[b->n_trace % BEAT_TRACE].real = r;
		b->trace[b->n_trace % BEAT_TRACE].work = b->work;
		__atomic_add_fetch(&b->n_trace, 1, __ATOMIC_RELEASE);
		b->beats++;
	}
	return NULL;
}

__attribute__((constructor)) static void beat_start(void)
{
	const char *path = getenv("BENCH_BEAT");
	struct beat *b;
	pthread_t thread;
	int fd;

	if (!path)
		return;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		perror(path);
		exit(1);
	}
	b = mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	close(fd); /* an open file would be one that the checkpoint saves */
	if (b == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	b->magic = BEAT_MAGIC;
	/* for the workload and for what it executes: one thread is enough */
	unsetenv("LD_PRELOAD");
	if (pthread_create(&thread, NULL, beat_run, b) != 0) {
		perror("pthread_create");
		exit(1);
	}
	pthread_detach(thread);
}
