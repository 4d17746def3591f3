/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>

#include "../../spank_cr/init/lanes.h"
#include "engine.h"

#define MIB  (1u << 20)
#define MANY 4

/* A writer and what comes to it through lanes. */
struct taking {
	struct cr_pace pace;
	struct cr_writer *writer;
	struct lanes *lanes;
};

/* rate: bytes a second that the writer may write, 0: no limit. */
static void taking_begin(struct taking *t, uint64_t pool, uint64_t rate)
{
	char dir[PATH_MAX], packs[PATH_MAX + 8], remark[256];
	struct cr_writer_config config = {.job = 4711,
					  .generation = 1,
					  .dir = dir,
					  .packs = packs,
					  .pool = pool,
					  .tables = MIB,
					  .threads = 1,
					  .pace = &t->pace};
	struct cr_error err = {0};

	engine_open();
	cr_pace_init(&t->pace, rate, 100);
	(void)snprintf(packs, sizeof(packs), "%s/packs", engine_store.dir);
	unit_assert_ok(cr_store_begin(&engine_store, 1, dir, &err), &err);
	unit_assert_ok(cr_writer_open(&t->writer, &config, remark, sizeof(remark), &err), &err);
	unit_assert_ok(lanes_open(&t->lanes, t->writer, &err), &err);
}

static uint32_t taking_stream(struct taking *t, const char *name)
{
	struct cr_error err = {0};
	uint32_t id;

	unit_assert_ok(cr_writer_stream(t->writer, name, false, &id, &err), &err);
	return id;
}

/* Commit it and compare. */
static void taking_end(struct taking *t, const struct content *streams, size_t n)
{
	struct cr_writer_result result = {0};
	struct cr_error err = {0};

	unit_assert_ok(lanes_settle(t->lanes, &err), &err);
	cr_pace_hurry(&t->pace);
	unit_assert_ok(cr_writer_settle(t->writer, &err), &err);
	unit_assert_ok(cr_writer_drain(t->writer, false, &err), &err);
	unit_assert_ok(cr_writer_finish(t->writer, &result, &err), &err);
	cr_writer_close(t->writer);
	free(result.packs);
	engine_commit(1);
	engine_compare(1, streams, n);
}

static void pipe_open(int fds[2])
{
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	(void)fcntl(fds[1], F_SETPIPE_SZ, MIB);
}

static void pipe_write(int fd, const void *data, size_t size)
{
	ck_assert_int_eq(write(fd, data, size), (ssize_t)size);
}

/* Somebody who writes a stream into a pipe, in pieces. */
struct feeder {
	pthread_t thread;
	struct content content;
	size_t piece;
	int fds[2];
	uint32_t id;
};

static void *feeder_run(void *arg)
{
	const struct feeder *f = arg;
	size_t done = 0;

	while (done < f->content.size) {
		size_t left = f->content.size - done;
		ssize_t n = write(f->fds[1], f->content.data + done, left < f->piece ? left : f->piece);

		if (n <= 0)
			break; /* the comparison will tell */
		done += (size_t)n;
	}
	close(f->fds[1]);
	return NULL;
}

static void feeder_start(struct feeder *f, struct taking *t, const char *name, size_t size, size_t piece)
{
	f->content = (struct content){.name = name, .data = engine_noise(size), .size = size};
	f->piece = piece;
	f->id = taking_stream(t, name);
	pipe_open(f->fds);
	ck_assert_int_eq(pthread_create(&f->thread, NULL, feeder_run, f), 0);
}

/* Move what comes from all of them, until each has ended. */
static void feeders_move(struct feeder *f, size_t n, struct taking *t)
{
	struct pollfd polls[MANY];
	struct cr_error err = {0};
	size_t sum[MANY] = {0};
	size_t left = n;

	for (size_t i = 0; i < n; i++)
		polls[i] = (struct pollfd){.fd = f[i].fds[0], .events = POLLIN};
	while (left > 0) {
		ck_assert_int_gt(poll(polls, n, 60000), 0);
		for (size_t i = 0; i < n; i++) {
			ssize_t moved = polls[i].revents ? lanes_move(t->lanes, polls[i].fd, f[i].id, &err) : -1;

			if (!polls[i].revents)
				continue;
			if (moved < 0)
				ck_assert_msg(err.errnum == EAGAIN, "%s", err.text);
			else if (moved > 0)
				sum[i] += (size_t)moved;
			if (moved != 0)
				continue;
			ck_assert_uint_eq(sum[i], f[i].content.size);
			close(polls[i].fd);
			polls[i].fd = -1;
			left--;
		}
	}
}

/* Several pipes at once; compare. */
static void several(uint64_t pool)
{
	static const struct {
		const char *name;
		size_t size, piece;
	} kinds[MANY] = {{"images/pages-1.img", 5 * MIB + 17, MIB},
			 {"images/pages-2.img", 3 * MIB + 4096, 4096},
			 {"images/core-1.img", 70001, 7},
			 {"images/empty.img", 0, 1}};
	struct feeder feeders[MANY];
	struct content contents[MANY];
	struct taking t;

	taking_begin(&t, pool, 0);
	for (size_t i = 0; i < MANY; i++)
		feeder_start(&feeders[i], &t, kinds[i].name, kinds[i].size, kinds[i].piece);
	feeders_move(feeders, MANY, &t);
	for (size_t i = 0; i < MANY; i++) {
		ck_assert_int_eq(pthread_join(feeders[i].thread, NULL), 0);
		contents[i] = feeders[i].content;
	}
	taking_end(&t, contents, MANY);
	engine_free(contents, MANY);
}

START_TEST(several_pipes)
{
	several(64 * MIB);
}
END_TEST

/* Whoever copies waits for the pool at almost every chunk. */
START_TEST(tiny_pool)
{
	several(1);
}
END_TEST

START_TEST(empty_pipe)
{
	unsigned char *data = engine_noise(100000);
	struct content content = {.name = "a", .data = data, .size = 100000};
	struct cr_error err = {0};
	struct taking t;
	uint32_t id;
	int fds[2];

	taking_begin(&t, 64 * MIB, 0);
	id = taking_stream(&t, "a");
	pipe_open(fds);
	/* more often than there are lanes: none may be taken by it */
	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(lanes_move(t.lanes, fds[0], id, &err), -1);
		ck_assert_int_eq(err.errnum, EAGAIN);
	}
	pipe_write(fds[1], data, 60000);
	ck_assert_int_eq(lanes_move(t.lanes, fds[0], id, &err), 60000);
	ck_assert_int_eq(lanes_move(t.lanes, fds[0], id, &err), -1);
	ck_assert_int_eq(err.errnum, EAGAIN);
	pipe_write(fds[1], data + 60000, 40000);
	close(fds[1]);
	ck_assert_int_eq(lanes_move(t.lanes, fds[0], id, &err), 40000);
	ck_assert_int_eq(lanes_move(t.lanes, fds[0], id, &err), 0);
	close(fds[0]);
	taking_end(&t, &content, 1);
	free(data);
}
END_TEST

static double seconds(void)
{
	struct timespec ts;

	ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &ts), 0);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* The writer takes 16 MiB a second, 4 of them at once; the lanes hold 8, pool and pipe a few. */
START_TEST(slow_writer)
{
	struct feeder feeder;
	struct taking t;
	double began;

	taking_begin(&t, 1, 16 * MIB);
	began = seconds();
	feeder_start(&feeder, &t, "a", 24 * MIB, MIB);
	feeders_move(&feeder, 1, &t);
	/* it did wait for lanes */
	ck_assert_double_gt(seconds() - began, 0.2);
	ck_assert_int_eq(pthread_join(feeder.thread, NULL), 0);
	taking_end(&t, &feeder.content, 1);
	engine_free(&feeder.content, 1);
}
END_TEST

/* Pages are in the lanes by reference. Whoever lets their owner go on before lanes_settle has the new content in
 * the store, or half of it. */
START_TEST(settled)
{
	const size_t size = MIB / 2;
	struct content contents[2] = {{.name = "before", .data = engine_noise(7 * MIB), .size = 7 * MIB},
				      {.name = "pages", .data = engine_noise(size), .size = size}};
	unsigned char *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct cr_error err = {0};
	struct taking t;
	uint32_t before, id;
	int fds[2];

	ck_assert_ptr_ne(pages, MAP_FAILED);
	memcpy(pages, contents[1].data, size);
	taking_begin(&t, 1, 16 * MIB);
	before = taking_stream(&t, "before");
	id = taking_stream(&t, "pages");
	pipe_open(fds);
	/* so much is to be copied first, slowly, that the pages are still in their lane when the last call returns
	 */
	for (size_t done = 0; done < contents[0].size; done += size) {
		pipe_write(fds[1], contents[0].data + done, size);
		ck_assert_int_eq(lanes_move(t.lanes, fds[0], before, &err), (ssize_t)size);
	}
	ck_assert_int_eq(vmsplice(fds[1], &(struct iovec){.iov_base = pages, .iov_len = size}, 1, 0),
			 (ssize_t)size);
	ck_assert_int_eq(lanes_move(t.lanes, fds[0], id, &err), (ssize_t)size);
	unit_assert_ok(lanes_settle(t.lanes, &err), &err);
	memset(pages, 0xa5, size);
	close(fds[1]);
	ck_assert_int_eq(lanes_move(t.lanes, fds[0], before, &err), 0);
	ck_assert_int_eq(lanes_move(t.lanes, fds[0], id, &err), 0);
	taking_end(&t, contents, 2);
	engine_free(contents, 2);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{several_pipes, true}, {tiny_pool, true}, {empty_pipe, true}, {slow_writer, true}, {settled, true},
	};

	return unit_main("lanes", tests, sizeof(tests) / sizeof(tests[0]));
}
