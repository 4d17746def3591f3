/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* signame.h - signals by name, and what --checkpoint-signal says */

#ifndef CR_SIGNAME_H
#define CR_SIGNAME_H

#include "error.h"

#define CR_SIGNAL_LEAD	   1 /* seconds between the signal and the freeze, when nothing is said */
#define CR_SIGNAL_LEAD_MAX 60
#define CR_SIGNAL_LEAD_END 2 /* the most when Slurm is ending the job */

/* What a program that wants to know is told by. */
struct cr_signal {
	int before; /* each checkpoint; 0: none */
	int after;  /* each restore; 0: none */
	int lead;   /* seconds from before to the freeze */
};

/* SIG[,SIG][@SECONDS], a signal as Slurm has it: USR1, SIGUSR1 or 10. The second is the first when absent. Only
 * written on success. */
int cr_signal_parse(struct cr_signal *signal, const char *text, struct cr_error *err);

#endif
