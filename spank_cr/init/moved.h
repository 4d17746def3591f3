/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* moved.h - a job that "scheckpoint vacate --to" has sent to a node is bound to that node, but not for ever
 *
 * Slurm knows the node as the job's ReqNodeList, which it takes for pending jobs alone. So it cannot be taken back
 * while the job runs there. crinit does it when the job is requeued the next time, between Slurm's signal and the
 * job's end: slurmctld has it as pending by then. The journal tells that it was sent, and what it had asked for
 * before: event "moved" with the node as text and the earlier list as reason. "unbound" takes that back.
 *
 * Nobody can do it when the node is lost: the job then waits for it, and "scontrol update JobId=ID ReqNodeList="
 * sends it elsewhere.
 */

#ifndef CR_INIT_MOVED_H
#define CR_INIT_MOVED_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"

struct job;

struct moved {
	char to[64];   /* "": not moved */
	char was[256]; /* ReqNodeList until then, "" for none */
};

/* From a request. -1: these are no names of nodes. */
int moved_set(struct moved *moved, const char *to, const char *was);

/* The checkpoint for job->moving is committed: note it. */
void moved_note(const struct job *job, uint32_t generation);

/* What the journal says: moved->to is "" when the job is not bound. */
int moved_read(const struct job *job, struct moved *moved, struct cr_error *err);

/* The job is requeued and being ended: what binds it goes, unless it is for this very start. */
void moved_release(const struct job *job);

/* It has been released, by somebody who has asked slurmctld himself. */
void moved_released(const struct job *job);

#endif
