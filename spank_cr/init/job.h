/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* job.h - the job as crinit knows it: its command line, its store, its log */

#ifndef CR_INIT_JOB_H
#define CR_INIT_JOB_H

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

#include "config.h"
#include "error.h"
#include "manifest.h"
#include "moved.h"
#include "store.h"

struct job {
	/* from the command line, pointing into argv */
	uint32_t id;
	const char *part;
	const char *node;
	const char *user;
	uint32_t restart;
	int64_t interval; /* seconds, or CR_INTERVAL_AUTO; what follows is for auto: see interval.h */
	int64_t min_interval, max_interval, mtbf;
	int max_share;
	uint32_t nodes;
	int64_t preflight; /* seconds from the start to the look at what cannot be checkpointed; 0: none */
	int keep;
	int compress;	    /* level of zstd, 0: none */
	uint64_t pool;	    /* bytes of memory for what is new in a checkpoint; 0: crinit decides */
	int drain_share;    /* percent of the job's processors that may write while the job runs */
	uint64_t bandwidth; /* bytes a second written meanwhile; 0: no limit */
	int64_t fence;	    /* seconds between looks whether Slurm has started the job elsewhere; 0: none */
	int drain_jobs;	    /* jobs of the site that write at a time; 0: no limit */
	int on_complete;    /* 1: remove the checkpoints when the job has completed */
	int on_failure;	    /* 1: remove them when it has failed */
	int on_cancel;	    /* 1: a last checkpoint also when somebody cancels it */
	const char *dir;
	const char *site_dir;
	const char *token_dir; /* where all jobs of the site take turns to drain; "": dir */
	const char *run_dir;
	const char *criu;
	uint64_t ghost_limit;
	int files;	      /* an enum cr_files: what becomes of the files that the job has open, at a restore */
	uint64_t file_limit;  /* bytes; a file with more in it is not copied */
	const char *rollback; /* directories that go back with the job, see pathlist.h */
	uint64_t rollback_limit; /* bytes of all of them; 0: no limit */
	const char *script;
	const char *slurm_env;		 /* NAME=value lines for the info file */
	int signal_before, signal_after; /* --checkpoint-signal; 0: none */
	int signal_lead;		 /* seconds from the first to the freeze */
	int timelimit;			 /* 1: at its time limit the job is requeued */
	int64_t total_time;		 /* seconds that it may run over all of its starts; 0: no limit */
	int log_level;
	int private_net;		   /* 1: the job has a network namespace of its own */
	int wire, notary, cgroup, ask, go; /* descriptors, -1 when absent */
	int hook, capture, serve, control; /* the sockets of listen.h, likewise */
	pid_t root;			   /* in the pid namespace */
	uint32_t generation;		   /* to restore; 0: none */
	uint32_t from;			   /* --restart-from: the job, 0: none; */
	uint32_t from_generation;	   /* its generation, 0: the newest that can be used; */
	int from_files;			   /* as files, for what that job had open; */
	int from_now;			   /* 1: generation is one of that job's */
	int keep_completed;		   /* 1: the user wants the checkpoints of the completed job */
	const char *lacks, *lacks_net; /* why this node can restore nothing, or nothing with a private network */

	/* restart.h */
	int64_t restart_soon, restart_delay, store_wait; /* seconds */
	int restart_tries, restart_cap, fallback;
	const char *setback; /* hold, fail or delay; for "crinit setback" */
	const char *why;     /* not the newest generation, or what the setback is for; "": nothing to tell */
	int64_t wait;	     /* seconds, of a delay */

	/* from elsewhere */
	const char *home; /* criu's private tmpfs */
	struct cr_store store;
	uint32_t run;
	uint32_t lost;	     /* newest generation whose worker was given up and may be at it yet; 0: none */
	int64_t saved_ns;    /* CLOCK_MONOTONIC of the last checkpoint that was committed, or of the start */
	int64_t ran_ms;	     /* of earlier starts, see ran.h */
	int64_t ran_from_ns; /* CLOCK_MONOTONIC of when this one began, less its suspensions */
	off_t notice_from;   /* size of the job's stderr when this run of it began */
	int log;	     /* crinit.log, or -1 */

	/* where the checkpoint that is being made is to send it */
	struct moved moving;
};

/* Parse "--key=value" arguments. Unknown or malformed ones are an error. */
int job_parse(struct job *job, int argc, char *const argv[], struct cr_error *err);

/* Open store and log; link the site's directory to another one. With create the directories are made. */
int job_open(struct job *job, bool create, struct cr_error *err);

/* A line in crinit.log with time and pid, and, with a wire, to slurmd's log. level 0 error, 1 info, 2 debug. */
void job_log(const struct job *job, int level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Append to the journal. */
int job_journal_append(const struct job *job, const char *event, uint32_t generation, const char *reason,
		       const char *text, int64_t ms, struct cr_error *err);

/* The same; a failure is logged. */
void job_journal(const struct job *job, const char *event, uint32_t generation, const char *reason,
		 const char *text, int64_t ms);

#endif
