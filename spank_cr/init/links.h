/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* links.h - what criu has linked during a dump (shim_links.h), should it not have come to take that away */

#ifndef CR_INIT_LINKS_H
#define CR_INIT_LINKS_H

#include "job.h"

/* criu has ended: its links go, and the note of them. */
void links_remove(const struct job *job);

#endif
