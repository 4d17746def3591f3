/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* ticket.h - the name of a ticket for a drain token, and whose turn it is by it
 *
 * No file, no clock: what token.c decides by, and the simulator (tests/sim) with it. The format is in token.h.
 */

#ifndef CR_TICKET_H
#define CR_TICKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CR_TICKET_WAITS 'w'
#define CR_TICKET_HOLDS 'h'

/* Where the fields begin. */
#define CR_TICKET_UNSAVED 2
#define CR_TICKET_JOB	  13
#define CR_TICKET_PART	  24

#define CR_TICKET_PART_LENGTH 31

/* All of a waiting ticket's name but what is random at its end. More unsaved work than ten digits can say counts
 * as that. */
void cr_ticket_prefix(char *buf, size_t size, uint64_t unsaved_s, uint32_t job, const char *part);

/* Is it a's turn before b's? More unsaved work first, then the name. */
bool cr_ticket_before(const char *a, const char *b);

/* Does this ticket, which is alive and another's, stand in the way of mine? Who holds a token does; with waiters,
 * also who waits and comes before me. I may take a token when fewer than the limit do. */
bool cr_ticket_in_way(const char *name, const char *mine, bool waiters);

#endif
