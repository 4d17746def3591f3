/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* placed.h - where the memory of a process is to be: memory policies, and ranges that are locked on fault; and its
 * personality
 *
 * criu saves none of them. Taken while the job is frozen; the library in criu (shim_placed.h) has them set at the
 * end of a restore in the name of the process itself, for nobody can from outside.
 */

#ifndef CR_INIT_PLACED_H
#define CR_INIT_PLACED_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "error.h"

struct job;

/* Add to a process of identity.json what it has that is not the default: "placed", [[THREAD, START, END, LOCK,
 * MODE, NODES, PERSONALITY]...]. proc is /proc, but in tests. *room is how many the job may have yet; of more
 * nothing is noted, and *room is -1 then. -1: no memory. */
int placed_put(const char *proc, pid_t pid, long *room, json_t *process);

/* Is that what "placed" may be? NULL is. */
bool placed_ok(const json_t *placed);

/* Tell the library in criu, by a file in dir, what the processes of identity.json have. Afterwards say in the
 * job's log what could not be put back. */
int placed_tell(const char *dir, const json_t *processes, struct cr_error *err);
void placed_settle(const struct job *job);

#endif
