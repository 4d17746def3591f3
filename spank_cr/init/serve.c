/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "serve.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "edits.h"
#include "image.h"
#include "pipe.h"
#include "streamer.h"

#define AT_ONCE	   (4u << 20)  /* bytes moved or written before the others are looked at */
#define WRITE_MOST (64u << 10) /* for so long the pipe is locked */

struct setup {
	const struct job *job;
	const struct cr_manifest *m;
};

/* A stream on its way out of the store, into a pipe of our own. The filling thread's. */
struct output {
	int fd;
	struct cr_image_reader *reader;
	const char *data;
	size_t left;
	struct cr_criuedit_run *edit; /* NULL: it is handed over as it was stored */
};

/* And from there to whoever reads it, without copying: that pipe is locked while it is read, and the filling goes
 * on. */
struct mover {
	int in, out;
	bool wait_out;
	uint64_t moved;
	int64_t stream;
	bool tell; /* the worker waits for its end */
};

/* From the main to the filling thread. */
struct order {
	int64_t stream;
	int fd;
	bool raw; /* as it was stored: what criu is told otherwise is for criu alone */
};

struct giver {
	const struct job *job;
	const struct cr_manifest *m;
	int control, listening, criu_fd;
	pid_t criu;
	uint64_t served;	/* images that this criu has asked for */
	struct cr_image *image; /* its content is the filling thread's, its list of streams everybody's */
	int orders[2];		/* a pipe */

	struct mover *movers;
	struct pollfd *polls; /* three of our own, and one for each mover */
	size_t n, room;

	struct output *outputs;
	struct pollfd *output_polls; /* one of our own, and one for each output */
	size_t n_outputs, outputs_room;
	struct edits edits;
};

static _Noreturn void give_up(const struct giver *g, const struct cr_error *err)
{
	imgproc_fail(g->control, err);
	_exit(0);
}

/* ---- the filling thread ---- */

/* Its next piece, edited where there is something to be edited. */
static int output_next(struct output *out, const void **data, size_t *size, struct cr_error *err)
{
	return out->edit ? cr_criuedit_next(out->edit, data, size, err)
			 : cr_image_reader_next(out->reader, data, size, err);
}

static int output_add(struct giver *g, const struct order *order, struct cr_error *err)
{
	struct output out = {.fd = order->fd};

	if (imgproc_room((void **)&g->outputs, sizeof(out), &g->output_polls, 1, g->n_outputs, &g->outputs_room,
			 err) < 0 ||
	    cr_image_reader_open(&out.reader, g->image, (size_t)order->stream, err) < 0)
		return -1;
	if (!order->raw && edits_open(&out.edit, &g->edits, cr_image_stream_name(g->image, (size_t)order->stream),
				      out.reader, err) < 0)
		return -1;
	g->outputs[g->n_outputs++] = out;
	return 0;
}

/* Returns 1 when it has all been written, or nobody reads on. */
static int output_write(struct output *out, struct cr_error *err)
{
	for (size_t sum = 0; sum < AT_ONCE;) {
		const void *data;
		ssize_t n;
		int rc;

		if (out->left == 0) {
			rc = output_next(out, &data, &out->left, err);
			if (rc <= 0)
				return rc < 0 ? -1 : 1;
			out->data = data;
		}
		n = write(out->fd, out->data, out->left < WRITE_MOST ? out->left : WRITE_MOST);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0)
			return errno == EPIPE ? 1 : cr_error_sys(err, errno, "a pipe of the image reader's");
		out->data += n;
		out->left -= (size_t)n;
		sum += (size_t)n;
	}
	return 0;
}

/* The worker has asked for them. */
static int nameless_make(struct giver *g, struct cr_error *err)
{
	struct imgproc_message m = {.type = IMGPROC_NAMELESS};
	size_t i = 0;

	for (int n = 0; n < GHOSTS_NAMELESS_MAX; n++) {
		uint32_t id = 0;
		int fd = -1, next = edits_nameless(&g->edits, i, &fd, &id, err), rc;

		if (next < 0)
			return -1;
		if (next == 0)
			break;
		i = (size_t)next;
		m.value[0] = id;
		rc = imgproc_send(g->control, &m, fd, err);
		close(fd);
		if (rc < 0)
			return -1;
	}
	m.value[0] = 0;
	return imgproc_send(g->control, &m, -1, err);
}

static int outputs_once(struct giver *g, struct cr_error *err)
{
	struct order order;
	size_t n = g->n_outputs;

	g->output_polls[0] = (struct pollfd){.fd = g->orders[0], .events = POLLIN};
	for (size_t i = 0; i < n; i++)
		g->output_polls[1 + i] = (struct pollfd){.fd = g->outputs[i].fd, .events = POLLOUT};
	if (poll(g->output_polls, 1 + n, -1) < 0)
		return errno == EINTR ? 0 : cr_error_sys(err, errno, "poll");
	for (size_t i = n; i-- > 0;) {
		struct output *out = &g->outputs[i];
		int rc = g->output_polls[1 + i].revents ? output_write(out, err) : 0;

		if (rc < 0)
			return -1;
		if (rc == 0)
			continue;
		close(out->fd);
		cr_image_reader_close(out->reader);
		cr_criuedit_close(out->edit);
		*out = g->outputs[--g->n_outputs];
	}
	if (!g->output_polls[0].revents)
		return 0;
	if (read(g->orders[0], &order, sizeof(order)) != (ssize_t)sizeof(order))
		return cr_error_sys(err, errno, "image reader");
	if (order.stream < 0)
		return nameless_make(g, err);
	return output_add(g, &order, err);
}

static void *filler_main(void *arg)
{
	struct giver *g = arg;
	struct cr_error err;

	while (outputs_once(g, &err) == 0)
		;
	give_up(g, &err);
}

/* ---- the main thread ---- */

static int mover_add(struct giver *g, int64_t stream, int fd, bool tell, struct cr_error *err)
{
	struct mover mover = {.out = fd, .stream = stream, .tell = tell};
	struct order order = {.stream = stream, .raw = tell};
	int fds[2];

	if (imgproc_room((void **)&g->movers, sizeof(mover), &g->polls, 3, g->n, &g->room, err) < 0)
		return -1;
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return cr_error_sys(err, errno, "image reader");
	if (cr_image_stream_size(g->image, (size_t)stream) >= PIPE_LARGE) {
		/* fewer wake-ups */
		(void)pipe_grow(fd);
		(void)pipe_grow(fds[1]);
	}
	mover.in = fds[0];
	order.fd = fds[1];
	g->movers[g->n++] = mover;
	if (write(g->orders[1], &order, sizeof(order)) != (ssize_t)sizeof(order))
		return cr_error_sys(err, errno, "image reader");
	return 0;
}

/* Returns 1 when all has been moved, or nobody reads on. */
static int mover_move(struct mover *m, struct cr_error *err)
{
	for (size_t sum = 0; sum < AT_ONCE;) {
		ssize_t n = splice(m->in, NULL, m->out, NULL, PIPE_LARGE, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		int waiting = 0;

		if (n == 0)
			return 1;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			m->wait_out = ioctl(m->in, FIONREAD, &waiting) == 0 && waiting > 0;
			return 0;
		}
		if (n < 0)
			return errno == EPIPE ? 1 : cr_error_sys(err, errno, "a pipe of criu's");
		m->moved += (uint64_t)n;
		sum += (size_t)n;
	}
	return 0;
}

static int mover_end(struct giver *g, const struct mover *mover, struct cr_error *err)
{
	struct imgproc_message m = {.type = IMGPROC_STREAMED, .value = {mover->moved}};

	close(mover->in);
	close(mover->out);
	if (!mover->tell)
		return 0;
	snprintf(m.text, sizeof(m.text), "%s", cr_image_stream_name(g->image, (size_t)mover->stream));
	return imgproc_send(g->control, &m, -1, err);
}

static int movers_serve(struct giver *g, size_t polled, struct cr_error *err)
{
	for (size_t i = polled; i-- > 0;) {
		struct mover mover;
		int rc;

		if (!g->polls[3 + i].revents)
			continue;
		rc = mover_move(&g->movers[i], err);
		if (rc < 0)
			return -1;
		if (rc == 0)
			continue;
		mover = g->movers[i];
		g->movers[i] = g->movers[--g->n];
		if (mover_end(g, &mover, err) < 0)
			return -1;
	}
	return 0;
}

static int criu_serve(struct giver *g, struct cr_error *err)
{
	char name[CR_STREAMER_NAME], path[CR_STREAMER_NAME + 16];
	int rc = cr_streamer_request(g->criu_fd, name, err), fd;
	int64_t stream;

	if (rc == 0) {
		close(g->criu_fd);
		g->criu_fd = -1;
		return 0;
	}
	if (rc < 0)
		return -1;
	g->served++;
	snprintf(path, sizeof(path), "images/%s", name);
	stream = cr_image_find(g->image, path);
	if (cr_streamer_reply(g->criu_fd, stream >= 0, err) < 0)
		return -1;
	if (stream < 0)
		return 0;
	fd = cr_streamer_pipe(g->criu_fd, err);
	return fd < 0 ? -1 : mover_add(g, stream, fd, false, err);
}

static int control_serve(struct giver *g, struct cr_error *err)
{
	struct imgproc_message m;
	int64_t stream;
	int fd;

	if (imgproc_receive(g->control, &m, &fd, -1, err) < 0)
		return -1;
	if (m.type == IMGPROC_CRIU) {
		g->criu = (pid_t)m.value[0];
		return 0;
	}
	if (m.type == IMGPROC_NAMELESS) {
		const struct order order = {.stream = -1, .fd = -1};

		return write(g->orders[1], &order, sizeof(order)) == (ssize_t)sizeof(order)
			       ? 0
			       : cr_error_sys(err, errno, "image reader");
	}
	if (m.type == IMGPROC_SERVED) {
		m.value[0] = g->served;
		return imgproc_send(g->control, &m, -1, err);
	}
	if (m.type != IMGPROC_STREAM || fd < 0)
		return cr_error_set(err, EPROTO, "the worker said %u", m.type);
	stream = cr_image_find(g->image, m.text);
	if (stream < 0)
		return cr_error_set(err, ENOENT, "generation %u has no %s", g->job->generation, m.text);
	return mover_add(g, stream, fd, true, err);
}

static int giver_once(struct giver *g, struct cr_error *err)
{
	size_t n = g->n;

	g->polls[0] = (struct pollfd){.fd = g->control, .events = POLLIN};
	g->polls[1] = (struct pollfd){.fd = g->criu_fd, .events = POLLIN};
	g->polls[2] = (struct pollfd){.fd = g->criu ? g->listening : -1, .events = POLLIN};
	for (size_t i = 0; i < n; i++)
		g->polls[3 + i] = g->movers[i].wait_out
					  ? (struct pollfd){.fd = g->movers[i].out, .events = POLLOUT}
					  : (struct pollfd){.fd = g->movers[i].in, .events = POLLIN};
	if (poll(g->polls, 3 + n, -1) < 0)
		return errno == EINTR ? 0 : cr_error_sys(err, errno, "poll");
	if (g->polls[2].revents && imgproc_accept(&g->listening, g->criu, &g->criu_fd, err) < 0)
		return -1;
	if (movers_serve(g, n, err) < 0)
		return -1;
	if (g->polls[1].revents && criu_serve(g, err) < 0)
		return -1;
	return g->polls[0].revents ? control_serve(g, err) : 0;
}

static int giver_run(struct giver *g, struct cr_error *err)
{
	const struct imgproc_message ready = {.type = IMGPROC_READY};
	pthread_t filler;
	int rc;

	g->polls = calloc(3, sizeof(*g->polls));
	g->output_polls = calloc(1, sizeof(*g->output_polls));
	if (!g->polls || !g->output_polls)
		return cr_error_sys(err, ENOMEM, "image reader");
	if (cr_image_open(&g->image, &g->job->store, g->job->generation, err) < 0)
		return -1;
	g->edits = (struct edits){.job = g->job, .control = g->control, .m = g->m, .image = g->image};
	if (pipe2(g->orders, O_CLOEXEC) < 0)
		return cr_error_sys(err, errno, "pipe");
	rc = pthread_create(&filler, NULL, filler_main, g);
	if (rc != 0)
		return cr_error_sys(err, rc, "starting a thread");
	g->listening = IMGPROC_KEPT;
	if (imgproc_send(g->control, &ready, -1, err) < 0)
		return -1;
	while (giver_once(g, err) == 0)
		;
	return -1;
}

static void giver_main(int fd, void *arg)
{
	const struct setup *setup = arg;
	struct job job = *setup->job;
	struct giver g = {.job = &job, .m = setup->m, .control = fd, .listening = -1, .criu_fd = -1};
	struct cr_error err;

	/* what were these descriptors is none, or another thing */
	job.log = job.wire = job.notary = job.ask = -1;
	(void)prctl(PR_SET_NAME, "crreader"); /* for ps and top */
	(void)giver_run(&g, &err);
	give_up(&g, &err);
}

/* ---- the worker's side ---- */

int serve_start(struct serve *s, const struct job *job, const struct cr_manifest *manifest, struct cr_error *err)
{
	struct setup setup = {.job = job, .m = manifest};
	struct imgproc_message m;

	*s = (struct serve){0};
	if (imgproc_start(&s->proc, job->serve, giver_main, &setup, err) < 0)
		return -1;
	s->proc.job = job;
	if (imgproc_expect(&s->proc, IMGPROC_READY, &m, err) < 0)
		return -1;
	return imgproc_untraced(&s->proc, err);
}

int serve_criu(struct serve *s, pid_t pid, struct cr_error *err)
{
	return imgproc_criu(&s->proc, pid, err);
}

int serve_served(struct serve *s, struct cr_error *err)
{
	struct imgproc_message m = {.type = IMGPROC_SERVED};

	if (imgproc_send(s->proc.fd, &m, -1, err) < 0 || imgproc_expect(&s->proc, IMGPROC_SERVED, &m, err) < 0)
		return -1;
	if (m.value[0] == 0)
		return cr_error_set(err, EPERM, "criu has read its images from somebody else");
	return 0;
}

int serve_stream(struct serve *s, const char *name, struct cr_error *err)
{
	return imgproc_stream(&s->proc, name, 0, err);
}

int serve_streamed(struct serve *s, struct cr_error *err)
{
	struct imgproc_message m;

	return imgproc_expect(&s->proc, IMGPROC_STREAMED, &m, err);
}

int serve_nameless(struct serve *s, int fds[GHOSTS_NAMELESS_MAX], uint32_t ids[GHOSTS_NAMELESS_MAX],
		   struct cr_error *err)
{
	struct imgproc_message m = {.type = IMGPROC_NAMELESS};
	int n = 0, fd;

	if (imgproc_send(s->proc.fd, &m, -1, err) < 0)
		return -1;
	while (imgproc_next(&s->proc, &m, &fd, -1, err) > 0) {
		if (imgproc_want(&m, IMGPROC_NAMELESS, err) == 0 && m.value[0] == 0)
			return n;
		if (m.type != IMGPROC_NAMELESS || fd < 0 || n == GHOSTS_NAMELESS_MAX) {
			if (m.type == IMGPROC_NAMELESS)
				cr_error_set(err, EPROTO, "the image reader made no file without a name");
			break;
		}
		fds[n] = fd;
		ids[n++] = (uint32_t)m.value[0];
	}
	while (n > 0)
		close(fds[--n]);
	return -1;
}

int serve_failure(struct serve *s, int wait_ms, struct cr_error *err)
{
	return imgproc_failure(&s->proc, wait_ms, err);
}

void serve_end(struct serve *s)
{
	imgproc_end(&s->proc);
}
