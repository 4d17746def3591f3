/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* options.h - what the site configured and what the user asked for */

#ifndef CR_PLUGIN_OPTIONS_H
#define CR_PLUGIN_OPTIONS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include <slurm/spank.h>

#include "config.h"
#include "origin.h"
#include "rollback.h"
#include "signame.h"

/* Slurm has no prefix of its own for plugins */
#define LOG "spank_cr: "

struct options {
	/* the site's, with the job's own --checkpoint=TIME, --checkpoint-keep, -compress, -pool, -net, -files,
	 * -timelimit */
	struct cr_config config;
	bool configured;	 /* the site's arguments were sound */
	bool wanted;		 /* one of the options was given */
	int64_t total_time;	 /* --checkpoint-total-time, seconds; 0: none */
	char dir[PATH_MAX];	 /* --checkpoint-dir, or empty: the site's */
	struct cr_signal signal; /* --checkpoint-signal */
	struct cr_origin origin; /* --restart-from */
	bool files_given;	 /* --checkpoint-files, and not only the site's word */
	bool keep_completed;	 /* --checkpoint-on-complete=keep */
	bool on_cancel;		 /* --checkpoint-on-cancel */
	/* --checkpoint-rollback, see pathlist.h */
	char rollback[ROLLBACK_LIST];
};

extern struct options options;

/* Parse plugstack's arguments and register the options. A mistake of the site's is logged, and refuses only jobs
 * that ask for checkpoints. Returns 0 or -1. */
int options_register(spank_t sp, int argc, char **argv);

/* When the command line has been read, and before srun tries to reach Slurm: say so when it cannot. */
void options_warn(void);

/* As options_register for the prolog and epilog, where Slurm calls neither slurm_spank_init nor an option's
 * callback. */
void options_recall(spank_t sp, int argc, char **argv);

#endif
