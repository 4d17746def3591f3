/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* rollback.h - --checkpoint-rollback=DIR, an option that may be given several times
 *
 * Slurm carries the last value of an option to the node and no other. So sbatch puts all of them, as a list, into
 * the variable that Slurm carries that value in. Slurm sends it with every kind of --export, keeps it with the job
 * over requeues, hands it to the plugin in slurmstepd as the option's value, and takes it out of the job's
 * environment.
 */

#ifndef CR_PLUGIN_ROLLBACK_H
#define CR_PLUGIN_ROLLBACK_H

#include <slurm/spank.h>
#include <stdbool.h>

#define ROLLBACK_LIST 32768 /* bytes of the list, see pathlist.h */
#define ROLLBACK_MOST 32    /* directories */

/* At the start of sbatch and srun: what the job that they are called in was submitted with is not theirs. */
void rollback_forget(void);

/* On the node, before the job's processes start: Slurm's copy of the option is not theirs either. */
void rollback_hide(spank_t sp);

/* One more value at submit; the whole list in slurmstepd. Returns 0, or -1 with a line to the user. */
int rollback_set(const char *value, bool submit);

/* sbatch has all its options: leave the list where Slurm takes it from. Returns 0 or -1. */
int rollback_publish(void);

#endif
