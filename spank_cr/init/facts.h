/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* facts.h - what slurmctld knows of the job: its time limit, its partition's terms
 *
 * Asked by a child, as slurmctld may take its time, and thousands of jobs may have one slurmctld: once some
 * seconds after the start, another time for each job, and later only by those who need to know it anew. What is
 * not answered stays as it was known, and is asked for again later.
 */

#ifndef CR_INIT_FACTS_H
#define CR_INIT_FACTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"

#define FACTS_UNLIMITED INT64_MAX

struct job;
struct loop;

/* Times are CLOCK_REALTIME in seconds, as slurmctld has them; lengths are seconds. */
struct facts {
	int64_t asked;	    /* when the job was last told of; 0: never, what there is stems from its environment */
	int64_t start, end; /* of this start of the job: end by its time limit; 0: there is none, or not known */
	int64_t limit_s;    /* the time limit; FACTS_UNLIMITED, or -1: not known */
	int64_t left_s;	    /* until then, by slurmctld's clock; FACTS_UNLIMITED, or -1: not known */
	int64_t grace_s;    /* GraceTime of its partition; -1: not known */
	int64_t kill_wait_s; /* KillWait; -1: not known */
	int64_t over_s;	     /* OverTimeLimit, the partition's or the site's; FACTS_UNLIMITED, or -1: not known */
	int64_t preempted; /* when it was chosen to be preempted: end is that of its grace time then; 0: it was not
			    */
	bool requeue;	   /* it may be requeued */
	bool suspended;
	bool het;      /* it is one component of a heterogeneous job */
	char name[64]; /* what scontrol calls it: an element of an array has a name of its own; "": not known */
	char partition[64];    /* these are "" when not known */
	char qos[64];	       /* "" too when there is none */
	char reservation[64];  /* that it runs in; "" too when there is none */
	char preempt_type[64]; /* preempt/none, preempt/partition_prio, preempt/qos */
	char preempt_mode[64]; /* of its partition: OFF, REQUEUE, CANCEL, SUSPEND, also with ",GANG" */
};

/* The loop's own; known is for everybody. */
struct facts_state {
	struct facts known;
	pid_t pid; /* of the child at work; 0: none */
	int fd;	   /* its words come here */
	size_t used;
	struct facts answer;
	int64_t due_ns;	     /* CLOCK_MONOTONIC of the next question; 0: there is none to come */
	int64_t answered_ns; /* and of the last answer; 0: none */
	int64_t deadline_ns; /* of the child */
	unsigned failures;   /* in a row */
	int64_t limit_min;   /* the time limit to set before the next question; 0: none */
};

/* The job runs: what its environment says, and the time of the first question. */
void facts_arm(struct loop *l);

/* Somebody wants to know: ask, unless the last answer is less than age_s seconds old. No worker may run meanwhile,
 * so that it may be a while. */
void facts_want(struct loop *l, int64_t age_s);

/* Have the job's time limit set to so many minutes, and ask. Users may lower it; the next answer tells. */
void facts_limit(struct loop *l, int64_t minutes);

/* Is the last answer less than age_s seconds old? */
bool facts_fresh(const struct loop *l, int64_t age_s);

/* Is there a question open, or did the last one fail? */
bool facts_asking(const struct loop *l);

/* A worker begins, which may ask Slurm itself: the two would take each other's answers. */
void facts_yield(struct loop *l);

/* The descriptor to poll, or -1. */
int facts_fd(const struct loop *l);

/* Ask when it is time, and take the answer in. Returns whether there is a new one. */
bool facts_serve(struct loop *l);

/* ---- reading; what is not in a text stays as it is ---- */

void facts_init(struct facts *f);

/* The answer came at now_s: when this node's clock does not agree with what is left by slurmctld's, start and end
 * are moved to this node's. */
void facts_settle(struct facts *f, int64_t now_s);

/* NAME=value lines of the job's environment. */
void facts_read_environment(struct facts *f, const char *text);

/* The texts of "scontrol --oneliner show job", "scontrol --oneliner show partition", "scontrol show config". -1
 * when the job or the partition is not in it. */
int facts_read_job(struct facts *f, const char *text, uint32_t id, struct cr_error *err);
int facts_read_partition(struct facts *f, const char *text, struct cr_error *err);
int facts_read_config(struct facts *f, const char *text, struct cr_error *err);

#endif
