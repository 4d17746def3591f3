/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

#include "../../libcrcore/pace.h"

/* Lower bounds are what is promised; upper ones are generous, for machines with more to do. */

#define MIB (1u << 20)

static double clock_s(clockid_t clock)
{
	struct timespec ts;

	ck_assert_int_eq(clock_gettime(clock, &ts), 0);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double now(void)
{
	return clock_s(CLOCK_MONOTONIC);
}

static void nap(double seconds)
{
	const struct timespec ts = {.tv_sec = (time_t)seconds,
				    .tv_nsec = (long)((seconds - (time_t)seconds) * 1e9)};

	ck_assert_int_eq(nanosleep(&ts, NULL), 0);
}

/* Use the processor for so much of this thread's time. */
static void burn(double seconds)
{
	double end = clock_s(CLOCK_THREAD_CPUTIME_ID) + seconds;

	while (clock_s(CLOCK_THREAD_CPUTIME_ID) < end)
		;
}

START_TEST(no_limits)
{
	struct cr_pace pace;
	double began = now();

	cr_pace_init(&pace, 0, 100);
	cr_pace_bytes(&pace, UINT64_MAX);
	cr_pace_bytes(&pace, UINT64_MAX);
	cr_pace_cpu(&pace);
	burn(0.05);
	cr_pace_cpu(&pace);
	ck_assert_double_lt(now() - began, 10);
	cr_pace_destroy(&pace);
}
END_TEST

START_TEST(bytes)
{
	struct cr_pace pace;
	double began = now();

	cr_pace_init(&pace, 4 * MIB, 100);
	/* a third of it is the burst */
	for (int i = 0; i < 48; i++)
		cr_pace_bytes(&pace, MIB / 16);
	ck_assert_double_ge(now() - began, 0.499);
	ck_assert_double_lt(now() - began, 5);
	/* no more is saved up while nothing moves */
	nap(0.6);
	began = now();
	for (int i = 0; i < 32; i++)
		cr_pace_bytes(&pace, MIB / 16);
	ck_assert_double_ge(now() - began, 0.249);
	cr_pace_destroy(&pace);
}
END_TEST

/* A low rate still has 1 MiB at once; a high one a quarter of a second. */
START_TEST(bursts)
{
	struct cr_pace pace;
	double began = now();

	cr_pace_init(&pace, 1024, 100);
	cr_pace_bytes(&pace, MIB);
	cr_pace_destroy(&pace);
	cr_pace_init(&pace, 1000 * (uint64_t)MIB, 100);
	cr_pace_bytes(&pace, 250 * (uint64_t)MIB);
	ck_assert_double_lt(now() - began, 5);
	began = now();
	cr_pace_bytes(&pace, 500 * (uint64_t)MIB);
	ck_assert_double_ge(now() - began, 0.2);
	cr_pace_destroy(&pace);
}
END_TEST

static void *mover(void *arg)
{
	for (int i = 0; i < 16; i++)
		cr_pace_bytes(arg, MIB / 16);
	return NULL;
}

START_TEST(bytes_of_threads)
{
	struct cr_pace pace;
	pthread_t threads[3];
	double began = now();

	cr_pace_init(&pace, 4 * MIB, 100);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, mover, &pace), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	ck_assert_double_ge(now() - began, 0.499);
	ck_assert_double_lt(now() - began, 5);
	cr_pace_destroy(&pace);
}
END_TEST

static void one_processor(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	ck_assert_int_ge(sched_getcpu(), 0);
	CPU_SET(sched_getcpu(), &set);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(set), &set), 0);
}

static void *burner(void *arg)
{
	cr_pace_cpu(arg);
	for (int i = 0; i < 10; i++) {
		burn(0.005);
		cr_pace_cpu(arg);
	}
	return NULL;
}

/* a debt of less than 10 ms is not slept off at once; and the clocks' own grain */
#define SLACK 0.015

START_TEST(cpu)
{
	struct cr_pace pace;
	pthread_t threads[2];
	double began;

	one_processor();
	burn(0.1); /* before the beginning: not counted */
	cr_pace_init(&pace, 0, 25);
	began = now();
	(void)burner(&pace);
	ck_assert_double_ge(now() - began, 0.05 / 0.25 - SLACK);
	ck_assert_double_lt(now() - began, 5);
	/* together, and what they did not use before is not theirs now */
	nap(1);
	began = now();
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, burner, &pace), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	ck_assert_double_ge(now() - began, 0.1 / 0.25 - 0.1 - SLACK);
	ck_assert_double_lt(now() - began, 10);
	cr_pace_destroy(&pace);
	/* another pace owes nothing of that, be it at the same address */
	cr_pace_init(&pace, 0, 1);
	began = now();
	cr_pace_cpu(&pace);
	ck_assert_double_lt(now() - began, 2);
	cr_pace_destroy(&pace);
}
END_TEST

struct sleeper {
	struct cr_pace pace;
	double woke;
};

static void *sleeper(void *arg)
{
	struct sleeper *s = arg;

	cr_pace_bytes(&s->pace, 100 * MIB);
	s->woke = now();
	return NULL;
}

START_TEST(hurry)
{
	struct sleeper s = {0};
	pthread_t thread;
	double began = now(), hurried;

	cr_pace_init(&s.pace, MIB, 1);
	ck_assert_int_eq(pthread_create(&thread, NULL, sleeper, &s), 0);
	nap(0.2);
	hurried = now();
	cr_pace_hurry(&s.pace);
	cr_pace_relax(&s.pace); /* a sleeper that is not yet awake still goes */
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_double_ge(s.woke, hurried);
	ck_assert_double_lt(now() - began, 20);
	/* in a hurry nothing sleeps, and nothing is owed afterwards */
	cr_pace_hurry(&s.pace);
	cr_pace_hurry(&s.pace);
	began = now();
	cr_pace_cpu(&s.pace);
	burn(0.2);
	cr_pace_cpu(&s.pace);
	cr_pace_bytes(&s.pace, 1000 * MIB);
	cr_pace_relax(&s.pace);
	ck_assert_double_lt(now() - began, 5);
	began = now();
	cr_pace_bytes(&s.pace, MIB / 4);
	ck_assert_double_ge(now() - began, 0.249);
	ck_assert_double_lt(now() - began, 5);
	cr_pace_destroy(&s.pace);
}
END_TEST

static void *lowered(void *arg)
{
	struct cr_error *err = arg;
	long io;

	if (cr_pace_lower(err) < 0 || cr_pace_lower(err) < 0)
		return err;
	io = syscall(SYS_ioprio_get, 1, 0);
	if (sched_getscheduler(0) != SCHED_BATCH || getpriority(PRIO_PROCESS, 0) != 10 ||
	    (io != (2 << 13 | 7) && !(io < 0 && errno == ENOSYS)))
		(void)cr_error_set(err, EDOM, "class %d, nice %d, I/O %lx", sched_getscheduler(0),
				   getpriority(PRIO_PROCESS, 0), io);
	return err;
}

START_TEST(lower)
{
	struct cr_error err = {0};
	int nice_before, class_before;
	pthread_t thread;

	unit_drop_root();
	nice_before = getpriority(PRIO_PROCESS, 0);
	class_before = sched_getscheduler(0);
	ck_assert_int_eq(pthread_create(&thread, NULL, lowered, &err), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_msg(err.errnum == 0, "%s", err.text);
	/* that thread alone */
	ck_assert_int_eq(getpriority(PRIO_PROCESS, 0), nice_before);
	ck_assert_int_eq(sched_getscheduler(0), class_before);
}
END_TEST

UNIT_MAIN("pace", {no_limits, false}, {bytes, false}, {bursts, false}, {bytes_of_threads, false}, {cpu, false},
	  {hurry, false}, {lower, true})
