/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "shim_placed.h"

#include <errno.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define BITS (8 * sizeof(unsigned long))

int shim_placed_nodes(const char *text, unsigned long *nodes)
{
	memset(nodes, 0, SHIM_PLACED_NODES / 8);
	if (strcmp(text, "-") == 0)
		return 0;
	while (1) {
		char *end;
		unsigned long first, last;

		if (*text < '0' || *text > '9')
			return -1;
		first = last = strtoul(text, &end, 10);
		if (*end == '-' && end[1] >= '0' && end[1] <= '9')
			last = strtoul(end + 1, &end, 10);
		if (first > last || last >= SHIM_PLACED_NODES)
			return -1;
		for (; first <= last; first++)
			nodes[first / BITS] |= 1ul << first % BITS;
		if (*end != ',')
			return *end ? -1 : 0;
		text = end + 1;
	}
}

int shim_placed_parse(const char *text, const char **next, struct shim_placed *placed)
{
	char nodes[SHIM_PLACED_TEXT];
	int used = 0;

	*placed = (struct shim_placed){0};
	if (!*text)
		return 0;
	if (sscanf(text, "%d %d %lx %lx %d %d %255s %x%n", &placed->pid, &placed->tid, &placed->start,
		   &placed->end, &placed->lock, &placed->mode, nodes, &placed->personality, &used) != 8 ||
	    text[used] != '\n' || placed->pid <= 0 || placed->tid <= 0 || placed->start > placed->end ||
	    placed->lock < 0 || placed->lock > SHIM_PLACED_ON_FAULT || shim_placed_nodes(nodes, placed->nodes) < 0)
		return -1;
	*next = text + used + 1;
	return 1;
}

/* ---- putting back ---- */

static int make(const struct shim_calls *calls, pid_t tid, unsigned long at, const struct shim_call *call)
{
	long result;

	if (shim_call_make(calls, tid, at, SHIM_CALL_ALL, call, &result) < 0)
		return ENOSYS;
	return result < 0 && result > -4096 ? (int)-result : 0;
}

static bool nodes_any(const struct shim_placed *p)
{
	for (size_t i = 0; i < sizeof(p->nodes) / sizeof(p->nodes[0]); i++) {
		if (p->nodes[i])
			return true;
	}
	return false;
}

/* What is there already goes to where it belongs. */
static int policy_apply(const struct shim_calls *calls, const struct shim_placed *p, unsigned long at)
{
	const bool nodes = nodes_any(p);
	const unsigned long max = nodes ? SHIM_PLACED_NODES : 0, mode = (unsigned long)p->mode;
	struct shim_call call = {.number = SYS_set_mempolicy, .args = {mode, 0, max}, .where = 1};

	if (p->end)
		call = (struct shim_call){.number = SYS_mbind,
					  .args = {p->start, p->end - p->start, mode, 0, max, MPOL_MF_MOVE},
					  .where = 3};
	call.data = nodes ? p->nodes : NULL;
	call.size = sizeof(p->nodes);
	return make(calls, p->tid, at, &call);
}

int shim_placed_apply(const struct shim_calls *calls, const struct shim_placed *p)
{
	const unsigned long at = shim_call_at(calls, p->tid);
	const struct shim_call personal = {.number = SYS_personality, .args = {p->personality}};
	const struct shim_call lock = {
		.number = SYS_mlock2,
		.args = {p->start, p->end - p->start, p->lock == SHIM_PLACED_ON_FAULT ? MLOCK_ONFAULT : 0}};
	int rc, first = 0;

	if (!at)
		return ENOSYS;
	if (p->personality)
		first = make(calls, p->tid, at, &personal);
	if (p->mode >= 0 && (rc = policy_apply(calls, p, at)) && !first)
		first = rc;
	if (p->lock && (rc = make(calls, p->tid, at, &lock)) && !first)
		first = rc;
	return first;
}
