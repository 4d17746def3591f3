/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* cut.h - where to cut a tar archive into chunks, so that a file that has not changed gives the same chunks
 * wherever in the archive it lies
 *
 * The cuts decide about nothing but how much is found again: an archive that is misread is stored as well as any.
 */

#ifndef CR_CUT_H
#define CR_CUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cr_cut {
	unsigned char header[512];
	uint32_t have;	 /* bytes of the header */
	uint64_t left;	 /* bytes of the member's content, with its padding */
	bool content;	 /* it is a file's, not a header's extension */
	uint32_t length; /* bytes in the chunk so far */
};

/* How many of the n > 0 bytes at data still belong to the chunk (at least 1), and whether it ends behind them. */
size_t cr_cut_next(struct cr_cut *cut, const void *data, size_t n, bool *end);

#endif
