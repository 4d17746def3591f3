/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* launch_env.h - the job's environment: what of it a restart changes for good, and what we add */

#ifndef CR_PLUGIN_LAUNCH_ENV_H
#define CR_PLUGIN_LAUNCH_ENV_H

#include <stddef.h>

#include <slurm/spank.h>

#define LAUNCH_INFO_ENV "SPANK_CR_INFO"

/* "NAME=value" lines of those that are set, as many as fit. A value with a newline is left out. */
void launch_env_read(spank_t sp, char *buf, size_t size);

/* Environment variables that a job with a network of its own gets unless it has them. */
void launch_env_private(spank_t sp);

#endif
