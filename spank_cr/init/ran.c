/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "ran.h"

#include <stdlib.h>
#include <time.h>

#include "cleanup.h"
#include "slot.h"

static void checkpoint_read(const struct job *job, struct cr_slot_past *past)
{
	cleanup_free uint32_t *generations = NULL;
	struct cr_manifest m = {0};
	char dir[PATH_MAX];
	size_t n = 0;

	if (cr_store_list(&job->store, &generations, &n, NULL) < 0 || n == 0)
		return;
	cr_store_path(&job->store, generations[0], dir);
	if (cr_manifest_read(&m, dir, NULL) == 0 && m.ran_ms > 0)
		cr_slot_checkpoint(past, m.restart, cr_time_parse(m.time), m.monotonic_ns / 1000000, m.ran_ms);
	cr_manifest_clear(&m);
}

static int event_read(const struct cr_journal_event *event, void *arg)
{
	int64_t time_ns = cr_time_parse(event->time);

	if (time_ns > 0)
		cr_slot_event(arg, event->restart, time_ns, event->clock_ms);
	return 0;
}

void ran_read(struct job *job)
{
	struct cr_slot_past past = {0};
	struct cr_error err;

	checkpoint_read(job, &past);
	if (cr_journal_each(&job->store, event_read, &past, &err) < 0)
		job_log(job, 1, "journal: %s", err.text);
	job->ran_ms = past.ran_ms;
}

void ran_begin(struct job *job)
{
	job->ran_from_ns = cr_time_clock_ns(CLOCK_MONOTONIC);
}

int64_t ran_ms(const struct job *job)
{
	if (!job->ran_from_ns)
		return job->ran_ms;
	return job->ran_ms + (cr_time_clock_ns(CLOCK_MONOTONIC) - job->ran_from_ns) / 1000000;
}
