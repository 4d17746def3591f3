/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "intake.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "memory.h"
#include "pace.h"

#define ALIGN 4096u
#define ITEMS 1024u /* besides four for each buffer */

struct item {
	void *stream;
	uint64_t at; /* position of its first byte */
	uint32_t size;
	bool end;
};

struct cr_intake {
	cr_intake_take take;
	void *arg;
	unsigned char *memory;
	uint64_t bytes; /* of memory; positions are counted on and on, their remainders are places in it */
	pthread_t thread;
	bool started;

	pthread_mutex_t lock; /* all below */
	pthread_cond_t filled, emptied;
	bool filled_wanted, emptied_wanted; /* somebody waits */
	enum cr_intake_mode mode;
	struct item *items;
	uint64_t n_items, put, taken; /* room for; how many */
	uint64_t head, tail;	      /* positions: what is free begins, what is full begins */
	bool touched, closing, failed;
	struct cr_error err;
};

/* With the lock held: from where on a whole buffer lies in one piece. */
static uint64_t head_next(const struct cr_intake *i)
{
	uint64_t left = i->bytes - i->head % i->bytes;

	return left < CR_INTAKE_BUFFER ? i->head + left : i->head;
}

static bool is_full(const struct cr_intake *i)
{
	return i->put - i->taken == i->n_items || head_next(i) + CR_INTAKE_BUFFER - i->tail > i->bytes;
}

static bool work_wanted(const struct cr_intake *i)
{
	if (i->mode == CR_INTAKE_HOLD || i->put == i->taken)
		return false;
	return i->mode == CR_INTAKE_GO || i->emptied_wanted || i->head - i->tail > i->bytes - i->bytes / 8;
}

static void memory_touch(struct cr_intake *i)
{
	struct cr_error err;
	int rc = cr_memory_touch(i->memory, i->bytes, &err);

	pthread_mutex_lock(&i->lock);
	if (rc < 0) {
		i->failed = true;
		i->err = err;
	}
	i->touched = true;
	pthread_cond_signal(&i->emptied);
	pthread_mutex_unlock(&i->lock);
}

static void *thread_main(void *arg)
{
	struct cr_intake *i = arg;

	(void)cr_pace_lower(NULL); /* a courtesy */
	memory_touch(i);
	pthread_mutex_lock(&i->lock);
	while (!i->closing) {
		struct item item;
		struct cr_error err;
		int rc;

		if (!work_wanted(i)) {
			i->filled_wanted = true;
			pthread_cond_wait(&i->filled, &i->lock);
			continue;
		}
		item = i->items[i->taken % i->n_items];
		pthread_mutex_unlock(&i->lock);
		rc = i->failed ? 0
			       : i->take(i->arg, item.stream, i->memory + item.at % i->bytes, item.size, item.end,
					 &err);
		pthread_mutex_lock(&i->lock);
		if (rc < 0) {
			i->failed = true;
			i->err = err;
		}
		i->taken++;
		i->tail = i->taken == i->put ? i->head : i->items[i->taken % i->n_items].at;
		if (i->emptied_wanted)
			pthread_cond_signal(&i->emptied);
		i->emptied_wanted = false;
	}
	pthread_mutex_unlock(&i->lock);
	return NULL;
}

int cr_intake_open(struct cr_intake **intake, uint64_t bytes, enum cr_intake_mode mode, cr_intake_take take,
		   void *arg, struct cr_error *err)
{
	struct cr_intake *i = calloc(1, sizeof(*i));
	pthread_condattr_t attr;
	int rc;

	*intake = NULL;
	if (!i)
		return cr_error_sys(err, ENOMEM, "intake");
	i->take = take;
	i->arg = arg;
	i->mode = mode;
	bytes = bytes / CR_INTAKE_BUFFER < CR_INTAKE_LEAST ? CR_INTAKE_LEAST : bytes / CR_INTAKE_BUFFER;
	i->n_items = 4 * bytes + ITEMS;
	i->bytes = bytes * CR_INTAKE_BUFFER;
	pthread_mutex_init(&i->lock, NULL);
	pthread_cond_init(&i->filled, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&i->emptied, &attr);
	pthread_condattr_destroy(&attr);
	i->items = calloc(i->n_items, sizeof(*i->items));
	i->memory = mmap(NULL, i->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	rc = i->memory == MAP_FAILED || !i->items ? ENOMEM : pthread_create(&i->thread, NULL, thread_main, i);
	if (rc != 0) {
		cr_error_sys(err, rc, "a staging pool of %llu MiB", (unsigned long long)i->bytes >> 20);
		cr_intake_close(i);
		return -1;
	}
	i->started = true;
	pthread_mutex_lock(&i->lock);
	while (!i->touched)
		pthread_cond_wait(&i->emptied, &i->lock);
	rc = i->failed ? -1 : 0;
	if (rc < 0)
		*err = i->err;
	pthread_mutex_unlock(&i->lock);
	if (rc < 0)
		cr_intake_close(i);
	else
		*intake = i;
	return rc;
}

/* With the lock held. */
static void thread_wake(struct cr_intake *i)
{
	if (i->filled_wanted && work_wanted(i)) {
		pthread_cond_signal(&i->filled);
		i->filled_wanted = false;
	}
}

void cr_intake_set(struct cr_intake *i, enum cr_intake_mode mode)
{
	pthread_mutex_lock(&i->lock);
	i->mode = mode;
	thread_wake(i);
	pthread_mutex_unlock(&i->lock);
}

/* With the lock held: until there is room, or, all, until everything was taken. */
static int emptied_wait(struct cr_intake *i, bool all, struct cr_error *err)
{
	uint64_t taken = i->taken;
	struct timespec until;
	time_t since = 0;

	while (!i->failed && (all ? i->put > i->taken : is_full(i))) {
		i->emptied_wanted = true;
		thread_wake(i);
		clock_gettime(CLOCK_MONOTONIC, &until);
		if (since == 0 || taken != i->taken)
			since = until.tv_sec;
		taken = i->taken;
		if (!all && until.tv_sec - since > CR_PACE_STALL_S)
			return cr_error_set(err, ETIMEDOUT, "the storage has answered nothing for %d s",
					    CR_PACE_STALL_S);
		until.tv_sec++;
		(void)pthread_cond_timedwait(&i->emptied, &i->lock, &until);
	}
	if (!i->failed)
		return 0;
	*err = i->err;
	return -1;
}

int cr_intake_room(struct cr_intake *i, void **at, struct cr_error *err)
{
	int rc;

	pthread_mutex_lock(&i->lock);
	rc = emptied_wait(i, false, err);
	*at = i->memory + head_next(i) % i->bytes;
	pthread_mutex_unlock(&i->lock);
	return rc;
}

int cr_intake_put(struct cr_intake *i, void *stream, size_t size, bool end, struct cr_error *err)
{
	int rc;

	pthread_mutex_lock(&i->lock);
	rc = emptied_wait(i, false, err);
	if (rc == 0) {
		i->head = size > 0 ? head_next(i) : i->head;
		i->items[i->put % i->n_items] =
			(struct item){.stream = stream, .at = i->head, .size = (uint32_t)size, .end = end};
		i->head += (size + ALIGN - 1) / ALIGN * ALIGN;
		i->put++;
		thread_wake(i);
	}
	pthread_mutex_unlock(&i->lock);
	return rc;
}

int cr_intake_settle(struct cr_intake *i, struct cr_error *err)
{
	int rc;

	pthread_mutex_lock(&i->lock);
	i->mode = CR_INTAKE_GO;
	thread_wake(i);
	rc = emptied_wait(i, true, err);
	pthread_mutex_unlock(&i->lock);
	return rc;
}

void cr_intake_close(struct cr_intake *i)
{
	if (!i)
		return;
	if (i->started) {
		pthread_mutex_lock(&i->lock);
		i->closing = true;
		pthread_cond_signal(&i->filled);
		pthread_mutex_unlock(&i->lock);
		pthread_join(i->thread, NULL);
	}
	if (i->memory != MAP_FAILED)
		(void)munmap(i->memory, i->bytes);
	free(i->items);
	pthread_cond_destroy(&i->filled);
	pthread_cond_destroy(&i->emptied);
	pthread_mutex_destroy(&i->lock);
	free(i);
}
