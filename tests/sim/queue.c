/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "queue.h"

#include <stdlib.h>

static bool comes_before(const struct queue *q, size_t a, size_t b)
{
	if (q->before)
		return q->before(&q->items[a], &q->items[b], q->arg);
	return q->items[a].key < q->items[b].key;
}

static void swap(struct queue *q, size_t a, size_t b)
{
	struct queue_item item = q->items[a];

	q->items[a] = q->items[b];
	q->items[b] = item;
}

int queue_put(struct queue *q, struct queue_item item)
{
	if (q->n == q->room) {
		size_t room = q->room ? 2 * q->room : 1024;
		struct queue_item *more = realloc(q->items, room * sizeof(*more));

		if (!more)
			return -1;
		q->items = more;
		q->room = room;
	}
	q->items[q->n] = item;
	for (size_t i = q->n++; i > 0 && comes_before(q, i, (i - 1) / 2); i = (i - 1) / 2)
		swap(q, i, (i - 1) / 2);
	return 0;
}

struct queue_item queue_take(struct queue *q)
{
	struct queue_item first = q->items[0];
	size_t i = 0;

	q->items[0] = q->items[--q->n];
	for (;;) {
		size_t least = i, left = 2 * i + 1;

		if (left < q->n && comes_before(q, left, least))
			least = left;
		if (left + 1 < q->n && comes_before(q, left + 1, least))
			least = left + 1;
		if (least == i)
			return first;
		swap(q, i, least);
		i = least;
	}
}

void queue_clear(struct queue *q)
{
	free(q->items);
	*q = (struct queue){0};
}
