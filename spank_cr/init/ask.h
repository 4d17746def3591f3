/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* ask.h - Slurm's commands, whichever network the job has
 *
 * slurmctld is reached over the node's network. A job with --checkpoint-net=private has none, and neither have
 * crinit and criu, which must be where the job's connections are; nobody of them may go back. So "crinit ask", a
 * process without a capability, is forked before the network is left, and runs Slurm's commands on request.
 */

#ifndef CR_INIT_ASK_H
#define CR_INIT_ASK_H

#include "job.h"

/* Run argv, a command of Slurm's by its absolute path, as spawn_capture does: directly, or by way of job->ask. */
int ask_capture(const struct job *job, const char *const *argv, int timeout_ms, char *buf, size_t size,
		struct cr_error *err);

/* "crinit ask": serve job->ask until its other end is closed. Returns the exit status. */
int ask_main(const struct job *job);

#endif
