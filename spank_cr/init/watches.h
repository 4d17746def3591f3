/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* watches.h - tell the library in criu where the files are that the job watches (libcrcore/watched.h) */

#ifndef CR_INIT_WATCHES_H
#define CR_INIT_WATCHES_H

#include "job.h"

/* Before a dump. What is not told criu refuses, and the job goes on. */
void watches_write(const struct job *job);

/* criu has ended. */
void watches_remove(const struct job *job);

#endif
