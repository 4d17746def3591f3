/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* inflight.h - connections that are just being made, or that one end has closed with something still on its way
 *
 * No process has them, so they are in no image. Most are over within microseconds: a checkpoint that met one is
 * tried again a moment later.
 */

#ifndef CR_INIT_INFLIGHT_H
#define CR_INIT_INFLIGHT_H

#include <stdbool.h>

#include "job.h"

/* Is it one that criu's log of this dump says it failed for; or an open /dev/tty, or a corked UDP socket, which
 * most programs have for a moment alone? */
bool inflight_said(const struct job *job);

/* While the tree stands still, in a network of the job's own: 0, or -1 with errnum EAGAIN and the first one that
 * would be lost. */
int inflight_look(const struct job *job, struct cr_error *err);

#endif
