/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* timers.h - timerfds: their moments, and expirations that nobody has read yet
 *
 * criu sets them anew by what was left: an absolute one up to a second early, one that was not armed at once, and
 * a periodic one that waits to be read never again. The moment itself is what counts, and the clocks go on: it is
 * noted, and set again before anything runs.
 */

#ifndef CR_INIT_TIMERS_H
#define CR_INIT_TIMERS_H

#include <stdbool.h>
#include <sys/types.h>

#include <jansson.h>

#include "error.h"

/* Those of pid, which stands still: [[FD, MOMENT, INTERVAL, TICKS, CLOCK, FLAGS], ...], MOMENT and INTERVAL in ns,
 * MOMENT 0 when it is not armed. NULL without memory. */
json_t *timers_take(pid_t pid);

/* Is it such a list? */
bool timers_ok(const json_t *timers);

int timers_apply(pid_t pid, const json_t *timers, struct cr_error *err);

#endif
