/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* look.h - the look at the job's tree, by a child, as a look may take longer than pid 1 waits
 *
 * Some seconds after the job has started here, and whenever scheckpoint asks.
 */

#ifndef CR_INIT_LOOK_H
#define CR_INIT_LOOK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "preflight.h"

struct look {
	pid_t pid; /* of the child at work; 0: none */
	int fd;	   /* its words come here */
	size_t used;
	int64_t due_ns;	     /* CLOCK_MONOTONIC of the look of crinit's own; 0: there is none to come */
	int64_t deadline_ns; /* of the child */
	unsigned turn;	     /* how often criu had been at the tree when it began */
	struct cr_preflight found;
};

struct loop;

/* The job runs: the time until the look of crinit's own begins. */
void look_arm(struct loop *l);

/* The descriptor to poll, or -1. */
int look_fd(const struct loop *l);

/* Start a look when one is wanted, and tell what one has found. */
void look_serve(struct loop *l);

#endif
