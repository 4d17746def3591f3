/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* private.h - the job's private /tmp, /var/tmp and /dev/shm: one tar archive in the generation */

#ifndef CR_INIT_PRIVATE_H
#define CR_INIT_PRIVATE_H

#include "error.h"
#include "job.h"

/* While frozen. Sockets are left out: criu binds them again. */
int private_save(const struct job *job, const char *dir, struct cr_error *err);

/* Into the fresh directories of this namespace. */
int private_restore(const struct job *job, const char *dir, struct cr_error *err);

#endif
