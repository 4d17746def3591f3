/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* timers.h - timerfds that expire at a moment of the job's clocks
 *
 * criu sets them anew by what was left and the whole seconds of the time of day, up to a second early. The moment
 * itself is what counts, and the clocks go on: it is noted, and set again before anything runs.
 */

#ifndef CR_INIT_TIMERS_H
#define CR_INIT_TIMERS_H

#include <stdbool.h>
#include <sys/types.h>

#include <jansson.h>

#include "error.h"

/* Those of pid: [[FD, MOMENT, INTERVAL, TICKS], ...], the first two times in ns. NULL without memory. */
json_t *timers_take(pid_t pid);

/* Is it such a list? */
bool timers_ok(const json_t *timers);

int timers_apply(pid_t pid, const json_t *timers, struct cr_error *err);

#endif
