/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* restart.h - has this job got anywhere by being started again? What its starts came to so far decides from which
 * checkpoint the next one goes on, when, and whether there is one
 *
 * Pure: the journal's events go in, oldest first, then the newest checkpoint; no file and no clock is looked at.
 * doc/restart.md says what counts and why.
 */

#ifndef CR_RESTART_H
#define CR_RESTART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store.h"

/* What becomes of a job whose checkpoints cannot be used. */
enum cr_fallback {
	CR_FALLBACK_HOLD,  /* requeued and held, until somebody releases it */
	CR_FALLBACK_FAIL,  /* it ends, with CR_RESTART_EXIT */
	CR_FALLBACK_FRESH, /* it starts from its beginning */
};

#define CR_RESTART_EXIT	     74	  /* EX_IOERR of sysexits.h */
#define CR_RESTART_DELAY_MAX 3600 /* seconds */
#define CR_RESTART_KNOWN     32	  /* generations whose deaths are remembered */

struct cr_restart_limits {
	int64_t soon; /* seconds: a job that ends by itself so soon after its start died of what it started from */
	int tries;    /* such deaths after which a generation is not used any more */
	int cap;      /* starts in a row that get nowhere, the first one not counted */
	int64_t delay; /* seconds from the first such death to the next start; doubled with each further one */
};

struct cr_restart {
	struct cr_restart_limits limits;
	/* the newest start: what is known of it */
	bool open, restored, ended, stopped;
	uint32_t generation; /* 0: from the beginning */
	uint32_t run;	     /* what it adds to; generations of earlier ones are none of its doing */
	int64_t clock_ms, time_ms;
	char node[64];
	int64_t reach_ms; /* of its end; -1: not known */
	int64_t life_ms;
	bool newer; /* it has committed something */
	/* all of them */
	int64_t base_ms;    /* the clock at which this run began; -1: not known */
	int64_t far_ms;	    /* the farthest that a start ended by itself; -1: none did */
	int starts;	    /* in a row that got nowhere */
	int row;	    /* deaths soon after a start, in a row */
	int64_t died_ms;    /* the newest of them; UTC */
	bool delayed;	    /* the wait after it was asked for */
	bool gave_up;	    /* the job was ended for this, and has got nowhere since */
	uint32_t completed; /* the newest run that came to its end; what it left is not to be restored */
	uint32_t started;   /* the newest start, for cr_restart_late */
	uint32_t told;	    /* the newest start that has left anything: an event, a checkpoint */
	struct cr_restart_worn {
		uint32_t generation;
		int deaths;
		char lost[64]; /* the node that was lost with it last */
	} worn[CR_RESTART_KNOWN];
	int n;
};

void cr_restart_init(struct cr_restart *r, const struct cr_restart_limits *limits);

/* In a walk over all events, oldest first: was this one written by a start that was over to Slurm, as a newer one
 * had begun, on a node that was cut off? Then it says nothing of the job. started: the newest start so far; 0 at
 * first. */
bool cr_restart_late(const struct cr_journal_event *event, uint32_t *started);

/* The next event; one that does not matter, or comes late, is passed over. Fits cr_journal_each: always 0. */
int cr_restart_event(const struct cr_journal_event *event, void *restart);

/* After the last event: the newest checkpoint there is, of whatever run; NULL: none. */
void cr_restart_newest(struct cr_restart *r, const struct cr_manifest *newest);

/* Is this generation not to be used any more? Then why says so. */
bool cr_restart_spent(const struct cr_restart *r, uint32_t generation, char *why, size_t size);

/* Is the job not to be started any more? Then why says so. */
bool cr_restart_over(const struct cr_restart *r, char *why, size_t size);

/* The same when nothing that could be counted was written: a store that is full, or may only be read. restart: how
 * often Slurm has started it again. */
bool cr_restart_silent(const struct cr_restart *r, uint32_t restart, char *why, size_t size);

/* Seconds from now (UTC, ms) that the start has to wait; 0: none. */
int64_t cr_restart_wait(const struct cr_restart *r, int64_t now_ms);

/* What really becomes of a job when nothing can be used, or (over) when it gets nowhere: then a start from the
 * beginning is none of the ways out, and neither is an end that Slurm has answered by starting it again. */
enum cr_fallback cr_restart_fallback(const struct cr_restart *r, enum cr_fallback wish, bool over);

/* Why a restore failed: who is to blame, by the error's number and text. */
enum cr_blame {
	CR_BLAME_NOBODY,     /* not known: once more, then an older generation */
	CR_BLAME_GENERATION, /* it is damaged: an older one */
	CR_BLAME_NODE,	     /* memory, disk, a port in use: once more, then another node */
	CR_BLAME_FENCED,     /* it did not: Slurm has started the job again elsewhere, and it is not to run here */
};
enum cr_blame cr_restart_blame(int errnum, const char *text);

/* hold, fail or fresh. */
const char *cr_fallback_word(enum cr_fallback fallback);

#endif
