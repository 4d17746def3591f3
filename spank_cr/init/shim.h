/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* shim.h - what crinit and the library that is loaded into criu (crshim.c) say to each other
 *
 * In criu's environment: SHIM_ENV_PRELOAD has the dynamic linker load it, SHIM_ENV_DIR is the directory where
 * crinit has left what it is to know. Without them, without a file there, or under another name than expected, it
 * lets everything pass.
 */

#ifndef CR_INIT_SHIM_H
#define CR_INIT_SHIM_H

#define SHIM_ENV_PRELOAD "LD_PRELOAD"
#define SHIM_ENV_DIR	 "CR_SHIM_DIR"

/* Below that directory: processes that had ended (shim_ended.h), and where one may leave a core; with the same
 * form, processes that are stopped, with the signal, and whose parents have not been told. */
#define SHIM_ENDED  "shim.ended"
#define SHIM_CORES  "shim.cores"
#define SHIM_UNTOLD "shim.untold"

/* And named pipes whose readers know that nobody writes any more (fifos.h, shim_fifos.h). */
#define SHIM_FIFOS "shim.fifos"

/* Memory policies, locked memory, personalities (shim_placed.h); there the library writes what could not be put
 * back, a thread and an errno a line. */
#define SHIM_PLACED    "shim.placed"
#define SHIM_MISPLACED "shim.misplaced"

/* There the library writes, line by line, what it has linked (shim_links.h). */
#define SHIM_LINKS "shim.links"

/* What the job watches, and where that is (libcrcore/watched.h). */
#define SHIM_WATCHES	 "shim.watches"
#define SHIM_WATCHES_MAX (32u << 20)

#endif
