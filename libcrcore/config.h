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

struct cr_config {
	char dir[PATH_MAX];	/* dir=     checkpoint directory; %u user name, %U uid; absolute */
	char scratch[PATH_MAX]; /* scratch= node-local directory for private /tmp and /var/tmp */
	char criu[PATH_MAX];	/* criu=    absolute path of criu */
	int64_t interval;	/* interval= seconds between checkpoints when --checkpoint has no time */
	int64_t min_interval;	/* min_interval= seconds; a shorter --checkpoint=TIME is refused */
	uint64_t ghost_limit;	/* ghost_limit= bytes (suffix K, M, G): largest deleted-but-open file kept */
	int keep;		/* keep=    generations kept, at least 1 (default 2) */
	int log_level;		/* log=     error|info|debug as 0|1|2 */
};

/* Fill config with the defaults: dir "" (must be set), scratch /var/spool/spank_cr, criu /usr/sbin/criu,
 * interval 1 h, min_interval 1 s, ghost_limit 64M, keep 2, log info. */
void cr_config_init(struct cr_config *config);

/* Apply "key=value" arguments over what config holds. Every unknown key, missing value, relative path or
 * number out of range is an error that names the argument. */
int cr_config_parse(struct cr_config *config, int argc, char *const argv[], struct cr_error *err);

/* cr_config_init, then the arguments of the first "required|optional .../spank_cr.so ARG..." line in the
 * plugstack file at path (comments and blank lines as Slurm reads them). */
int cr_config_read(struct cr_config *config, const char *path, struct cr_error *err);

/* Expand %u, %U and %% of template for a user into buf. Any other % is an error. */
int cr_config_expand(const char *template, uid_t uid, const char *user, char *buf, size_t size,
		     struct cr_error *err);

#endif
