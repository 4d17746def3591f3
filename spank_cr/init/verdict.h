/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* verdict.h - what a look at the job's tree (preflight.h) means for its checkpoints */

#ifndef CR_INIT_VERDICT_H
#define CR_INIT_VERDICT_H

#include <stdbool.h>

#include "error.h"
#include "job.h"
#include "preflight.h"

#define VERDICT_MAX 480 /* of a text: in an error the rest is criu's */

/* Look at the job's tree as it is now, for so many seconds at most. */
int verdict_look(const struct job *job, int seconds, struct cr_preflight *found, struct cr_error *err);

/* "pid 1004 python3, descriptor 5: an io_uring ring; REMEDY; and 2 more: scheckpoint able 7" into buf: the first
 * of the blockers. "" when there is none. */
void verdict_text(const struct job *job, const struct cr_preflight *found, char buf[VERDICT_MAX]);

/* Has nothing like text, but for its numbers, been told? Then it is noted as told. The one may go on behind the
 * other: what criu says of it. */
bool verdict_news(char told[VERDICT_MAX], const char *text);

/* Before a dump: -1 when there is no use in freezing the tree. criu's log then says what it would have met. */
int verdict_before(const struct job *job, int patience_ms, struct cr_error *err);

/* After one that failed, for the reason in err: name what is in the way before criu's words for it. */
void verdict_after(const struct job *job, struct cr_error *err);

#endif
