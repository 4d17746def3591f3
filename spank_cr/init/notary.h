/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* notary.h - crinit's side of the notary: have a manifest sealed, check a seal */

#ifndef CR_INIT_NOTARY_H
#define CR_INIT_NOTARY_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "hash.h"
#include "job.h"

#define NOTARY_CREDENTIAL 4096

/* crinit → notary; the notary knows job, uid and part itself. */
struct notary_request {
	uint32_t generation;
	char hash[CR_HASH_HEX];
};

/* notary → crinit */
struct notary_reply {
	struct notary_request request; /* what it answers */
	int ok;
	char text[NOTARY_CREDENTIAL]; /* the credential, or the error */
};

/* Seal the text of a manifest; *seal is malloc'ed. Waits at most 30 s. */
int notary_seal(const struct job *job, uint32_t generation, const char *manifest, size_t size, char **seal,
		struct cr_error *err);

/* Check DIR/manifest.seal against DIR/manifest.json. ECONNREFUSED: munged does not answer. */
int notary_check(const struct job *job, uint32_t generation, const char *dir, struct cr_error *err);

#endif
