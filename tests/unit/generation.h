/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* generation.h - the least that a manifest has to say */

#ifndef CR_GENERATION_H
#define CR_GENERATION_H

#include "../../libcrcore/manifest.h"

static inline struct cr_manifest generation_manifest(uint32_t generation, uint32_t run)
{
	return (struct cr_manifest){.job = 4711,
				    .part = (char *)"batch.0",
				    .node = (char *)"n1",
				    .user = (char *)"alice",
				    .run = run,
				    .generation = generation,
				    .reason = (char *)"interval",
				    .time = (char *)"2026-03-01T12:34:56Z",
				    .kernel = (char *)"",
				    .cpu_model = (char *)"",
				    .cpu_flags = (char *)"",
				    .glibc = (char *)"",
				    .net = (char *)"host",
				    .groups = (char *)"",
				    .criu = (char *)"",
				    .command = (char *)"",
				    .root_pid = 2,
				    .tasks = 1};
}

#endif
