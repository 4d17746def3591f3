/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* slurm.h - what slurmctld says of the job, asked with scontrol as the job's user */

#ifndef CR_INIT_SLURM_H
#define CR_INIT_SLURM_H

#include <stddef.h>

#include "job.h"

enum slurm_fate {
	SLURM_UNKNOWN,	 /* no answer in time */
	SLURM_RUNNING,	 /* goes on: the signal is for the program */
	SLURM_GRACE,	 /* being preempted, in its grace time: will be killed later */
	SLURM_ENDING,	 /* requeued, preempted or out of time: wanted again or worth a last checkpoint */
	SLURM_CANCELLED, /* nobody wants it back */
};

struct slurm_state {
	enum slurm_fate fate;
	const char *reason; /* requeue, preempt, timelimit, nodefail, term: a constant */
	int64_t lead_ms;    /* of the checkpoint before the time limit: how long before it */
};

/* Ask; at most timeout_ms. Never fails: no answer is SLURM_UNKNOWN. */
struct slurm_state slurm_ask(const struct job *job, int timeout_ms);

/* What scontrol's text means for a job that was started for the restart-th time. notice: the end of the job's
 * stderr, where slurmstepd says why. */
struct slurm_state slurm_interpret(const char *text, uint32_t restart, const char *notice);

/* The value of "Key=value" in scontrol's text, into buf; empty when absent. Returns buf. */
const char *slurm_value(const char *text, const char *key, char *buf, size_t size);

/* The line of job id in the text of "scontrol --oneliner show job", which shows all of an array; cut out into buf.
 * NULL when there is none. */
const char *slurm_line(const char *text, uint32_t id, char *buf, size_t size);

/* What scontrol calls the job of that line: the number of an array is all of it to scontrol, even where it is one
 * element's own. */
void slurm_name(const char *line, uint32_t id, char *name, size_t size);

#endif
