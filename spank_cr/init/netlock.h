/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* netlock.h - no TCP in the job's network while its connections are saved, and while they are put back
 *
 * criu looks at the ends of a connection one after the other. A process that stands still does not keep the kernel
 * from sending again and acknowledging: what passes between the two looks is in none of the images, or in both,
 * and the connection is torn. At a restore, when the peer of one had closed its half, criu sends it that peer's
 * FIN, and the kernel acknowledges it to a socket that may not be there yet: it gets a reset, and the connection
 * is gone. criu expects that somebody keeps the network still; its own packets have a mark.
 */

#ifndef CR_INIT_NETLOCK_H
#define CR_INIT_NETLOCK_H

#include "error.h"

/* From now on only criu's segments get out and in. What is not TCP is none of criu's business, and its senders
 * would see the error. In a network namespace of the job's own, with CAP_NET_ADMIN, by a table of nftables' that
 * nothing else is in. */
int netlock_hold(struct cr_error *err);

/* All do again; fine when they do already. */
int netlock_release(struct cr_error *err);

/* The same, tried for some time: what is not let go of is a job that hangs. */
int netlock_release_surely(struct cr_error *err);

#endif
