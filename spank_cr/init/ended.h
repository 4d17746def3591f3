/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* ended.h - processes that had ended and were not waited for
 *
 * criu makes them again, with less than the whole of their wait status. It is noted while the job is frozen, and
 * told to the library in criu (shim.h) before the restore.
 */

#ifndef CR_INIT_ENDED_H
#define CR_INIT_ENDED_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <jansson.h>

#include "error.h"

/* Those among pids: [[PID, STATUS], ...], STATUS as wait(2) has it; or the signal that has stopped it. NULL
 * without memory. */
json_t *ended_take(const pid_t *pids, size_t n);
json_t *untold_take(const pid_t *pids, size_t n);

/* Is it such a list? None at all is one. */
bool ended_ok(const json_t *ended);

/* Leave what the library in criu is to know in directory dir; remove what is of no more use after the restore. */
int ended_tell(const char *dir, const json_t *ended, const json_t *untold, struct cr_error *err);
void ended_forget(const char *dir);

#endif
