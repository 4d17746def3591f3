/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* buildid.h - which program or library a file is
 *
 * The file may be anybody's and may hold anything: read it where nothing can be gained by that.
 */

#ifndef CR_INIT_BUILDID_H
#define CR_INIT_BUILDID_H

#include "fit.h"

/* Look at the file at path: a regular one, no link to one, is found; of an ELF file build_id is filled too. Never
 * waits for a FIFO or device. arg is not used: fits struct cr_fit_node. */
void buildid_file(const char *path, struct cr_fit_file *file, void *arg);

#endif
