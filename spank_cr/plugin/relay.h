/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* relay.h - T after the launch: signals from Slurm go to crinit, the job's end goes to Slurm */

#ifndef CR_PLUGIN_RELAY_H
#define CR_PLUGIN_RELAY_H

#include <stdbool.h>
#include <sys/types.h>

#include "error.h"
#include "restart.h"

struct relay {
	pid_t crinit;
	pid_t notary; /* or -1 */
	int wire;
	int signals;	     /* signalfd of everything that can be caught */
	enum cr_blame blame; /* for the attempt that has failed last */
};

/* Block every signal and open relay->signals. Call before the first fork: what is sent in the meantime waits. */
int relay_init(struct relay *relay, struct cr_error *err);

/* The mask that T came with, for the process that goes on to the user's program. */
void relay_restore_mask(void);

/* Wait until the attempt has started (0) or failed (-1, with crinit's reason in err). Passes signals on. Does
 * not return when Slurm has started the job again elsewhere. */
int relay_wait_started(struct relay *relay, struct cr_error *err);

/* Until the job ends; then end as it did. */
_Noreturn void relay_run(struct relay *relay);

/* End T with a wait status: exit, or die by the same signal. */
_Noreturn void relay_end(int status);

#endif
