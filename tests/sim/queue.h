/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* queue.h - what comes first: a heap of numbers, each with a key that only its comparison knows */

#ifndef SIM_QUEUE_H
#define SIM_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

struct queue_item {
	double key;
	unsigned node;
	unsigned what, stamp;
};

struct queue {
	struct queue_item *items;
	size_t n, room;
	/* NULL: by the key */
	bool (*before)(const struct queue_item *a, const struct queue_item *b, void *arg);
	void *arg;
};

/* Returns 0, or -1 without memory. */
int queue_put(struct queue *q, struct queue_item item);

/* The first; the queue is not empty. */
struct queue_item queue_take(struct queue *q);

void queue_clear(struct queue *q);

#endif
