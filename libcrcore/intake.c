/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "intake.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BUFFERS 8u

struct item {
	size_t size;
	uint32_t stream;
	bool end;
};

struct cr_intake {
	cr_intake_take take;
	void *arg;
	unsigned char *memory;
	pthread_t thread;
	bool started;

	pthread_mutex_t lock; /* all below */
	pthread_cond_t filled, emptied;
	bool filled_wanted, emptied_wanted; /* somebody waits */
	struct item items[BUFFERS];
	uint64_t put, taken; /* how many; the ring's places are their remainders */
	bool closing, failed;
	struct cr_error err;
};

static unsigned char *buffer_of(const struct cr_intake *i, uint64_t n)
{
	return i->memory + n % BUFFERS * CR_INTAKE_BUFFER;
}

static void *thread_main(void *arg)
{
	struct cr_intake *i = arg;

	pthread_mutex_lock(&i->lock);
	while (!i->closing) {
		struct item item;
		struct cr_error err;
		int rc;

		if (i->put == i->taken) {
			i->filled_wanted = true;
			pthread_cond_wait(&i->filled, &i->lock);
			continue;
		}
		item = i->items[i->taken % BUFFERS];
		pthread_mutex_unlock(&i->lock);
		rc = i->failed ? 0
			       : i->take(i->arg, item.stream, buffer_of(i, i->taken), item.size, item.end, &err);
		pthread_mutex_lock(&i->lock);
		if (rc < 0) {
			i->failed = true;
			i->err = err;
		}
		i->taken++;
		if (i->emptied_wanted)
			pthread_cond_signal(&i->emptied);
		i->emptied_wanted = false;
	}
	pthread_mutex_unlock(&i->lock);
	return NULL;
}

int cr_intake_open(struct cr_intake **intake, cr_intake_take take, void *arg, struct cr_error *err)
{
	struct cr_intake *i = calloc(1, sizeof(*i));
	int rc;

	*intake = NULL;
	if (!i)
		return cr_error_sys(err, ENOMEM, "intake");
	i->take = take;
	i->arg = arg;
	pthread_mutex_init(&i->lock, NULL);
	pthread_cond_init(&i->filled, NULL);
	pthread_cond_init(&i->emptied, NULL);
	i->memory = mmap(NULL, (size_t)BUFFERS * CR_INTAKE_BUFFER, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	rc = i->memory == MAP_FAILED ? ENOMEM : pthread_create(&i->thread, NULL, thread_main, i);
	if (rc != 0) {
		cr_intake_close(i);
		return cr_error_sys(err, rc, "intake");
	}
	i->started = true;
	*intake = i;
	return 0;
}

/* With the lock held: until at most most buffers are full. */
static int emptied_wait(struct cr_intake *i, uint64_t most, struct cr_error *err)
{
	while (!i->failed && i->put - i->taken > most) {
		i->emptied_wanted = true;
		pthread_cond_wait(&i->emptied, &i->lock);
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
	rc = emptied_wait(i, BUFFERS - 1, err);
	pthread_mutex_unlock(&i->lock);
	*at = buffer_of(i, i->put);
	return rc;
}

int cr_intake_put(struct cr_intake *i, uint32_t stream, size_t size, bool end, struct cr_error *err)
{
	int rc;

	pthread_mutex_lock(&i->lock);
	rc = emptied_wait(i, BUFFERS - 1, err);
	if (rc == 0) {
		i->items[i->put % BUFFERS] = (struct item){.size = size, .stream = stream, .end = end};
		i->put++;
		if (i->filled_wanted)
			pthread_cond_signal(&i->filled);
		i->filled_wanted = false;
	}
	pthread_mutex_unlock(&i->lock);
	return rc;
}

int cr_intake_settle(struct cr_intake *i, struct cr_error *err)
{
	int rc;

	pthread_mutex_lock(&i->lock);
	rc = emptied_wait(i, 0, err);
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
		(void)munmap(i->memory, (size_t)BUFFERS * CR_INTAKE_BUFFER);
	pthread_cond_destroy(&i->filled);
	pthread_cond_destroy(&i->emptied);
	pthread_mutex_destroy(&i->lock);
	free(i);
}
