/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "edits.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "proto/core.pb-c.h"

/* The clock of the processor time of a thread, as the kernel numbers them; of 0: of the caller. */
#define THREAD_CLOCK(tid) (~(uint32_t)(tid) << 3 | 6)

/* Each thread has an image of its own. */
static bool thread_there(const struct edits *edits, int32_t tid)
{
	char name[64];

	snprintf(name, sizeof(name), "images/core-%" PRId32 ".img", tid);
	return edits->image && cr_image_find(edits->image, name) >= 0;
}

/* CLOCK_THREAD_CPUTIME_ID is that of whoever makes the timer, which will be the first thread. Of the others nobody
 * knows whose it was; one that signals a thread is that thread's. */
static bool clock_name(Criu__PosixTimerEntry *timer)
{
	if (timer->clock_id != THREAD_CLOCK(0))
		return false;
	timer->clock_id = THREAD_CLOCK(timer->notify_thread_id);
	return true;
}

static bool timer_edit(Criu__PosixTimerEntry *timer, const struct edits *edits)
{
	if (!(timer->it_sigev_notify & SIGEV_THREAD_ID))
		return false;
	if (thread_there(edits, timer->notify_thread_id))
		return clock_name(timer);
	timer->it_sigev_notify = SIGEV_NONE;
	timer->has_notify_thread_id = false;
	return true;
}

int edit_timers(ProtobufCMessage *message, struct cr_criuedit_entry *at, struct cr_error *err)
{
	const Criu__TaskCoreEntry *task = ((Criu__CoreEntry *)message)->tc;
	int rc = CR_CRIUEDIT_KEEP;

	(void)err;
	for (size_t i = 0; task && task->timers && i < task->timers->n_posix; i++) {
		if (timer_edit(task->timers->posix[i], at->arg))
			rc = CR_CRIUEDIT_CHANGED;
	}
	return rc;
}
