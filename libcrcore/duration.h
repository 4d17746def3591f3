/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* duration.h - lengths of time as users write them */

#ifndef CR_DURATION_H
#define CR_DURATION_H

#include <stdint.h>

#include "error.h"

/* Parse Slurm's time formats ("minutes", "minutes:seconds", "hours:minutes:seconds", "days-hours",
 * "days-hours:minutes", "days-hours:minutes:seconds") or a number with one suffix of s, m, h, d.
 * Leading/trailing blanks, signs, empty fields, zero and anything over ten years are refused.
 * *seconds is only written on success. */
int cr_duration_parse(const char *text, int64_t *seconds, struct cr_error *err);

/* Write seconds as "45s", "10m", "1h30m", "2d". Returns buf. */
const char *cr_duration_format(int64_t seconds, char *buf, unsigned long size);

#endif
