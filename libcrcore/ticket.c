/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "ticket.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define UNSAVED_MAX UINT64_C(9999999999)

void cr_ticket_prefix(char *buf, size_t size, uint64_t unsaved_s, uint32_t job, const char *part)
{
	(void)snprintf(buf, size, "%c-%010" PRIu64 "-%010" PRIu32 "-%.*s", CR_TICKET_WAITS,
		       unsaved_s < UNSAVED_MAX ? unsaved_s : UNSAVED_MAX, job, CR_TICKET_PART_LENGTH, part);
}

bool cr_ticket_before(const char *a, const char *b)
{
	int order = strncmp(a + CR_TICKET_UNSAVED, b + CR_TICKET_UNSAVED, CR_TICKET_JOB - CR_TICKET_UNSAVED - 1);

	return order > 0 || (order == 0 && strcmp(a + CR_TICKET_JOB, b + CR_TICKET_JOB) < 0);
}

bool cr_ticket_in_way(const char *name, const char *mine, bool waiters)
{
	return name[0] != CR_TICKET_WAITS || (waiters && cr_ticket_before(name, mine));
}
