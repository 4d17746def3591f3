/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* criu.h - criu's command lines */

#ifndef CR_INIT_CRIU_H
#define CR_INIT_CRIU_H

#include "error.h"
#include "hook.h"
#include "job.h"

#define CRIU_VERSION_TEXT 32

/* Ask criu for its version; refuse one that is missing, too old for us or known not to work on this kernel. One
 * that does not answer (ETIMEDOUT) is asked again, for a minute in all; criu_version_patient has that as it is
 * told. */
int criu_version(const char *criu, char version[CRIU_VERSION_TEXT], struct cr_error *err);
int criu_version_patient(const char *criu, char version[CRIU_VERSION_TEXT], int tries, int ms,
			 struct cr_error *err);

/* The comparison alone: version text against the kernel release. */
int criu_version_check(const char *version, const char *release, struct cr_error *err);

/* Start "criu dump" of the job's tree into the image writer that listens in the job's home, under the hook. final:
 * the tree dies on success. */
pid_t criu_dump_start(const struct job *job, const struct hook *hook, bool final, int *pidfd,
		      struct cr_error *err);

/* A descriptor to use where the dumped tree had path open. */
struct criu_inherit {
	int fd;
	const char *path; /* absolute */
};

/* Start "criu restore" from the directory of images dir, or from the image reader when that is NULL. */
pid_t criu_restore_start(const struct job *job, const struct hook *hook, const char *dir,
			 const struct criu_inherit *inherit, int n, int *pidfd, struct cr_error *err);

/* criu's log of a verb ("dump", "restore") on the node's tmpfs: the most telling line for an error text (buf is
 * always a string), a copy in the store's failed/ for whoever wants to know more, removed before the next. */
void criu_log_reason(const struct job *job, const char *verb, char *buf, size_t size);
/* The error of a criu that ended with this wait status, with the reason from its log. Returns -1. */
int criu_failure(const struct job *job, const char *verb, int status, struct cr_error *err);
void criu_log_keep(const struct job *job, const char *verb);
void criu_log_forget(const struct job *job, const char *verb);

#endif
