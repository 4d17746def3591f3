/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <jansson.h>

#include "cleanup.h"

int control_open(struct control *c, const struct job *job, struct cr_error *err)
{
	int flags = fcntl(job->control, F_GETFL);

	c->fd = -1;
	for (int i = 0; i < CONTROL_CLIENTS; i++)
		c->clients[i].fd = -1;
	if (flags < 0 || fcntl(job->control, F_SETFL, flags | O_NONBLOCK) < 0)
		return cr_error_sys(err, errno, "listening at %s/%s.sock", job->run_dir, job->part);
	c->fd = job->control;
	return 0;
}

int control_poll(const struct control *c, struct pollfd *fds)
{
	int n = 0;

	if (c->fd >= 0)
		fds[n++] = (struct pollfd){.fd = c->fd, .events = POLLIN};
	for (int i = 0; i < CONTROL_CLIENTS; i++) {
		if (c->clients[i].fd >= 0 && c->clients[i].verb == CONTROL_NONE)
			fds[n++] = (struct pollfd){.fd = c->clients[i].fd, .events = POLLIN};
	}
	return n;
}

static void client_close(struct control_client *client)
{
	close(client->fd);
	memset(client, 0, sizeof(*client));
	client->fd = -1;
}

/* A line that fits into an empty socket buffer; whoever does not read it has lost it. */
void control_reply(struct control_client *client, json_t *reply)
{
	cleanup_free char *text = reply ? json_dumps(reply, JSON_COMPACT) : NULL;
	cleanup_free char *line = NULL;
	int n = text ? asprintf(&line, "%s\n", text) : -1;

	if (n < 0)
		line = NULL;
	else if (send(client->fd, line, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		errno = 0;
	json_decref(reply);
	client_close(client);
}

void control_take(struct control *c, enum control_verb verb)
{
	for (int i = 0; verb != CONTROL_NONE && i < CONTROL_CLIENTS; i++)
		if (c->clients[i].fd >= 0 && c->clients[i].verb == verb)
			c->clients[i].taken = true;
}

bool control_later(const struct control *c)
{
	for (int i = 0; i < CONTROL_CLIENTS; i++)
		if (c->clients[i].fd >= 0 && c->clients[i].turn)
			return false;
	return c->turns_due > 0;
}

void control_refuse_moves(struct control *c, const char *text)
{
	for (int i = 0; i < CONTROL_CLIENTS; i++) {
		struct control_client *client = &c->clients[i];

		if (client->fd >= 0 && !client->taken && client->verb == CONTROL_VACATE && client->moving.to[0])
			control_reply_error(client, text);
	}
}

struct moved control_moving(const struct control *c)
{
	for (int i = 0; i < CONTROL_CLIENTS; i++) {
		const struct control_client *client = &c->clients[i];

		if (client->fd >= 0 && client->taken && client->verb == CONTROL_VACATE && client->moving.to[0])
			return client->moving;
	}
	return (struct moved){0};
}

void control_answer(struct control *c, bool look, json_t *reply)
{
	for (int i = 0; i < CONTROL_CLIENTS; i++) {
		struct control_client *client = &c->clients[i];

		if (client->fd >= 0 && client->taken && (client->verb == CONTROL_ABLE) == look)
			control_reply(client, json_incref(reply));
	}
	json_decref(reply);
}

json_t *control_done(uint32_t generation, int64_t freeze_ms, uint64_t image_bytes)
{
	return json_pack("{s:b, s:I, s:I, s:I, s:s}", "ok", 1, "generation", (json_int_t)generation, "freeze_ms",
			 (json_int_t)freeze_ms, "image_bytes", (json_int_t)image_bytes, "state", "committed");
}

json_t *control_error(const char *text)
{
	return json_pack("{s:b, s:s}", "ok", 0, "error", text);
}

void control_reply_error(struct control_client *client, const char *text)
{
	control_reply(client, control_error(text));
}

void control_reply_status(struct control_client *client, uint32_t generation, const char *state)
{
	control_reply(client,
		      json_pack("{s:b, s:I, s:s}", "ok", 1, "generation", (json_int_t)generation, "state", state));
}

static void client_accept(struct control *c)
{
	struct control_client refused = {.fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)};
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (refused.fd < 0)
		return;
	if (getsockopt(refused.fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 ||
	    (peer.uid != getuid() && peer.uid != 0)) {
		control_reply_error(&refused, "only the job's user may ask");
		return;
	}
	for (int i = 0; i < CONTROL_CLIENTS; i++) {
		if (c->clients[i].fd < 0) {
			c->clients[i].fd = refused.fd;
			/* it has a pid in this namespace */
			c->clients[i].inside = peer.pid != 0;
			return;
		}
	}
	control_reply_error(&refused, "too many requests at once: try again");
}

/* Who is frozen with the job cannot wait here for the end of that. */
static void later_accept(struct control *c, struct control_client *client)
{
	char text[96];
	int n;

	client->turn = ++c->turns;
	client->used = 0;
	n = snprintf(text, sizeof(text), "{\"ok\":true,\"state\":\"accepted\",\"turn\":%u}\n", client->turn);
	if (send(client->fd, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) != n)
		errno = 0; /* it has hung up already */
}

/* Returns -1 when it says something of a node that cannot be meant. */
static int moving_parse(struct control_client *client, const json_t *request)
{
	const json_t *to = json_object_get(request, "to"), *was = json_object_get(request, "was");

	if (!to && !was)
		return 0;
	return moved_set(&client->moving, json_string_value(to), json_string_value(was));
}

static void line_parse(struct control *c, struct control_client *client)
{
	json_error_t ignored;
	json_t *request = json_loads(client->line, JSON_REJECT_DUPLICATES, &ignored);
	const char *verb = json_string_value(json_object_get(request, "verb"));

	if (verb && strcmp(verb, "create-later") == 0 && !client->turn)
		later_accept(c, client);
	else if (client->inside)
		/* it would be frozen while it waits for its own freeze */
		control_reply_error(client, "a process of the job's cannot ask for that: ask from outside of it");
	else if (verb && strcmp(verb, "create") == 0)
		client->verb = CONTROL_CREATE;
	else if (verb && strcmp(verb, "vacate") == 0 && moving_parse(client, request) == 0)
		client->verb = CONTROL_VACATE;
	else if (verb && strcmp(verb, "status") == 0)
		client->verb = CONTROL_STATUS;
	else if (verb && strcmp(verb, "able") == 0)
		client->verb = CONTROL_ABLE;
	else
		control_reply_error(client, "not a request that this crinit knows");
	json_decref(request);
}

static void client_read(struct control *c, struct control_client *client)
{
	ssize_t n = recv(client->fd, client->line + client->used, sizeof(client->line) - 1 - client->used, 0);
	char *end;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		if (client->turn > c->turns_due)
			c->turns_due = client->turn;
		client_close(client);
		return;
	}
	client->used += (size_t)n;
	client->line[client->used] = '\0';
	end = strchr(client->line, '\n');
	if (end) {
		*end = '\0';
		line_parse(c, client);
	} else if (client->used == sizeof(client->line) - 1)
		control_reply_error(client, "the request is too long");
}

void control_serve(struct control *c, const struct pollfd *fds, int n)
{
	for (int k = 0; k < n; k++) {
		if (!fds[k].revents)
			continue;
		if (fds[k].fd == c->fd) {
			client_accept(c);
			continue;
		}
		for (int i = 0; i < CONTROL_CLIENTS; i++) {
			if (c->clients[i].fd == fds[k].fd && c->clients[i].verb == CONTROL_NONE) {
				client_read(c, &c->clients[i]);
				break;
			}
		}
	}
}
