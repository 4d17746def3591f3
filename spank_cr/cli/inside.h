/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* inside.h - scheckpoint create as one of the job's own processes (crinit's half: init/inside.h) */

#ifndef CR_CLI_INSIDE_H
#define CR_CLI_INSIDE_H

#include <stdbool.h>

#include "cli.h"

/* Is this process one of the job that it asks for? */
bool inside_is(const struct target *target);

/* Ask, and wait until the checkpoint is committed, or until this process has been restored from it. */
int inside_create(const struct cli *cli, struct cr_error *err);

#endif
