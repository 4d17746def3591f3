/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* shim_placed.h - memory policies, ranges that are locked on fault, personalities: as crinit tells them to the
 * library in criu, and how they are put back
 *
 * A line "PROCESS THREAD START END LOCK MODE NODES PERSONALITY" each, addresses and the last in hex; LOCK 1:
 * mlock, 2: on fault; MODE as set_mempolicy(2) has it, -1: none; NODES as in "0,2-3", "-": none. START and END 0:
 * the thread itself, which alone has a personality. Nothing of libcrcore is here: all of it is loaded into criu.
 */

#ifndef CR_INIT_SHIM_PLACED_H
#define CR_INIT_SHIM_PLACED_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "shim_call.h"

#define SHIM_PLACED_MAX	  4096 /* of a job */
#define SHIM_PLACED_NODES 1024
#define SHIM_PLACED_TEXT  256 /* bytes of NODES */

enum { SHIM_PLACED_LOCKED = 1, SHIM_PLACED_ON_FAULT = 2 };

struct shim_placed {
	pid_t pid, tid;
	unsigned long start, end;
	int lock, mode;
	unsigned personality;
	unsigned long nodes[SHIM_PLACED_NODES / 8 / sizeof(unsigned long)];
	bool done;
};

/* One line, up to its end; *next is what follows. Returns 1, 0 at the end of the text, -1: not as it should be. */
int shim_placed_parse(const char *text, const char **next, struct shim_placed *placed);

/* Nodes as text into the bits; -1: not as they should be. */
int shim_placed_nodes(const char *text, unsigned long *nodes);

/* Have the thread, which is held, set it. Returns 0, what its calls failed with, or ENOSYS: none can be made. */
int shim_placed_apply(const struct shim_calls *calls, const struct shim_placed *placed);

#endif
