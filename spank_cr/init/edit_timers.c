/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "edits.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "proto/core.pb-c.h"

/* The clock of the processor time of a thread, as the kernel numbers them; of 0: of the caller. That of a process
 * lacks the 4; 3 in the last two bits is another thing, a device's. */
#define THREAD_CLOCK(tid)   (~(uint32_t)(tid) << 3 | 6)
#define CLOCK_OWNER(clock)  ((int32_t)~(uint32_t)((int32_t)(clock) >> 3))
#define IS_PROCESSOR(clock) ((int32_t)(clock) < 0 && ((clock) & 3) != 3)

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

/* Is its clock the processor time of what is gone? Nobody can make a timer of that any more. */
static bool clock_gone(const Criu__PosixTimerEntry *timer, const struct edits *edits)
{
	int32_t owner = CLOCK_OWNER(timer->clock_id);

	return IS_PROCESSOR(timer->clock_id) && owner && !thread_there(edits, owner);
}

/* It is there, and will never expire, as before. */
static bool timer_stop(Criu__PosixTimerEntry *timer)
{
	timer->clock_id = CLOCK_MONOTONIC;
	timer->it_sigev_notify = SIGEV_NONE;
	timer->has_notify_thread_id = false;
	timer->has_isec = timer->has_insec = timer->has_vsec = timer->has_vnsec = true;
	timer->isec = timer->insec = timer->vsec = timer->vnsec = 0;
	return true;
}

static bool timer_edit(Criu__PosixTimerEntry *timer, const struct edits *edits)
{
	if (clock_gone(timer, edits))
		return timer_stop(timer);
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
