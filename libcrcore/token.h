/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* token.h - at most so many jobs of a site drain at once, the one with the most unsaved work first
 *
 * All there is between the nodes is a directory on shared storage, DIR/.drain, mode 01777. Each drainer has one
 *empty file in it, its ticket, whose name says everything:
 *
 *	w-0000000600-0000001234-batch.0-0123456789abcdef
 *	│ │          │          │       └ random
 *	│ │          │          └ part of the job
 *	│ │          └ job
 *	│ └ unsaved work, seconds
 *	└ w waits, h holds
 *
 * Its owner touches it every few seconds. A ticket counts while its time of modification is within a lease of that
 * of one's own, freshly touched one: the file system's clock decides, not the nodes'. Tickets of others are never
 * removed.
 *
 * Taking a token is a rename from w to h and then a second look. Of any two who take the last one at the same
 *time, the later to look sees the other, so there are never more holders than the limit, as long as every holder
 *keeps its lease. A holder that was stopped for longer than that is overtaken and may come back: slower for a
 *while, never wrong.
 *
 * Nothing here is locked: one thread at a time for each struct.
 */

#ifndef CR_TOKEN_H
#define CR_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"

#define CR_TOKEN_POLL_MS     1000  /* from one cr_token_try to the next, and up to half as much at random */
#define CR_TOKEN_BEAT_MS     5000  /* from one cr_token_beat to the next, at most */
#define CR_TOKEN_LEASE_MS    30000 /* a ticket not touched for so long does not count */
#define CR_TOKEN_PATIENCE_MS (10 * 60 * 1000) /* after so long the caller drains without a token */

#define CR_TOKEN_NAME 80

struct cr_token {
	int dir; /* descriptor of DIR/.drain; -1: not open */
	unsigned int limit;
	uint64_t lease_ms, patience_ms; /* set by cr_token_open; may be changed after it */
	bool held;
	uint64_t began_ms;	  /* CLOCK_MONOTONIC */
	char name[CR_TOKEN_NAME]; /* of the ticket; "": none */
};

/* Make DIR/.drain if need be (DIR has to exist) and a waiting ticket in it. limit is at least 1; part is made of
 * letters, digits, '.' and '_', at most 31 of them; more unsaved work than ten digits can say counts as that. A
 * .drain that is a symbolic link is refused. Of the same user and job, dead tickets are removed, and all of the
 * same part: there is one drainer for each, and whoever comes now follows one that was ended. On an error, here
 * and below, the caller says so and drains without a token; token can be given to cr_token_close. */
int cr_token_open(struct cr_token *token, const char *dir, unsigned int limit, uint32_t job, const char *part,
		  uint64_t unsaved_s, struct cr_error *err);

/* Returns 1 when the caller holds a token, 0 when not yet, -1 on error. Also a beat. */
int cr_token_try(struct cr_token *token, struct cr_error *err);

/* Touch the ticket, waiting or held. Fails with ENOENT when somebody has removed it. */
int cr_token_beat(struct cr_token *token, struct cr_error *err);

/* It has waited long enough: close it and drain without. A ticket that waits and never takes its turn would hold
 * up the others. Never true of a holder. */
bool cr_token_overdue(const struct cr_token *token);

/* Remove the ticket. May be called again, and after a failed open. */
void cr_token_close(struct cr_token *token);

/* Remove the tickets of the calling user in DIR/.drain that were not touched for several leases: those of jobs
 * that ended with their node. No such directory is fine. Returns how many were removed, or -1. */
int cr_token_gc(const char *dir, struct cr_error *err);

#endif
