/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* loopback.h - large segments for connections that are put back
 *
 * The kernel makes a connection under repair with the smallest segment that there is, and asks for a greater one
 * when the path's MTU has changed, never else. With 524 bytes over loopback all is slow; and as each segment takes
 * much more memory than it brings, a receiver that had promised room for a full queue cannot keep that: it shrinks
 * its window to nothing. When both ends do, each drops what the other says of its own window (Linux 6.17 and later
 * drop a segment beyond the window with its acknowledgement), and the connection hangs for good.
 */

#ifndef CR_INIT_LOOPBACK_H
#define CR_INIT_LOOPBACK_H

#include "error.h"

/* In a network of the job's own, around a restore: loopback with another MTU; and as it was. */
int loopback_narrow(struct cr_error *err);
int loopback_widen(struct cr_error *err);

#endif
