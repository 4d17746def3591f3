/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "lanes.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipe.h"

#define LANES	   8u
#define LANE_BYTES PIPE_LARGE

/* A pipe, and what is in it. */
struct lane {
	int in, out;
	uint32_t stream;
	size_t bytes; /* 0: the stream has ended */
};

struct lanes {
	struct cr_writer *writer;
	struct lane lanes[LANES];
	pthread_t thread;

	pthread_mutex_t lock; /* all below */
	pthread_cond_t filled, emptied;
	uint64_t put, taken; /* how many; the lanes in turn */
	bool failed;
	struct cr_error err;
};

static int lane_copy(const struct lanes *l, const struct lane *lane, struct cr_error *err)
{
	size_t left = lane->bytes;

	if (left == 0)
		return cr_writer_end(l->writer, lane->stream, err);
	while (left > 0) {
		size_t room;
		ssize_t n;
		void *at;

		if (cr_writer_room(l->writer, &at, &room, err) < 0)
			return -1;
		n = read(lane->out, at, room < left ? room : left);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return cr_error_sys(err, n < 0 ? errno : EPIPE, "a pipe of the image writer's");
		if (cr_writer_advance(l->writer, lane->stream, (size_t)n, err) < 0)
			return -1;
		left -= (size_t)n;
	}
	return 0;
}

static void *thread_main(void *arg)
{
	struct lanes *l = arg;
	struct cr_error err;
	int rc = 0;

	pthread_mutex_lock(&l->lock);
	while (rc == 0) {
		while (l->put == l->taken)
			pthread_cond_wait(&l->filled, &l->lock);
		pthread_mutex_unlock(&l->lock);
		rc = lane_copy(l, &l->lanes[l->taken % LANES], &err);
		pthread_mutex_lock(&l->lock);
		l->taken++;
		pthread_cond_signal(&l->emptied);
	}
	l->failed = true;
	l->err = err;
	pthread_cond_signal(&l->emptied);
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

int lanes_open(struct lanes **lanes, struct cr_writer *writer, struct cr_error *err)
{
	struct lanes *l = calloc(1, sizeof(*l));
	int rc;

	*lanes = l; /* lives as long as the process */
	if (!l)
		return cr_error_sys(err, ENOMEM, "image writer");
	l->writer = writer;
	for (unsigned i = 0; i < LANES; i++) {
		int fds[2];

		if (pipe2(fds, O_CLOEXEC) < 0)
			return cr_error_sys(err, errno, "pipe");
		/* fewer wake-ups; a smaller one does, too */
		(void)pipe_grow(fds[1]);
		l->lanes[i] = (struct lane){.in = fds[1], .out = fds[0]};
	}
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->filled, NULL);
	pthread_cond_init(&l->emptied, NULL);
	rc = pthread_create(&l->thread, NULL, thread_main, l);
	return rc == 0 ? 0 : cr_error_sys(err, rc, "starting a thread");
}

/* Wait until at most most lanes are full. */
static int lanes_wait(struct lanes *l, uint64_t most, struct cr_error *err)
{
	int rc = 0;

	pthread_mutex_lock(&l->lock);
	while (!l->failed && l->put - l->taken > most)
		pthread_cond_wait(&l->emptied, &l->lock);
	if (l->failed) {
		*err = l->err;
		rc = -1;
	}
	pthread_mutex_unlock(&l->lock);
	return rc;
}

ssize_t lanes_move(struct lanes *l, int fd, uint32_t stream, struct cr_error *err)
{
	struct lane *lane = &l->lanes[l->put % LANES];
	size_t sum = 0;
	ssize_t n;

	if (lanes_wait(l, LANES - 1, err) < 0)
		return -1;
	do {
		n = splice(fd, NULL, lane->in, NULL, LANE_BYTES, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		if (n > 0)
			sum += (size_t)n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	/* no more for now, or no more room: the rest is for the next lane */
	if (n < 0 && (errno != EAGAIN || sum == 0))
		return cr_error_sys(err, errno, "a pipe of criu's");
	lane->stream = stream;
	lane->bytes = sum;
	pthread_mutex_lock(&l->lock);
	l->put++;
	pthread_cond_signal(&l->filled);
	pthread_mutex_unlock(&l->lock);
	return (ssize_t)sum;
}

int lanes_settle(struct lanes *l, struct cr_error *err)
{
	return lanes_wait(l, 0, err);
}
