/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "serve.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "image.h"
#include "streamer.h"

#define PIPE_BYTES (1 << 20)
#define AT_ONCE	   (4u << 20) /* bytes written to one pipe before the others are looked at */

/* A stream on its way. */
struct output {
	int fd;
	struct cr_image_reader *reader;
	const char *data;
	size_t left;
	uint64_t written;
	int64_t stream;
	bool tell; /* the worker waits for its end */
};

struct giver {
	const struct job *job;
	int control, listening, criu_fd;
	pid_t criu;
	struct cr_image *image;
	struct output *outputs;
	struct pollfd *polls; /* three of our own, and one for each output */
	size_t n, room;
};

/* ---- the process ---- */

static int output_add(struct giver *g, int64_t stream, int fd, bool tell, struct cr_error *err)
{
	struct output out = {.fd = fd, .stream = stream, .tell = tell};

	if (g->n == g->room) {
		size_t room = g->room ? 2 * g->room : 16;
		struct output *outputs = reallocarray(g->outputs, room, sizeof(*outputs));
		struct pollfd *polls = outputs ? reallocarray(g->polls, room + 3, sizeof(*polls)) : NULL;

		if (outputs)
			g->outputs = outputs;
		if (!polls)
			return cr_error_sys(err, ENOMEM, "image reader");
		g->polls = polls;
		g->room = room;
	}
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return cr_error_sys(err, errno, "image reader");
	if (cr_image_stream_size(g->image, (size_t)stream) >= PIPE_BYTES)
		(void)fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES); /* fewer wake-ups */
	if (cr_image_reader_open(&out.reader, g->image, (size_t)stream, err) < 0)
		return -1;
	g->outputs[g->n++] = out;
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
			rc = cr_image_reader_next(out->reader, &data, &out->left, err);
			if (rc <= 0)
				return rc < 0 ? -1 : 1;
			out->data = data;
		}
		n = write(out->fd, out->data, out->left);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0)
			return errno == EPIPE ? 1 : cr_error_sys(err, errno, "a pipe of criu's");
		out->data += n;
		out->left -= (size_t)n;
		out->written += (uint64_t)n;
		sum += (size_t)n;
	}
	return 0;
}

static int output_end(struct giver *g, const struct output *out, struct cr_error *err)
{
	struct imgproc_message m = {.type = IMGPROC_STREAMED, .value = {out->written}};

	close(out->fd);
	cr_image_reader_close(out->reader);
	if (!out->tell)
		return 0;
	snprintf(m.text, sizeof(m.text), "%s", cr_image_stream_name(g->image, (size_t)out->stream));
	return imgproc_send(g->control, &m, -1, err);
}

static int outputs_serve(struct giver *g, size_t polled, struct cr_error *err)
{
	for (size_t i = polled; i-- > 0;) {
		struct output out;
		int rc;

		if (!g->polls[3 + i].revents)
			continue;
		rc = output_write(&g->outputs[i], err);
		if (rc < 0)
			return -1;
		if (rc == 0)
			continue;
		out = g->outputs[i];
		g->outputs[i] = g->outputs[--g->n];
		g->polls[3 + i] = g->polls[3 + g->n];
		if (output_end(g, &out, err) < 0)
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
	snprintf(path, sizeof(path), "images/%s", name);
	stream = cr_image_find(g->image, path);
	if (cr_streamer_reply(g->criu_fd, stream >= 0, err) < 0)
		return -1;
	if (stream < 0)
		return 0;
	fd = cr_streamer_pipe(g->criu_fd, err);
	return fd < 0 ? -1 : output_add(g, stream, fd, false, err);
}

static int criu_accept(struct giver *g, struct cr_error *err)
{
	g->criu_fd = imgproc_accept(g->listening, g->criu);
	if (g->criu_fd < 0)
		return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED
			       ? 0
			       : cr_error_sys(err, errno, "criu's connection");
	close(g->listening);
	g->listening = -1;
	return 0;
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
	if (m.type != IMGPROC_STREAM || fd < 0)
		return cr_error_set(err, EPROTO, "the worker said %u", m.type);
	stream = cr_image_find(g->image, m.text);
	if (stream < 0)
		return cr_error_set(err, ENOENT, "generation %u has no %s", g->job->generation, m.text);
	return output_add(g, stream, fd, true, err);
}

static int giver_once(struct giver *g, struct cr_error *err)
{
	size_t n = g->n;

	g->polls[0] = (struct pollfd){.fd = g->control, .events = POLLIN};
	g->polls[1] = (struct pollfd){.fd = g->criu_fd, .events = POLLIN};
	g->polls[2] = (struct pollfd){.fd = g->criu ? g->listening : -1, .events = POLLIN};
	for (size_t i = 0; i < n; i++)
		g->polls[3 + i] = (struct pollfd){.fd = g->outputs[i].fd, .events = POLLOUT};
	if (poll(g->polls, 3 + n, -1) < 0)
		return errno == EINTR ? 0 : cr_error_sys(err, errno, "poll");
	if (g->polls[2].revents && criu_accept(g, err) < 0)
		return -1;
	if (outputs_serve(g, n, err) < 0)
		return -1;
	if (g->polls[1].revents && criu_serve(g, err) < 0)
		return -1;
	return g->polls[0].revents ? control_serve(g, err) : 0;
}

static int giver_run(struct giver *g, struct cr_error *err)
{
	const struct imgproc_message ready = {.type = IMGPROC_READY};

	g->polls = calloc(3, sizeof(*g->polls));
	if (!g->polls)
		return cr_error_sys(err, ENOMEM, "image reader");
	if (cr_image_open(&g->image, &g->job->store, g->job->generation, err) < 0)
		return -1;
	g->listening = cr_streamer_listen(g->job->home, CR_STREAMER_SERVE, err);
	if (g->listening < 0 || imgproc_send(g->control, &ready, -1, err) < 0)
		return -1;
	while (giver_once(g, err) == 0)
		;
	return -1;
}

static void giver_main(int fd, void *arg)
{
	struct giver g = {.job = arg, .control = fd, .listening = -1, .criu_fd = -1};
	struct imgproc_message m = {.type = IMGPROC_FAILED};
	struct cr_error err;

	(void)prctl(PR_SET_NAME, "crreader"); /* for ps and top */
	(void)giver_run(&g, &err);
	m.value[0] = (uint64_t)err.errnum;
	snprintf(m.text, sizeof(m.text), "%s", err.text);
	(void)imgproc_send(fd, &m, -1, NULL);
	_exit(0);
}

/* ---- the worker's side ---- */

int serve_start(struct serve *s, const struct job *job, struct cr_error *err)
{
	struct imgproc_message m;

	*s = (struct serve){0};
	if (imgproc_start(&s->proc, giver_main, (void *)(uintptr_t)job, err) < 0)
		return -1;
	return imgproc_expect(&s->proc, IMGPROC_READY, &m, err);
}

int serve_criu(struct serve *s, pid_t pid, struct cr_error *err)
{
	const struct imgproc_message m = {.type = IMGPROC_CRIU, .value = {(uint64_t)pid}};

	return imgproc_send(s->proc.fd, &m, -1, err);
}

int serve_stream(struct serve *s, const char *name, struct cr_error *err)
{
	struct imgproc_message m = {.type = IMGPROC_STREAM};
	int fds[2], rc;

	snprintf(m.text, sizeof(m.text), "%s", name);
	if (pipe2(fds, O_CLOEXEC) < 0)
		return cr_error_sys(err, errno, "pipe");
	rc = imgproc_send(s->proc.fd, &m, fds[1], err);
	close(fds[1]);
	if (rc == 0)
		return fds[0];
	close(fds[0]);
	return -1;
}

int serve_streamed(struct serve *s, struct cr_error *err)
{
	struct imgproc_message m;

	return imgproc_expect(&s->proc, IMGPROC_STREAMED, &m, err);
}

int serve_failure(struct serve *s, struct cr_error *err)
{
	return imgproc_failure(&s->proc, err);
}

void serve_end(struct serve *s)
{
	imgproc_end(&s->proc);
}
