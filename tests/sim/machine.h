/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* machine.h - a simulated machine: nodes that fail, a job on each, one shared file system
 *
 * When a checkpoint is due, what it is taken to cost and who may write first is asked of the product's own code
 * (interval.h, cost.h, ticket.h). Everything is decided by the seed. doc/scale.md has what is assumed.
 */

#ifndef SIM_MACHINE_H
#define SIM_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

/* The world. Times in seconds, sizes in bytes. */
struct machine_world {
	unsigned nodes;
	double length;		   /* from the moment at which all jobs start together */
	double mtbf;		   /* of a node */
	double restart;		   /* from a node's end until its job begins to be read elsewhere */
	double fs_bandwidth;	   /* of the file system, shared evenly by all who read or write */
	double node_bandwidth;	   /* the most of it that one node gets */
	double freeze_rate;	   /* memory looked at each second of a freeze */
	double freeze_fixed;	   /* and how long one is with no memory at all */
	double compress_rate;	   /* of a whole node; it is work lost to the job */
	double ratio;		   /* of compression */
	double new_part;	   /* of the memory that changes from one checkpoint to the next */
	double memory[3];	   /* of small, middle and large jobs */
	double share[3];	   /* of them */
	double work_min, work_max; /* of a job; evenly distributed in between */
	/* a job's time limit, evenly distributed in between, after which it is started again at once; 0: none */
	double limit_min, limit_max;
	uint64_t seed;
};

/* What is to be compared. */
struct machine_policy {
	bool checkpoints;
	int64_t every_s;     /* as --checkpoint=TIME; CR_INTERVAL_AUTO */
	int64_t mtbf_s;	     /* what the site says of its nodes */
	bool jitter;	     /* no: the first one comes after a whole interval */
	bool incremental;    /* no: all of the memory is written each time */
	bool final;	     /* a last checkpoint before the time limit */
	unsigned drain_jobs; /* 0: no limit */
	double bandwidth;    /* of one job that writes; 0: no limit */
};

/* Seconds of all nodes together; they sum up to nodes × length. */
struct machine_result {
	double useful;					   /* work that was not lost again */
	double frozen, slowed;				   /* for checkpoints */
	double redone;					   /* work that was lost */
	double waiting;					   /* for a restart, and for the image to be read */
	double written, read;				   /* bytes */
	double drain_sum, drain_max;			   /* from the thaw to the commit */
	uint64_t checkpoints, failures, limits, impatient; /* impatient: drained without a token */
	unsigned writers_max;				   /* at the same moment */
	unsigned tokens_max;				   /* held at the same moment */
};

/* Returns 0, or -1 without memory. */
int machine_run(const struct machine_world *world, const struct machine_policy *policy,
		struct machine_result *result);

#endif
