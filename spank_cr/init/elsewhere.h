/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* elsewhere.h - is there another node that Slurm could start the job on?
 *
 * Slurm holds a job that excludes every node it could have, for good, and that is worse than a start from the
 * beginning. So a node counts only when it can be had and has what the job asks for by name, and what cannot be
 * judged from here is not tried.
 */

#ifndef CR_INIT_ELSEWHERE_H
#define CR_INIT_ELSEWHERE_H

#include <stdbool.h>

#include "error.h"

#define ELSEWHERE_FORMAT "%R %N %T %f %G" /* of sinfo: partition, name, state, features, generic resources */

struct elsewhere {
	char partitions[512]; /* "main,long" */
	char features[256];   /* "avx2&icelake", all of them; "" for none */
	char gres[512];	      /* as in --gres: "gres/gpu:a100:2"; "" for none */
};

/* Read what the job asks for from its line of "scontrol --oneliner show job". ENOTSUP when that cannot be judged:
 * a reservation, alternatives among features. */
int elsewhere_read(struct elsewhere *wish, const char *line, struct cr_error *err);

/* Is there a node in nodes, lines in ELSEWHERE_FORMAT, that is in one of the job's partitions, not in gone, a name
 * a line, and will do? */
bool elsewhere_is(const struct elsewhere *wish, const char *nodes, const char *gone);

#endif
