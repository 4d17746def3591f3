/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* selection.h - which jobs a verb is about: those named, those on nodes, of users, in partitions
 *
 * Several conditions select what meets all of them. An array that is named as a whole stands for its running
 * tasks.
 */

#ifndef CLI_SELECTION_H
#define CLI_SELECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"
#include "target.h"

#define SELECTION_FORMAT "%A|%F|%K|%U|%u|%T" /* of squeue --array */

/* What was asked for on the command line. */
struct selection_wish {
	struct target *targets; /* jobs by their names */
	size_t n_targets;
	const char *nodes, *users, *partitions; /* as squeue takes them, or NULL */
};

struct selection_job {
	uint32_t id;
	uint32_t array; /* the array's, or its own */
	bool is_task;
	uint32_t task;
	uid_t uid;
	char user[64];
	char state[32];
	struct target target; /* what means this job and no other */
	bool is_named;	      /* by the job's own name, not by a condition or as a part of its array */
};

/* A job that was named and is not there. */
struct selection_missing {
	struct target target;
	const char *why;
};

struct selection {
	struct selection_job *all; /* what Slurm said */
	size_t n_all;
	const struct selection_job **jobs; /* the verb is about these; they point into all */
	size_t n;
	const struct selection_job **others; /* met the conditions and are not the caller's to touch */
	size_t n_others;
	struct selection_missing *missing;
	size_t n_missing;
	bool is_one; /* one job was named, and nothing else said */
};

#define cleanup_selection __attribute__((cleanup(selection_clear)))
void selection_clear(struct selection *s);

/* Is there a condition beside the names? */
bool selection_is_conditional(const struct selection_wish *wish);

/* Ask Slurm. -1 also when a node, user or partition does not exist. What is selected may be nothing. */
int selection_find(const struct selection_wish *wish, int64_t deadline, struct selection *s, struct cr_error *err);

/* The two halves of it: squeue's answer into s->all, and the choice among those for a caller with uid. */
int selection_parse(char *text, struct selection *s, struct cr_error *err);
int selection_choose(const struct selection_wish *wish, uid_t uid, struct selection *s, struct cr_error *err);

/* A list as users write it on the command line, in the characters that one of nodes (with ranges in brackets),
 * users or partitions has, so that it is none of squeue's options. */
int selection_check_list(const char *option, const char *list, struct cr_error *err);

#endif
