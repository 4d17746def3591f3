/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* control.h - the socket at which scheckpoint asks: RUN-DIR/PART.sock
 *
 * One JSON object on one line each way. Requests: {"verb":"create"|"vacate"|"status"|"able"}. With "vacate"
 * there may be "to" and "was" (moved.h). Replies:
 * {"ok":true,"generation":7,"freeze_ms":120,"image_bytes":…,"state":"committed"} or {"ok":false,"error":"…"};
 * of "able" {"ok":true,"able":true,"blockers":0,"warnings":0,"findings":[{"pid":1004,"name":"python3","fd":5,
 * "kind":"io_uring","detail":"","remedy":"…","severity":"blocker","text":"…","more":0}],"partial":false}; more is
 * how many of the kind are not told. Only the job's user and root may connect. A process of the job's own may ask
 * for "create-later" alone, is told {"ok":true,"state":"accepted","turn":3}, and hangs up (inside.h).
 */

#ifndef CR_INIT_CONTROL_H
#define CR_INIT_CONTROL_H

#include <jansson.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "job.h"

#define CONTROL_CLIENTS 16
#define CONTROL_LINE	1024

enum control_verb { CONTROL_NONE, CONTROL_CREATE, CONTROL_VACATE, CONTROL_STATUS, CONTROL_ABLE };

struct control_client {
	int fd; /* -1: free */
	char line[CONTROL_LINE];
	size_t used;
	enum control_verb verb; /* once the line is complete */
	struct moved moving;	/* with CONTROL_VACATE */
	bool taken;		/* a worker, or a look, is at it */
	bool inside;		/* a process of the job's */
	unsigned turn;		/* of "create-later": it is to hang up before it is frozen; 0: of another verb */
};

struct control {
	int fd;
	struct control_client clients[CONTROL_CLIENTS];
	/* of "create-later": the newest; those who have hung up, and wait; those that a checkpoint is made for */
	unsigned turns, turns_due, turns_taken;
};

/* At the listening socket that T has made. */
int control_open(struct control *c, const struct job *job, struct cr_error *err);

/* Descriptors to poll: at most CONTROL_CLIENTS + 1. Returns how many. */
int control_poll(const struct control *c, struct pollfd *fds);

/* Accept, read, answer what is wrong. A request that is complete shows as its client's verb. */
void control_serve(struct control *c, const struct pollfd *fds, int n);

/* Any object; the reference is taken. */
void control_reply(struct control_client *client, json_t *reply);

/* What begins now serves those who have asked for verb by now, and nobody who asks later. */
void control_take(struct control *c, enum control_verb verb);

/* Has somebody asked who has hung up by now, as all have who asked that way? */
bool control_later(const struct control *c);
/* It cannot be noted any more where those who ask for a vacate now want the job to go. */
void control_refuse_moves(struct control *c, const char *text);

/* Where those who have asked for the vacate that begins now want the job to go. */
struct moved control_moving(const struct control *c);

/* To all that wait for what has begun, a look or a checkpoint; the reference is taken. */
void control_answer(struct control *c, bool look, json_t *reply);

json_t *control_done(uint32_t generation, int64_t freeze_ms, uint64_t image_bytes);
json_t *control_error(const char *text);

void control_reply_error(struct control_client *client, const char *text);
void control_reply_status(struct control_client *client, uint32_t generation, const char *state);

#endif
