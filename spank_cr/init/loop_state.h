/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* loop_state.h - the loop's state, and its nouns: signals (signals.c), suspension (pause.c), the worker's turn
 * (dispatch.c), the job's end (ending.c), the look at what cannot be checkpointed (look.c), what slurmctld knows
 * (facts.c), the time limit (deadline.c); for these files and loop.c alone
 */

#ifndef CR_INIT_LOOP_STATE_H
#define CR_INIT_LOOP_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "clockwork.h"
#include "control.h"
#include "cost.h"
#include "deadline.h"
#include "drag.h"
#include "facts.h"
#include "fence.h"
#include "grace.h"
#include "job.h"
#include "look.h"
#include "slurm.h"
#include "stall.h"
#include "verdict.h"
#include "worker.h"

enum term {
	TERM_NONE,
	TERM_ASKING, /* it has come; what does Slurm mean by it? */
	TERM_SAVE,   /* a checkpoint first, then it is passed on */
	TERM_FINAL,  /* a last checkpoint is wanted */
	TERM_RUNS,   /* its worker is at it */
};

#define TERM_REASON 16

/* The child that asks slurmctld. */
struct term_ask {
	pid_t pid; /* 0: none */
	int fd;
	int64_t end_ns;
};

struct loop {
	struct job *job;
	struct control control;
	struct worker worker;
	struct look look;
	struct facts_state facts;
	struct deadline deadline;
	struct stall stall;
	struct fence fence;
	enum dump_mode mode; /* of the running worker */
	bool restoring;
	bool drained;  /* the worker's tree is thawed: it only writes */
	bool answered; /* it has said what became of its checkpoint */
	bool holding;  /* a final checkpoint is committed, the tree frozen */
	int signals;
	enum term term;		   /* a SIGTERM */
	bool stop_root, stop_rest; /* SIGTSTP for the program, when criu is done with it */
	bool term_root, term_rest; /* whom it was for, should it be for the program */
	int64_t term_ns;	   /* CLOCK_MONOTONIC of when it came */
	struct term_ask ask;
	enum slurm_fate term_fate; /* of the last checkpoint that is wanted, */
	char term_reason[TERM_REASON];
	bool finish; /* should the job end, what is being written is finished first */
	struct grace grace;
	char told[VERDICT_MAX]; /* why there is no checkpoint, as the job's stderr had it last */
	unsigned turns;		/* times that criu was sent to the tree */
	int64_t frozen_ns;	/* CLOCK_MONOTONIC of the newest dump */
	int64_t begun_ns;	/* and of when its worker was started */
	bool interrupted;	/* it was suspended before it was thawed: how long it took says nothing */
	struct cr_cost cost;	/* of the checkpoints so far */
	int64_t paused_ms;	/* of the newest one */
	struct clockwork clock; /* when the next is due */
	struct drag drag;	/* how it slows the job down */
	uint32_t committed;	/* newest generation of this crinit's */
	struct report newest;	/* what its worker said of it */
	bool root_gone;		/* the tree's root ended while a final checkpoint was held */
	int root_status;
	bool ending;   /* Slurm is ending the job, and the program had to be told */
	bool unwanted; /* the job ended by itself, in a way after which its checkpoints go */
	bool over;
	int status; /* wait status to hand to Slurm */
};

/* ---- signals.c ---- */

/* Read what has arrived at crinit itself, or from T, and act on it. */
void signals_read(struct loop *l);
void signals_read_wire(struct loop *l);

/* A signal for the program: what T got is for the tree's root, as Slurm means the batch shell by it; what Slurm
 * sends to every process of the step reaches crinit too, which is the rest of the tree to Slurm. */
void signals_pass(struct loop *l, int sig, bool root, bool rest);

/* The SIGTERM that a worker was to look into is the program's after all. ending: Slurm ends the job. */
void signals_term_pass(struct loop *l, bool ending);

/* ---- pause.c ---- */

/* SIGTSTP has come, from T or not. True when it has to wait until criu is done with the tree. */
bool pause_announced(struct loop *l, bool from_t);

/* SIGCONT has come. */
void pause_over(struct loop *l);

/* criu is done with the tree: what has waited for that. */
void pause_pass(struct loop *l);

/* Once every turn of the loop: has the job run since the last one? */
void pause_look(struct loop *l);

/* ---- term.c ---- */

/* A SIGTERM has come: find out what it means. */
void term_arrived(struct loop *l);

/* The descriptor to poll, or -1. */
int term_fd(const struct loop *l);

/* Act on slurmctld's answer, or on none in time. */
void term_serve(struct loop *l);

/* Do not ask any more. */
void term_stop(struct loop *l);

/* What the worker did concerns a SIGTERM that waits for it: the tree runs again, or there is no checkpoint;
 * gone_early: and the worker is gone before it was known what the signal means. */
void term_thawed(struct loop *l);
void term_failed(struct loop *l, bool gone_early);

/* ---- grace.c ---- */

/* Does a last checkpoint fit into the time that is left, by what the earlier ones took? */
bool grace_fits(const struct loop *l);

/* Say that it does not, and what counts instead. */
void grace_refuse(struct loop *l);

/* The job is being preempted, and goes on until its grace time is over. */
void grace_begin(struct loop *l);

/* The last checkpoint of the grace time has failed. */
void grace_failed(struct loop *l);

/* Warn once when the time that Slurm would grant is too short; in grace time, begin the last checkpoint in time.
 */
void grace_serve(struct loop *l);

/* ---- dispatch.c ---- */

/* Read the worker's reports and act on them. */
void dispatch_serve(struct loop *l);

/* Returns 1 with a report of the worker's, 0 as long as it may have more to say, -1 when it is gone. */
int dispatch_report(struct loop *l, struct report *r);

/* Give a worker up that gets nowhere. */
void dispatch_watch(struct loop *l);

/* Start a worker when something is wanted: one at a time, the most urgent wish first. */
void dispatch_next(struct loop *l);

/* ---- fence_watch.c ---- */

/* Look now and then whether this is still the job's newest start; never waits. */
void fence_serve(struct loop *l);

/* It is not: the job's processes here are ended, and nothing is written where the newer start's files are. */
void fence_lost(struct loop *l, const char *text);

/* ---- ending.c ---- */

/* What is learnt first is how the job ended; what follows is the clean-up. */
void ending_set(struct loop *l, int status);

/* Reap whatever has ended; the end of the tree's root is the job's. */
void ending_reap(struct loop *l);

/* The job is over: end the worker, and leave in the store what the site wants there. */
void ending_tidy(struct loop *l);

#endif
