/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "pace.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "timefmt.h"

#define SECOND	  UINT64_C(1000000000) /* ns */
#define MIB	  (1u << 20)
#define CPU_BURST 0.1 /* of a second */

/* linux/ioprio.h, which older distributions lack */
#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_CLASS_BE	   2
#define IOPRIO_CLASS_SHIFT 13
#define IOPRIO_LOWEST	   7

/* where this thread's processor time stood at its last call, and for which pace that was */
static __thread uint64_t cpu_serial, cpu_last;

static uint64_t clock_read(clockid_t clock)
{
	return (uint64_t)cr_time_clock_ns(clock);
}

/* The lock is never held across anything that fails or blocks, and is not recursive: no error is possible. */
static void lock(struct cr_pace *pace)
{
	(void)pthread_mutex_lock(&pace->lock);
}

static void unlock(struct cr_pace *pace)
{
	(void)pthread_mutex_unlock(&pace->lock);
}

/* sysconf counts what the affinity allows only in newer libraries. */
unsigned int cr_pace_processors(void)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	int size = 1024, count = 0;

	for (; size <= 1 << 16 && count == 0; size *= 4) {
		cpu_set_t *set = CPU_ALLOC(size);

		if (!set)
			break;
		if (sched_getaffinity(0, CPU_ALLOC_SIZE(size), set) == 0)
			count = CPU_COUNT_S(CPU_ALLOC_SIZE(size), set);
		CPU_FREE(set);
	}
	if (count > 0)
		return (unsigned int)count;
	return online > 0 ? (unsigned int)online : 1;
}

static void buckets_reset(struct cr_pace *pace, double bytes_level)
{
	pace->bytes.at = pace->cpu.at = clock_read(CLOCK_MONOTONIC);
	pace->bytes.level = bytes_level;
	pace->cpu.level = 0; /* never more than the share, not even at the beginning */
}

void cr_pace_init(struct cr_pace *pace, uint64_t bytes_per_s, unsigned int percent)
{
	static atomic_uint_fast64_t serials;
	pthread_condattr_t attr;

	*pace = (struct cr_pace){.serial = atomic_fetch_add(&serials, 1) + 1};
	/* none of these can fail in the C libraries of Linux */
	(void)pthread_mutex_init(&pace->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&pace->wake, &attr);
	(void)pthread_condattr_destroy(&attr);
	pace->bytes.rate = (double)bytes_per_s / (double)SECOND;
	pace->bytes.burst = (double)bytes_per_s / 4 > MIB ? (double)bytes_per_s / 4 : MIB;
	if (percent < 100)
		pace->cpu.rate = (percent ? percent : 1) / 100.0 * cr_pace_processors();
	pace->cpu.burst = pace->cpu.rate * CPU_BURST * (double)SECOND;
	pace->cpu.slack = pace->cpu.burst / 10;
	buckets_reset(pace, pace->bytes.burst);
}

void cr_pace_destroy(struct cr_pace *pace)
{
	(void)pthread_cond_destroy(&pace->wake);
	(void)pthread_mutex_destroy(&pace->lock);
}

/* Sleep until then, or until somebody is in a hurry. A thread's moment is fixed when it takes: what others take
 * later makes them wait, not it. */
static void sleep_locked(struct cr_pace *pace, uint64_t until)
{
	const struct timespec ts = {.tv_sec = (time_t)(until / SECOND), .tv_nsec = (long)(until % SECOND)};
	unsigned int hurries = pace->hurries;
	uint64_t from = clock_read(CLOCK_MONOTONIC);
	int rc = 0;

	while (rc == 0 && hurries == pace->hurries)
		rc = pthread_cond_timedwait(&pace->wake, &pace->lock, &ts);
	pace->slept += clock_read(CLOCK_MONOTONIC) - from;
}

static void take(struct cr_pace *pace, struct cr_pace_bucket *bucket, uint64_t amount)
{
	uint64_t now;

	lock(pace);
	if (bucket->rate > 0 && !pace->hurry) {
		now = clock_read(CLOCK_MONOTONIC);
		bucket->level += (double)(now - bucket->at) * bucket->rate;
		bucket->at = now;
		if (bucket->level > bucket->burst)
			bucket->level = bucket->burst;
		bucket->level -= (double)amount;
		if (bucket->level < -bucket->slack) {
			double wait = -bucket->level / bucket->rate;

			/* a day is long enough, and no overflow */
			sleep_locked(pace, now + (wait < 86400e9 ? (uint64_t)wait + 1 : 86400 * SECOND));
		}
	}
	unlock(pace);
}

void cr_pace_bytes(struct cr_pace *pace, uint64_t bytes)
{
	take(pace, &pace->bytes, bytes);
}

void cr_pace_cpu(struct cr_pace *pace)
{
	uint64_t now = clock_read(CLOCK_THREAD_CPUTIME_ID);
	uint64_t used = cpu_serial == pace->serial ? now - cpu_last : 0;

	cpu_serial = pace->serial;
	cpu_last = now;
	take(pace, &pace->cpu, used);
}

void cr_pace_hurry(struct cr_pace *pace)
{
	lock(pace);
	pace->hurry = true;
	pace->hurries++;
	(void)pthread_cond_broadcast(&pace->wake);
	unlock(pace);
}

void cr_pace_relax(struct cr_pace *pace)
{
	lock(pace);
	if (pace->hurry)
		buckets_reset(pace, 0);
	pace->hurry = false;
	unlock(pace);
}

uint64_t cr_pace_slept(struct cr_pace *pace)
{
	uint64_t slept;

	lock(pace);
	slept = pace->slept;
	unlock(pace);
	return slept;
}

int cr_pace_lower(struct cr_error *err)
{
	const struct sched_param none = {0};

	/* pid 0 is the calling thread in all three, whatever POSIX says of processes */
	if (sched_setscheduler(0, SCHED_BATCH, &none) < 0)
		return cr_error_sys(err, errno, "changing to SCHED_BATCH");
	/* 19 would be a seventieth of a processor that somebody else keeps busy, and of no end */
	if (setpriority(PRIO_PROCESS, 0, 10) < 0)
		return cr_error_sys(err, errno, "changing to nice 10");
	/* Not the idle classes, of processor or disk: on a busy one an idle request may never be served, and a
	 * checkpoint has to become durable some time. ENOSYS: a kernel without block devices. */
	if (syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_CLASS_BE << IOPRIO_CLASS_SHIFT | IOPRIO_LOWEST) <
		    0 &&
	    errno != ENOSYS)
		return cr_error_sys(err, errno, "changing to the lowest I/O priority");
	return 0;
}
