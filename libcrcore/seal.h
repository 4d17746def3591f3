/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* seal.h - a manifest sealed by munge: only a crinit can have made it
 *
 * crinit runs as the user and so does everything that might forge an image for it. The notary, a process
 * with root's uid and no capability, puts a typed digest of the manifest into a munge credential. At the
 * restore the credential must decode, come from uid 0 and say the same. Munge answers EXPIRED, REPLAYED or (by a
 * clock that is behind) REWOUND for a credential whose signature it has checked: a checkpoint is old by nature,
 * read many times, and on another node; all three are accepted.
 */

#ifndef CR_SEAL_H
#define CR_SEAL_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "hash.h"

#define CR_SEAL_PAYLOAD 512

/* The typed text: "spank_cr manifest 1 job=… uid=… part=… generation=… blake2b=HEX". */
int cr_seal_payload(uint32_t job, uint32_t uid, const char *part, uint32_t generation,
		    const char hash[CR_HASH_HEX], char buf[CR_SEAL_PAYLOAD], struct cr_error *err);

/* Make a credential of payload; *credential is malloc'ed. Meaningful when called with uid 0. */
int cr_seal_make(const char *payload, char **credential, struct cr_error *err);

/* Check that credential comes from uid 0 and carries payload exactly. ECONNREFUSED: munged does not answer. */
int cr_seal_check(const char *credential, const char *payload, struct cr_error *err);

#endif
