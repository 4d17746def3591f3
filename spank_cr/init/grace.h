/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* grace.h - the time that Slurm grants a job before it kills it, against what a last checkpoint takes; only
 * numbers
 *
 * SIGTERM comes KillWait before SIGKILL (five seconds at least, whatever KillWait is). A job that is preempted in
 * a partition with GraceTime has that before, but its batch script is not told of it: doc/signals.md.
 */

#ifndef CR_INIT_GRACE_H
#define CR_INIT_GRACE_H

#include <stdbool.h>
#include <stdint.h>

#define GRACE_UNKNOWN INT64_MAX

/* What Slurm grants from the SIGTERM on, in ms. kill_wait_s -1: not known. */
int64_t grace_kill_ms(int64_t kill_wait_s);

/* How often slurmctld is asked whether a job's grace time has begun, in seconds. */
int64_t grace_period_s(int64_t grace_s);

/* The smallest KillWait, and beside kill_wait_s the smallest GraceTime, in which a checkpoint that takes lead_ms
 * is sure to be done; seconds, rounded up to ten. */
int64_t grace_kill_wait_for(int64_t lead_ms);
int64_t grace_time_for(int64_t lead_ms, int64_t kill_wait_s);

/* When to begin one, CLOCK_REALTIME in ms, with grace time until end_s: as late as can be. */
int64_t grace_moment_ms(int64_t end_s, int64_t kill_wait_s, int64_t lead_ms);

/* The loop's own. */
struct grace {
	bool warned;
	bool learn;    /* a checkpoint is wanted, to know how long one takes */
	bool measured; /* and was */
	bool begun;    /* the last one was */
	bool again;    /* and failed: once more, and not a third time */
};

#endif
