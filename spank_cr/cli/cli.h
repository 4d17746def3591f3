/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* cli.h - what the verbs of scheckpoint share: their options and one function each */

#ifndef CLI_H
#define CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"
#include "selection.h"
#include "target.h"

#ifndef CR_PLUGSTACK_CONF
#define CR_PLUGSTACK_CONF "/etc/slurm/plugstack.conf.d/spank_cr.conf"
#endif

struct cli {
	bool json;
	const char *config; /* --config=, or CR_PLUGSTACK_CONF */
	const char *dir;    /* --dir=, or NULL */
	int64_t deadline;   /* clock_ms() by which able, create and vacate give up */
	int timeout;	    /* the same in seconds, for messages; for each job when there are several */
	int at_once;	    /* jobs that are dealt with at a time */
	const char *to;	    /* vacate: the node, or NULL */
	const char *drain;  /* vacate, hold: the reason to drain the nodes for, or NULL */
	struct selection_wish wish;
	bool dry_run;	 /* gc: only say */
	bool all;	 /* verify: every generation */
	const char *ask; /* what the agent is to ask crinit */
	bool has_target;
	struct target target; /* JOBID[.GEN] */
};

/* The program that becomes another user, and this program's own file: what runs a verb as that user. argv gets
 * CLI_AS_ARGS entries, which point into buf and constants; the verb and what follows it goes behind them. */
#define CLI_AS_ARGS 8
struct cli_as {
	char uid[32], gid[32], self[4096];
};
int cli_as_user(uid_t uid, gid_t gid, struct cli_as *buf, const char *argv[CLI_AS_ARGS], struct cr_error *err);

/* One verb each. 0 means that what was asked for is done; otherwise err says why not, and what is above 0 is the
 * exit status. */
int cli_able(const struct cli *cli, struct cr_error *err);
int cli_create(const struct cli *cli, struct cr_error *err);
int cli_vacate(const struct cli *cli, struct cr_error *err);
int cli_hold(const struct cli *cli, struct cr_error *err);
int cli_list(const struct cli *cli, struct cr_error *err);
int cli_show(const struct cli *cli, struct cr_error *err);
int cli_verify(const struct cli *cli, struct cr_error *err);
int cli_gc(const struct cli *cli, struct cr_error *err);
int cli_agent(const struct cli *cli, struct cr_error *err);

#endif
