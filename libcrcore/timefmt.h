/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* timefmt.h - clocks, and a time as text */

#ifndef CR_TIMEFMT_H
#define CR_TIMEFMT_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Now, or a given CLOCK_REALTIME, as RFC 3339 UTC with milliseconds, into buf (at least 32 bytes). */
const char *cr_time_format(int64_t realtime_ns, char *buf, size_t size);
int64_t cr_time_now_ns(void);

/* The other way; 0 for what is no such text. */
int64_t cr_time_parse(const char *text);

/* Any clock, ns. */
int64_t cr_time_clock_ns(clockid_t clock);

#endif
