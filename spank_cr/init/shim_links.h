/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* shim_links.h - links that criu makes to files whose name is gone while they have another
 *
 * criu --link-remap gives such a file the name link_remap.N beside the old one, while the job is frozen, and takes
 * that away again at the thaw and at the restore. It links from a descriptor, which takes CAP_DAC_READ_SEARCH; by
 * way of /proc/self/fd it takes nothing. Only in the directories that are the job's own: a link elsewhere would
 * not be there at the restore.
 */

#ifndef CR_INIT_SHIM_LINKS_H
#define CR_INIT_SHIM_LINKS_H

#include <stdbool.h>

#define SHIM_LINK_NAME "link_remap."

/* Is path, below /, a name of these? "./dev/shm/link_remap.5" */
bool shim_link_name(const char *path);

/* Is that linkat() one of these? */
bool shim_link_meant(const char *from, const char *to, int flags);

#endif
