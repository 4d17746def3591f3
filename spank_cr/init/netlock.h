/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* netlock.h - no packets in the job's network while its connections are put back
 *
 * criu makes the ends of a connection one after the other. When the peer of one had closed its half, criu sends it
 * that peer's FIN, and the kernel acknowledges it to a socket that may not be there yet: it gets a reset, and the
 * connection is gone. criu expects that somebody keeps the network still; its own packets have a mark.
 */

#ifndef CR_INIT_NETLOCK_H
#define CR_INIT_NETLOCK_H

#include "error.h"

/* From now on only criu's packets get out; and all do again. In a network namespace of the job's own, with
 * CAP_NET_ADMIN, by a table of nftables' that nothing else is in. */
int netlock_hold(struct cr_error *err);
int netlock_release(struct cr_error *err);

#endif
