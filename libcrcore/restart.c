/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "restart.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "duration.h"
#include "timefmt.h"

void cr_restart_init(struct cr_restart *r, const struct cr_restart_limits *limits)
{
	*r = (struct cr_restart){.limits = *limits, .base_ms = -1, .far_ms = -1};
}

/* ---- what is known of a generation ---- */

static const struct cr_restart_worn *worn_find(const struct cr_restart *r, uint32_t generation)
{
	for (int i = 0; i < r->n; i++)
		if (r->worn[i].generation == generation)
			return &r->worn[i];
	return NULL;
}

/* When there are too many, the lowest number is forgotten: the store has none that old any more. */
static struct cr_restart_worn *worn_get(struct cr_restart *r, uint32_t generation)
{
	const struct cr_restart_worn *found = worn_find(r, generation);
	int at = 0;

	if (found)
		return &r->worn[found - r->worn];
	if (r->n < CR_RESTART_KNOWN)
		at = r->n++;
	else
		for (int i = 1; i < r->n; i++)
			if (r->worn[i].generation < r->worn[at].generation)
				at = i;
	r->worn[at] = (struct cr_restart_worn){.generation = generation};
	return &r->worn[at];
}

/* ---- a start, from its first event to what came after it ---- */

static void start_open(struct cr_restart *r, const struct cr_journal_event *e, uint32_t generation)
{
	r->open = true;
	r->run = e->run;
	r->restored = r->ended = r->stopped = r->newer = false;
	r->generation = generation;
	r->clock_ms = e->clock_ms;
	r->time_ms = cr_time_parse(e->time) / 1000000;
	r->reach_ms = -1;
	r->life_ms = -1;
	snprintf(r->node, sizeof(r->node), "%s", e->node);
	r->delayed = false;
}

/* How far into the job a clock reading is. */
static int64_t reach_of(const struct cr_restart *r, int64_t clock_ms)
{
	return r->base_ms >= 0 && clock_ms > 0 && clock_ms >= r->base_ms ? clock_ms - r->base_ms : -1;
}

static void reach_add(struct cr_restart *r, int64_t clock_ms)
{
	int64_t reach = reach_of(r, clock_ms);

	if (reach > r->reach_ms)
		r->reach_ms = reach;
}

/* It has a newer checkpoint, and one that is farther than where the job has ended before: a job that ends at the
 * same place each time makes checkpoints on the way there each time, too. */
static bool start_progressed(const struct cr_restart *r)
{
	if (!r->newer)
		return false;
	return r->far_ms < 0 || r->reach_ms < 0 || r->reach_ms > r->far_ms + r->limits.soon * 1000;
}

/* The node is lost, or crinit was killed: nobody wrote how it ended. In the middle of a restore that is the
 * generation's doing. Later it is bad luck, unless another node is lost with the same one before anything newer is
 * committed. */
static void start_lost(struct cr_restart *r)
{
	struct cr_restart_worn *w;

	if (!r->generation)
		return;
	w = worn_get(r, r->generation);
	if (!r->restored || (w->lost[0] && strcmp(w->lost, r->node) != 0)) {
		w->deaths++;
		r->row++;
		r->died_ms = r->time_ms;
	}
	snprintf(w->lost, sizeof(w->lost), "%s", r->node);
}

static void start_close(struct cr_restart *r)
{
	bool progressed;

	if (!r->open)
		return;
	r->open = false;
	progressed = start_progressed(r);
	if (r->ended && r->reach_ms > r->far_ms)
		r->far_ms = r->reach_ms;
	if (progressed) {
		r->starts = r->row = r->n = 0;
		r->gave_up = false;
		return;
	}
	if (r->stopped)
		return; /* Slurm's wish, or the admin's, or the user's: nobody's fault */
	r->starts++;
	if (!r->ended && !r->newer)
		start_lost(r);
	else if (r->ended && r->life_ms >= 0 && r->life_ms < r->limits.soon * 1000) {
		r->row++;
		r->died_ms = r->time_ms + r->life_ms;
		if (!r->newer && r->generation)
			worn_get(r, r->generation)->deaths++;
	} else
		r->row = 0;
}

static void forget(struct cr_restart *r, bool gave_up)
{
	const struct cr_restart old = *r;

	cr_restart_init(r, &old.limits);
	r->base_ms = old.base_ms;
	r->completed = old.completed;
	r->started = old.started;
	r->told = old.told;
	r->gave_up = gave_up;
}

/* ---- events ---- */

bool cr_restart_late(const struct cr_journal_event *e, uint32_t *started)
{
	bool start = strcmp(e->event, "start") == 0;

	if (start && e->reason && strcmp(e->reason, CR_JOURNAL_CONFIRMED) == 0)
		*started = e->restart;
	else if ((start || strcmp(e->event, "fresh") == 0 || strcmp(e->event, "restored") == 0) &&
		 e->restart > *started)
		*started = e->restart;
	return e->restart < *started;
}

/* A restore is open from its attempt on; what is restored from a newer generation tells of the start before. */
static void event_restore(struct cr_restart *r, const struct cr_journal_event *e)
{
	bool again = r->open && !r->restored && r->generation == e->generation && !r->ended;

	if (r->open && !again && e->generation > r->generation && e->run >= r->run) {
		r->newer = true;
		reach_add(r, e->clock_ms);
	}
	if (!again || strcmp(e->event, "restoring") == 0) {
		start_close(r);
		start_open(r, e, e->generation);
	}
	if (strcmp(e->event, "restored") == 0) {
		r->restored = true;
		r->clock_ms = e->clock_ms;
		r->time_ms = cr_time_parse(e->time) / 1000000;
	}
}

static void event_end(struct cr_restart *r, const struct cr_journal_event *e)
{
	int64_t time_ms = cr_time_parse(e->time) / 1000000;

	r->newer = r->newer || e->generation > r->generation;
	if (strcmp(e->event, "stopped") == 0) {
		r->stopped = true;
		return;
	}
	r->ended = true;
	r->stopped = false;
	reach_add(r, e->clock_ms);
	/* the job's own clock, when both are of it: nobody sets that one */
	r->life_ms =
		r->clock_ms > 0 && e->clock_ms >= r->clock_ms ? e->clock_ms - r->clock_ms : time_ms - r->time_ms;
}

int cr_restart_event(const struct cr_journal_event *e, void *restart)
{
	struct cr_restart *r = restart;
	const char *name = e->event;

	if (cr_restart_late(e, &r->started))
		return 0;
	r->told = e->restart;
	if (strcmp(name, "completed") == 0 && e->run > r->completed)
		r->completed = e->run;
	if (strcmp(name, "restoring") == 0 || strcmp(name, "restored") == 0) {
		event_restore(r, e);
	} else if (strcmp(name, "fresh") == 0) {
		start_close(r);
		start_open(r, e, 0);
		r->restored = true;
		r->base_ms = e->clock_ms > 0 ? e->clock_ms : -1;
	} else if (strcmp(name, "restore-failed") == 0) {
		r->open = r->open && r->restored;
	} else if (strcmp(name, "stopping") == 0) {
		r->stopped = r->open; /* Slurm need not leave it the time to say that it has stopped */
	} else if (r->open && (strcmp(name, "ended") == 0 || strcmp(name, "stopped") == 0)) {
		event_end(r, e);
	} else if (strcmp(name, "completed") == 0 || strcmp(name, "held") == 0) {
		forget(r, false); /* it is done, or somebody will look at it */
	} else if (strcmp(name, "gave-up") == 0) {
		forget(r, true);
	} else if (strcmp(name, "delayed") == 0) {
		r->delayed = true;
	}
	return 0;
}

void cr_restart_newest(struct cr_restart *r, const struct cr_manifest *newest)
{
	bool counts = newest && newest->run > r->completed && newest->run >= r->run;

	if (counts && newest->restart > r->told)
		r->told = newest->restart;
	if (counts && r->open && newest->generation > r->generation) {
		r->newer = true;
		reach_add(r, newest->monotonic_ns / 1000000);
	}
	start_close(r);
}

/* ---- what follows ---- */

bool cr_restart_spent(const struct cr_restart *r, uint32_t generation, char *why, size_t size)
{
	const struct cr_restart_worn *w = worn_find(r, generation);
	char soon[64];

	if (!w || w->deaths < r->limits.tries)
		return false;
	snprintf(why, size, "the job was over within %s of each of %d restores from it",
		 cr_duration_format(r->limits.soon, soon, sizeof(soon)), w->deaths);
	return true;
}

bool cr_restart_over(const struct cr_restart *r, char *why, size_t size)
{
	if (r->starts <= r->limits.cap)
		return false;
	snprintf(why, size, "it was started %d times in a row and has not got any further", r->starts);
	return true;
}

bool cr_restart_silent(const struct cr_restart *r, uint32_t restart, char *why, size_t size)
{
	if (restart <= r->told || restart - r->told <= (uint32_t)r->limits.cap)
		return false;
	snprintf(why, size,
		 "it was started %" PRIu32 " times and left neither a checkpoint nor a line in its journal",
		 restart - r->told);
	return true;
}

int64_t cr_restart_wait(const struct cr_restart *r, int64_t now_ms)
{
	int64_t delay = r->limits.delay, left;

	if (r->row == 0 || r->delayed || delay <= 0)
		return 0;
	for (int i = 1; i < r->row && delay < CR_RESTART_DELAY_MAX; i++)
		delay *= 2;
	if (delay > CR_RESTART_DELAY_MAX)
		delay = CR_RESTART_DELAY_MAX;
	left = (r->died_ms + delay * 1000 - now_ms + 999) / 1000;
	/* clocks of nodes differ, and are set */
	return left < 0 ? 0 : left > delay ? delay : left;
}

enum cr_fallback cr_restart_fallback(const struct cr_restart *r, enum cr_fallback wish, bool over)
{
	if ((over && wish == CR_FALLBACK_FRESH) || (wish == CR_FALLBACK_FAIL && r->gave_up))
		return CR_FALLBACK_HOLD;
	return wish;
}

/* ---- whose fault ---- */

enum cr_blame cr_restart_blame(int errnum, const char *text)
{
	/* what criu's log says of it, after "Error (" */
	static const char *const node[] = {
		"Cannot allocate memory",
		"No space left on device",
		"Address already in use",
		"Too many open files",
		"Resource temporarily unavailable",
		"File exists",
		"was killed",
		"Device or resource busy",
	};

	switch (errnum) {
	case EBADMSG:
		return CR_BLAME_GENERATION;
	case ENOMEM:
	case ENOSPC:
	case EDQUOT:
	case EMFILE:
	case ENFILE:
	case EAGAIN:
	case EADDRINUSE:
	case ETIMEDOUT:
	case ECONNREFUSED: /* munged */
		return CR_BLAME_NODE;
	default:
		break;
	}
	for (size_t i = 0; i < sizeof(node) / sizeof(node[0]); i++)
		if (strstr(text, node[i]))
			return CR_BLAME_NODE;
	return CR_BLAME_NOBODY;
}

const char *cr_fallback_word(enum cr_fallback fallback)
{
	return fallback == CR_FALLBACK_FAIL ? "fail" : fallback == CR_FALLBACK_FRESH ? "fresh" : "hold";
}
