/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "capture.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "lanes.h"
#include "memory.h"
#include "output_record.h"
#include "pace.h"
#include "pipe.h"
#include "private.h"
#include "proc.h"
#include "rollback.h"
#include "streamer.h"
#include "writer.h"

#define AT_ONCE	   (4u << 20) /* bytes read from one pipe before the others are looked at */
#define MEMORY_MIN (1u << 20)
#define MEMORY_OWN (8u << 20) /* threads, buffers, what criu needs itself */
#define TABLES_MAX (32u << 20)
#define TABLES_MIN (64u << 10)
#define SCARCE	   (64u << 20)
#define HURRY_MS   200

struct setup {
	const struct job *job;
	uint32_t generation;
	const char *dir;
	uint32_t past;
	uint64_t expected;
};

/* An open stream. */
struct input {
	int fd;
	uint32_t id;
};

/* The writer process's state. */
struct taker {
	const struct setup *setup;
	int control, listening, criu_fd;
	pid_t criu;
	struct cr_pace pace;
	struct cr_writer *writer;
	struct lanes *lanes;
	struct input *inputs;
	struct pollfd *polls; /* three of our own, and one for each input */
	unsigned int threads; /* that compress and write */
	size_t n, room;
	bool barrier, staged;
};

/* ---- the process ---- */

/* How the memory that the job may still take is shared out. A job near its limit gets a small ring for a pool: it
 * is frozen for longer, and checkpointed all the same. */
static void memory_divide(const struct setup *s, struct cr_writer_config *c)
{
	uint64_t most = s->expected + s->expected / 4 + (32u << 20), available = 0, budget;
	struct cr_error err;

	if (cr_memory_free("", &available, &err) < 0)
		available = SCARCE;
	budget = available / 4 * 3 > MEMORY_OWN ? available / 4 * 3 - MEMORY_OWN : 0;
	c->tables = budget / 8 > TABLES_MAX ? TABLES_MAX : budget / 8;
	if (c->tables < TABLES_MIN)
		c->tables = TABLES_MIN;
	budget = budget > c->tables ? budget - c->tables : 0;
	c->pool = s->job->pool && s->job->pool < budget ? s->job->pool : budget;
	if (c->pool > most)
		c->pool = most;
	if (c->pool < MEMORY_MIN)
		c->pool = MEMORY_MIN;
	c->threads = cr_pace_processors() * (unsigned)s->job->drain_share / 100;
	if (c->threads < 1 || available < SCARCE)
		c->threads = 1;
	/* criu, who reads its pipes, and one more */
	c->eager = cr_pace_processors() > 2;
}

static int writer_open(struct taker *t, struct cr_error *err)
{
	const struct setup *s = t->setup;
	struct imgproc_message m = {.type = IMGPROC_REMARK};
	char packs[PATH_MAX], past[PATH_MAX + 8];
	struct cr_writer_config c = {.job = s->job->id,
				     .generation = s->generation,
				     .dir = s->dir,
				     .packs = packs,
				     .expected = s->expected,
				     .level = s->job->compress,
				     .pace = &t->pace};

	cr_pace_init(&t->pace, s->job->bandwidth, (unsigned)s->job->drain_share);
	cr_pace_hurry(&t->pace);
	if (snprintf(packs, sizeof(packs), "%s/packs", s->job->store.dir) >= (int)sizeof(packs))
		return cr_error_sys(err, ENAMETOOLONG, "%s", s->job->store.dir);
	if (s->past) {
		cr_store_path(&s->job->store, s->past, past);
		strcat(past, "/index");
		c.past = past;
	}
	memory_divide(s, &c);
	t->threads = c.threads;
	if (cr_writer_open(&t->writer, &c, m.text, sizeof(m.text), err) < 0)
		return -1;
	if (m.text[0])
		return imgproc_send(t->control, &m, -1, err);
	return 0;
}

static int input_add(struct taker *t, const char *name, int fd, struct cr_error *err)
{
	struct input in = {.fd = fd};

	/* cut where a member of the archive begins and ends */
	bool archive = strcmp(name, PRIVATE_STREAM) == 0 || strcmp(name, OUTPUT_STREAM) == 0 ||
		       strncmp(name, ROLLBACK_STREAMS, strlen(ROLLBACK_STREAMS)) == 0;

	if (cr_writer_stream(t->writer, name, archive, &in.id, err) < 0)
		return -1;
	if (imgproc_room((void **)&t->inputs, sizeof(in), &t->polls, 3, t->n, &t->room, err) < 0)
		return -1;
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return cr_error_sys(err, errno, "stream %s", name);
	/* fewer wake-ups where most of it comes from; a smaller pipe does, too */
	if (strncmp(name, "images/pages-", 13) == 0)
		(void)pipe_grow(fd);
	t->inputs[t->n++] = in;
	return 0;
}

/* Returns 1 when the stream has come to its end. */
static int input_read(struct taker *t, const struct input *in, struct cr_error *err)
{
	for (size_t sum = 0; sum < AT_ONCE;) {
		ssize_t n = lanes_move(t->lanes, in->fd, in->id, err);

		if (n < 0)
			return err->errnum == EAGAIN ? 0 : -1;
		if (n == 0)
			return 1;
		sum += (size_t)n;
	}
	return 0;
}

/* One request of criu's: a file is about to come. */
static int criu_serve(struct taker *t, struct cr_error *err)
{
	char name[CR_STREAMER_NAME], stream[CR_STREAMER_NAME + 16];
	int rc = cr_streamer_request(t->criu_fd, name, err), fd;

	if (rc == 0) {
		close(t->criu_fd);
		t->criu_fd = -1;
		return 0;
	}
	if (rc < 0)
		return -1;
	fd = cr_streamer_pipe(t->criu_fd, err);
	if (fd < 0)
		return -1;
	/* what begins now would not be of the same instant */
	if (t->staged) {
		close(fd);
		return cr_error_set(err, EPROTO, "criu began %s after it had ended", name);
	}
	snprintf(stream, sizeof(stream), "images/%s", name);
	return input_add(t, stream, fd, err);
}

/* The one that drains hears nothing until it is done. */
static void *hurry_wait(void *arg)
{
	struct taker *t = arg;
	struct imgproc_message m;
	struct cr_error err;
	int rc, wait_ms = -1;

	while ((rc = imgproc_receive(t->control, &m, NULL, wait_ms, &err)) >= 0) {
		if (rc == 1 && m.type != IMGPROC_HURRY)
			continue;
		/* and again: the drain may only be about to set its pace */
		cr_pace_hurry(&t->pace);
		wait_ms = HURRY_MS;
	}
	return NULL;
}

static int drain(struct taker *t, bool polite, struct cr_error *err)
{
	struct imgproc_message m = {.type = IMGPROC_DONE};
	struct cr_writer_result result;
	pthread_t listener;

	/* it ends with the process, which has nothing more to do after this */
	if (polite && pthread_create(&listener, NULL, hurry_wait, t) == 0)
		(void)pthread_detach(listener);
	if (cr_writer_drain(t->writer, polite, err) < 0 || cr_writer_finish(t->writer, &result, err) < 0)
		return -1;
	free(result.packs);
	m.value[0] = result.image_bytes;
	m.value[1] = result.pack_bytes;
	m.value[2] = result.index_bytes;
	m.value[3] = cr_pace_slept(&t->pace) / 1000000 / t->threads;
	return imgproc_send(t->control, &m, -1, err);
}

/* Returns 1 at the end. */
static int control_serve(struct taker *t, struct cr_error *err)
{
	struct imgproc_message m;
	int fd;

	if (imgproc_receive(t->control, &m, &fd, -1, err) < 0)
		return -1;
	switch (m.type) {
	case IMGPROC_CRIU:
		t->criu = (pid_t)m.value[0];
		return 0;
	case IMGPROC_STREAM:
		if (fd < 0)
			return cr_error_set(err, EPROTO, "stream %s came without a descriptor", m.text);
		return input_add(t, m.text, fd, err);
	case IMGPROC_BARRIER:
		t->barrier = true;
		return 0;
	case IMGPROC_LATE:
		cr_writer_go(t->writer, m.value[0] != 0);
		return 0;
	case IMGPROC_DRAIN:
		return drain(t, m.value[0] != 0, err) < 0 ? -1 : 1;
	default:
		return cr_error_set(err, EPROTO, "the worker said %u", m.type);
	}
}

static int staged_tell(struct taker *t, struct cr_error *err)
{
	struct imgproc_message m = {.type = IMGPROC_STAGED};

	if (lanes_settle(t->lanes, err) < 0)
		return -1;
	cr_writer_hold(t->writer);
	m.value[0] = cr_writer_bytes(t->writer);
	t->barrier = false;
	t->staged = true;
	return imgproc_send(t->control, &m, -1, err);
}

static int inputs_serve(struct taker *t, size_t polled, struct cr_error *err)
{
	for (size_t i = polled; i-- > 0;) {
		int rc;

		if (!t->polls[3 + i].revents)
			continue;
		rc = input_read(t, &t->inputs[i], err);
		if (rc < 0)
			return -1;
		if (rc == 0)
			continue;
		close(t->inputs[i].fd);
		t->inputs[i] = t->inputs[--t->n];
		t->polls[3 + i] = t->polls[3 + t->n];
	}
	return 0;
}

/* Returns 1 at the end. */
static int taker_once(struct taker *t, struct cr_error *err)
{
	size_t n = t->n;
	int rc;

	t->polls[0] = (struct pollfd){.fd = t->control, .events = POLLIN};
	t->polls[1] = (struct pollfd){.fd = t->criu_fd, .events = POLLIN};
	t->polls[2] = (struct pollfd){.fd = t->criu ? t->listening : -1, .events = POLLIN};
	for (size_t i = 0; i < n; i++)
		t->polls[3 + i] = (struct pollfd){.fd = t->inputs[i].fd, .events = POLLIN};
	if (poll(t->polls, 3 + n, -1) < 0)
		return errno == EINTR ? 0 : cr_error_sys(err, errno, "poll");
	if (t->polls[2].revents && imgproc_accept(&t->listening, t->criu, &t->criu_fd, err) < 0)
		return -1;
	if (inputs_serve(t, n, err) < 0)
		return -1;
	/* before the barrier: criu made its requests before */
	if (t->polls[1].revents)
		return criu_serve(t, err);
	if (t->polls[0].revents) {
		rc = control_serve(t, err);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* After a barrier has come: requests that wait are taken, streams are read to their ends. */
static int barrier_pass(struct taker *t, struct cr_error *err)
{
	struct pollfd p[2] = {{.fd = t->criu_fd, .events = POLLIN}, {.fd = t->listening, .events = POLLIN}};

	if (t->n > 0 || poll(p, 2, 0) > 0)
		return 0;
	return staged_tell(t, err);
}

static int taker_run(struct taker *t, struct cr_error *err)
{
	const struct imgproc_message ready = {.type = IMGPROC_READY};
	int rc;

	t->polls = calloc(3, sizeof(*t->polls));
	if (!t->polls)
		return cr_error_sys(err, ENOMEM, "image writer");
	if (writer_open(t, err) < 0 || lanes_open(&t->lanes, t->writer, err) < 0)
		return -1;
	t->listening = IMGPROC_KEPT;
	if (imgproc_send(t->control, &ready, -1, err) < 0)
		return -1;
	while ((rc = taker_once(t, err)) == 0) {
		if (t->barrier && barrier_pass(t, err) < 0)
			return -1;
	}
	return rc < 0 ? -1 : 0;
}

/* criu, tar and the worker have to notice, even if a thread that hangs in the storage keeps this process. */
static void pipes_close(struct taker *t)
{
	for (size_t i = 0; i < t->n; i++)
		close(t->inputs[i].fd);
	if (t->criu_fd >= 0)
		close(t->criu_fd);
	if (t->listening >= 0)
		close(t->listening);
}

static void taker_main(int fd, void *arg)
{
	struct taker t = {.setup = arg, .control = fd, .listening = -1, .criu_fd = -1};
	struct cr_error err;

	(void)prctl(PR_SET_NAME, "crwriter"); /* for ps and top */
	if (taker_run(&t, &err) < 0) {
		imgproc_fail(fd, &err);
		pipes_close(&t);
	}
	/* no more tidying: the storage may hang, and what is open ends with the process */
	_exit(0);
}

/* ---- the worker's side ---- */

/* What will come, as far as one can tell: the memory that is not a file's, the output so far. What lies in the
 * private directories shows in what it was last time. */
static uint64_t expected_bytes(const struct job *job, uint64_t past_bytes, uint64_t more_bytes)
{
	cleanup_free pid_t *pids = NULL;
	uint64_t sum = more_bytes;
	struct stat st;
	size_t n;

	for (int fd = 1; fd <= 2; fd++) {
		if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
			sum += (uint64_t)st.st_size;
	}
	if (cr_proc_tree(job->root, &pids, &n, NULL) == 0) {
		for (size_t i = 0; i < n; i++)
			sum += cr_proc_memory(pids[i]);
	}
	return sum > past_bytes ? sum : past_bytes;
}

int capture_start(struct capture *c, const struct job *job, uint32_t generation, const char *dir, uint32_t past,
		  uint64_t past_bytes, uint64_t more_bytes, struct cr_error *err)
{
	struct setup setup = {.job = job,
			      .generation = generation,
			      .dir = dir,
			      .past = past,
			      .expected = expected_bytes(job, past_bytes, more_bytes)};
	struct imgproc_message m;

	*c = (struct capture){0};
	if (imgproc_start(&c->proc, job->capture, taker_main, &setup, err) < 0)
		return -1;
	c->proc.job = job;
	if (imgproc_next(&c->proc, &m, NULL, -1, err) < 0)
		return -1;
	return imgproc_want(&m, IMGPROC_READY, err) < 0 ? -1 : imgproc_untraced(&c->proc, err);
}

int capture_criu(struct capture *c, pid_t pid, struct cr_error *err)
{
	return imgproc_criu(&c->proc, pid, err);
}

int capture_stream(struct capture *c, const char *name, struct cr_error *err)
{
	return imgproc_stream(&c->proc, name, 1, err);
}

int capture_barrier(struct capture *c, struct cr_error *err)
{
	struct imgproc_message m = {.type = IMGPROC_BARRIER};

	if (imgproc_send(c->proc.fd, &m, -1, err) < 0) {
		(void)imgproc_failure(&c->proc, IMGPROC_WORDS_MS, err);
		return -1;
	}
	if (imgproc_expect(&c->proc, IMGPROC_STAGED, &m, err) < 0)
		return -1;
	c->image_bytes = m.value[0];
	return 0;
}

int capture_late(struct capture *c, bool polite, struct cr_error *err)
{
	const struct imgproc_message m = {.type = IMGPROC_LATE, .value = {polite}};

	return imgproc_send(c->proc.fd, &m, -1, err);
}

int capture_drain(struct capture *c, bool polite, struct cr_error *err)
{
	const struct imgproc_message m = {.type = IMGPROC_DRAIN, .value = {polite}};

	return imgproc_send(c->proc.fd, &m, -1, err);
}

int capture_hurry(struct capture *c, struct cr_error *err)
{
	const struct imgproc_message m = {.type = IMGPROC_HURRY};

	return imgproc_send(c->proc.fd, &m, -1, err);
}

int capture_wait(struct capture *c, int timeout_ms, struct cr_error *err)
{
	struct imgproc_message m;
	int rc = imgproc_receive(c->proc.fd, &m, NULL, timeout_ms, err);

	if (rc <= 0)
		return rc;
	if (imgproc_want(&m, IMGPROC_DONE, err) < 0)
		return -1;
	c->image_bytes = m.value[0];
	c->pack_bytes = m.value[1];
	c->index_bytes = m.value[2];
	c->paused_ms = m.value[3];
	return 1;
}

bool capture_stalled(const struct capture *c, struct capture_progress *progress)
{
	uint64_t cpu = cr_proc_cpu(c->proc.pid);
	int64_t now = cr_time_clock_ns(CLOCK_MONOTONIC);

	if (progress->since == 0 || cpu != progress->cpu)
		progress->since = now;
	progress->cpu = cpu;
	return now - progress->since > CR_PACE_STALL_S * INT64_C(1000000000);
}

void capture_end(struct capture *c)
{
	imgproc_end(&c->proc);
}
