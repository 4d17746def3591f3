/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* wire.h - what T and crinit tell each other over their socket pair (SOCK_SEQPACKET, one struct a packet) */

#ifndef CR_WIRE_H
#define CR_WIRE_H

#include <stdint.h>

#include "error.h"

enum cr_wire_type {
	CR_WIRE_STARTED = 1, /* crinit → T: the job's tree runs; hand over */
	CR_WIRE_FAILED,	     /* crinit → T: this attempt is over; text says why */
	CR_WIRE_EXIT,	     /* crinit → T: value is the tree's wait status */
	CR_WIRE_LOG,	     /* crinit → T: a line for slurmd's log; value 0 error, 1 info, 2 debug */
	CR_WIRE_SIGNAL,	     /* T → crinit: value is a signal Slurm sent to T */
};

struct cr_wire {
	uint32_t type;
	int32_t value;
	char text[768];
};

/* Returns 0 or -1. */
int cr_wire_send(int fd, enum cr_wire_type type, int value, const char *text, struct cr_error *err);

/* Returns 1 message, 0 the other end is gone, -1 error (EAGAIN when fd is non-blocking and empty). */
int cr_wire_receive(int fd, struct cr_wire *message, struct cr_error *err);

#endif
