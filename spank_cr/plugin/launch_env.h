/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* launch_env.h - what of the job's environment a restart changes for good */

#ifndef CR_PLUGIN_LAUNCH_ENV_H
#define CR_PLUGIN_LAUNCH_ENV_H

#include <stddef.h>

#include <slurm/spank.h>

#define LAUNCH_INFO_ENV "SPANK_CR_INFO"

/* "NAME=value" lines of those that are set, as many as fit. A value with a newline is left out. */
void launch_env_read(spank_t sp, char *buf, size_t size);

#endif
