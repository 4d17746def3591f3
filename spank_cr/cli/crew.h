/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* crew.h - do the same to many, some of them at a time, each in a process of its own */

#ifndef CLI_CREW_H
#define CLI_CREW_H

#include <jansson.h>
#include <stddef.h>

#include "error.h"

#define CREW_MOST 64

struct crew {
	json_t *(*work)(size_t i, void *arg);		   /* there; NULL: nothing can be said of it */
	void (*told)(size_t i, json_t *answer, void *arg); /* here, as each ends; answer may be NULL */
	void *arg;
};

/* For each i below n, at most at_once (up to CREW_MOST) at a time. */
int crew_run(const struct crew *crew, size_t n, size_t at_once, struct cr_error *err);

#endif
