/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* intake.h - buffers between the thread that reads criu's pipes and the one that looks at what came
 *
 * A ring of a few buffers that stay in the processor's cache. What lies in one has been copied: it belongs to the
 * instant of the freeze, whatever happens to the job's memory afterwards.
 */

#ifndef CR_INTAKE_H
#define CR_INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

#define CR_INTAKE_BUFFER (128u << 10)

struct cr_intake;

/* Called in a thread of the intake's, in the order of cr_intake_put; end: it was the last of that stream. After an
 * error it is not called again. */
typedef int (*cr_intake_take)(void *arg, uint32_t stream, void *data, size_t size, bool end, struct cr_error *err);

int cr_intake_open(struct cr_intake **intake, cr_intake_take take, void *arg, struct cr_error *err);

/* An empty buffer of CR_INTAKE_BUFFER bytes; waits for one, fails when take has. Valid until cr_intake_put. */
int cr_intake_room(struct cr_intake *intake, void **at, struct cr_error *err);

/* Hand on size bytes of that buffer. */
int cr_intake_put(struct cr_intake *intake, uint32_t stream, size_t size, bool end, struct cr_error *err);

/* Wait until everything that was put has been taken. Returns take's error, if there was one. */
int cr_intake_settle(struct cr_intake *intake, struct cr_error *err);

/* End the thread; what was not taken is dropped. NULL is fine. */
void cr_intake_close(struct cr_intake *intake);

#endif
