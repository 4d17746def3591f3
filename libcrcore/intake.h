/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* intake.h - a ring of buffers between the thread that reads criu's pipes and the one that looks at what came
 *
 * What lies in a buffer has been copied: it belongs to the instant of the freeze, whatever happens to the job's
 * memory afterwards. With a ring that holds all of it the job stands still for the copying alone.
 */

#ifndef CR_INTAKE_H
#define CR_INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

#define CR_INTAKE_BUFFER (128u << 10)
#define CR_INTAKE_LEAST	 4u /* buffers */

struct cr_intake;

/* Called in a thread of the intake's, which stands back (cr_pace_lower), in the order of cr_intake_put; end: it
 * was the last of that stream. After an error it is not called again. */
typedef int (*cr_intake_take)(void *arg, void *stream, void *data, size_t size, bool end, struct cr_error *err);

/* When the thread works. */
enum cr_intake_mode {
	CR_INTAKE_FULL, /* when the ring is nearly full: the processors are for who fills it */
	CR_INTAKE_HOLD, /* not at all */
	CR_INTAKE_GO,	/* whenever there is something */
};

/* bytes: of the ring, at least CR_INTAKE_LEAST buffers are made. All of it has been touched when this returns. */
int cr_intake_open(struct cr_intake **intake, uint64_t bytes, enum cr_intake_mode mode, cr_intake_take take,
		   void *arg, struct cr_error *err);

void cr_intake_set(struct cr_intake *intake, enum cr_intake_mode mode);

/* An empty buffer of CR_INTAKE_BUFFER bytes; waits for one (no longer than CR_PACE_STALL_S for a taker
 * that takes nothing), fails when take has. Valid until cr_intake_put. */
int cr_intake_room(struct cr_intake *intake, void **at, struct cr_error *err);

/* Hand on size bytes of that buffer. */
int cr_intake_put(struct cr_intake *intake, void *stream, size_t size, bool end, struct cr_error *err);

/* Set CR_INTAKE_GO, and wait until everything that was put has been taken. Returns take's error, if there was one.
 */
int cr_intake_settle(struct cr_intake *intake, struct cr_error *err);

/* End the thread; what was not taken is dropped. NULL is fine. */
void cr_intake_close(struct cr_intake *intake);

#endif
