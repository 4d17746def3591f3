/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* config.h - what the site decides: the arguments behind spank_cr.so in plugstack.conf.d/spank_cr.conf
 *
 * The plugin gets them as argc/argv; scheckpoint reads the same line from the same file. The installed
 * programs obey nothing else: no environment variable changes any of these.
 */

#ifndef CR_CONFIG_H
#define CR_CONFIG_H

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"

/* What becomes of files that the job has open for writing, at a restore. */
enum cr_files {
	CR_FILES_COPY,	   /* they go back to their content at the checkpoint */
	CR_FILES_TRUNCATE, /* they go back to their size */
	CR_FILES_KEEP,	   /* they are left alone */
};

struct cr_config {
	char dir[PATH_MAX];	/* dir=     checkpoint directory; %u user name, %U uid; absolute */
	char scratch[PATH_MAX]; /* scratch= node-local directory for private /tmp and /var/tmp */
	char criu[PATH_MAX];	/* criu=    absolute path of criu */
	int64_t interval;	/* interval= seconds between checkpoints when --checkpoint has no time; 0: auto */
	int64_t min_interval;	/* min_interval= seconds; a shorter --checkpoint=TIME is refused */
	int64_t max_interval;	/* max_interval= seconds; auto chooses more only to cost less than max_share */
	int64_t mtbf;		/* mtbf=    seconds between two failures of one node, on average */
	int max_share;		/* max_share= percent of a job's time that checkpoints at auto may cost */
	int64_t preflight;	/* preflight= seconds until a job that runs is looked at; 0: never */
	uint64_t ghost_limit;	/* ghost_limit= bytes (suffix K, M, G): largest deleted-but-open file kept */
	int files;		/* files=   copy|truncate|keep, an enum cr_files */
	uint64_t file_limit;	/* file_limit= bytes: a file with more in it is not copied into a checkpoint */
	int keep;		/* keep=    generations kept, at least 1 (default 2) */
	int compress;		/* compress= fast (1), none (0) or a level of zstd, 1 to 19 */
	uint64_t pool;		/* pool=    bytes of memory for what is new in a checkpoint; 0: auto */
	int drain_share;	/* drain_share= percent of the job's processors for writing while the job runs */
	uint64_t bandwidth;	/* bandwidth= bytes a second that one job writes meanwhile; 0: no limit */
	int64_t fence;	 /* fence= seconds between looks whether Slurm has started a job elsewhere; 0: never */
	int drain_jobs;	 /* drain_jobs= jobs of the site that write at a time; 0: no limit */
	int on_complete; /* on_complete= remove (1) or keep (0) the checkpoints of a completed job */
	int on_failure;	 /* on_failure= the same for one that failed */
	int64_t max_age; /* max_age= seconds after which "scheckpoint gc" removes those of a failed job */
	int private_net; /* net=     host (0) or private (1), a network namespace for each job */
	int timelimit;	 /* timelimit= at a job's time limit: end (0) or requeue (1) */
	int log_level;	 /* log=     error|info|debug as 0|1|2 */
	/* rollback_limit= bytes that the directories of --checkpoint-rollback may hold; 0: no limit */
	uint64_t rollback_limit;
	int fallback;	       /* fallback= hold|fail|fresh, an enum cr_fallback (restart.h) */
	int64_t restart_soon;  /* restart_soon= seconds; how soon after its start a job has died of it */
	int restart_tries;     /* restart_tries= such deaths after which a generation is not used any more */
	int restart_cap;       /* restart_cap= restarts in a row that may get nowhere */
	int64_t restart_delay; /* restart_delay= seconds before the first start after such a death; 0: none */
	int64_t store_wait;    /* store_wait= seconds that a start waits for checkpoints that cannot be read */
};

/* Fill config with the defaults: dir "" (must be set), scratch /var/spool/spank_cr, criu /usr/sbin/criu,
 * interval 1 h, min_interval 1 s, max_interval 6 h, mtbf 30 days, max_share 5, preflight 5 s, fence 10 s,
 * ghost_limit 64M, files copy, file_limit 64M, rollback_limit 4G, keep 2, compress fast, pool auto, drain_share
 * 75, bandwidth and drain_jobs without limit, on_complete remove, on_failure keep, max_age 30 days, net host,
 * timelimit end, log info, fallback hold, restart_soon 5 min, restart_tries 2, restart_cap 10, restart_delay
 * 30 s, store_wait 2 min. */
void cr_config_init(struct cr_config *config);

/* The values of interval=, "auto" or a time, */
int cr_config_interval(const char *text, int64_t *seconds, struct cr_error *err);

/* and of compress=, pool=, keep=, files=, net=, timelimit=, fallback= and restart_cap=, which users write as well.
 * Only written on success. */
int cr_config_compress(const char *text, int *level, struct cr_error *err);
int cr_config_pool(const char *text, uint64_t *bytes, struct cr_error *err);
int cr_config_keep(const char *text, int *keep, struct cr_error *err);
int cr_config_files(const char *text, int *files, struct cr_error *err);
int cr_config_net(const char *text, int *private_net, struct cr_error *err);
int cr_config_timelimit(const char *text, int *requeue, struct cr_error *err);
int cr_config_fallback(const char *text, int *fallback, struct cr_error *err);
int cr_config_restarts(const char *text, int *cap, struct cr_error *err);

/* Apply "key=value" arguments over what config holds. Every unknown key, missing value, relative path or
 * number out of range is an error that names the argument. */
int cr_config_parse(struct cr_config *config, int argc, char *const argv[], struct cr_error *err);

/* cr_config_init, then the arguments of the first "required|optional .../spank_cr.so ARG..." line in the
 * plugstack file at path (comments and blank lines as Slurm reads them). */
int cr_config_read(struct cr_config *config, const char *path, struct cr_error *err);

/* Expand %u, %U and %% of template for a user into buf. Any other % is an error. */
int cr_config_expand(const char *template, uid_t uid, const char *user, char *buf, size_t size,
		     struct cr_error *err);

/* What of template is the same for all users: its directories before the first component with a %. "" for "". */
int cr_config_common(const char *template, char *buf, size_t size, struct cr_error *err);

#endif
