/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* areas.h - the private memory of a tree of processes, arranged so that criu puts it back as it was
 *
 * criu's restore has three ways that cost what the job had not paid. This finds what to change in the lists of
 * memory areas (mm-PID.img) for them; nothing of what a process sees is changed.
 *
 * - It maps every private area writable at first, for which the kernel wants memory or the promise of some. One
 * that the process cannot write and that has no pages, a reservation, is mapped where it belongs at once instead,
 * as it was; and what is larger than the machine's memory is not accounted for.
 * - A child shares pages with its parent only where both have an area from the same address to the same one. So an
 *   area that has grown in one of them, most often because the next mapping was joined to it, is cut in two where
 *   the other's ends. The kernel joins most of them again.
 * - In its walk along both lists an area that the child alone has makes it miss the next one that both have. A
 * mark, an area of no size and no kind, in the parent's list keeps it from that: it takes no part in anything
 * else.
 */

#ifndef CR_AREAS_H
#define CR_AREAS_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

#define CR_AREA_MARK  SIZE_MAX
#define CR_SPACE_NONE SIZE_MAX

/* criu/include/image.h of CRIU: the status of an area */
#define CR_AREA_REGULAR	      (1u << 0)
#define CR_AREA_VDSO	      (1u << 3)
#define CR_AREA_FILE_PRIVATE  (1u << 6)
#define CR_AREA_ANON_PRIVATE  (1u << 9)
#define CR_AREA_VVAR	      (1u << 12)
#define CR_AREA_AIORING	      (1u << 13)
#define CR_AREA_SHSTK	      (1u << 15)
#define CR_AREA_GUARD	      (1u << 16)
#define CR_AREA_NO_PROT_WRITE (1u << 29)

struct cr_area {
	uint64_t start, end;
	uint64_t file, offset; /* of a private mapping of a file */
	uint32_t prot, flags, status;
	size_t from; /* the image's entry that it is, or is a part of; CR_AREA_MARK: a mark */
};

struct cr_pages {
	uint64_t start, end;
};

/* A process. Areas and pages (those that are in the image) by address, from malloc(). */
struct cr_space {
	uint32_t pid, exe;
	size_t parent; /* CR_SPACE_NONE: it has none here */
	struct cr_area *areas;
	size_t n_areas, areas_room;
	struct cr_pages *pages;
	size_t n_pages, pages_room;
};

/* Rearrange the areas of all of them; a parent is before its children. memory: bytes that the machine has. */
int cr_areas_arrange(struct cr_space *spaces, size_t n, uint64_t memory, struct cr_error *err);

/* Append one. */
int cr_space_area(struct cr_space *space, const struct cr_area *area, struct cr_error *err);
int cr_space_pages(struct cr_space *space, uint64_t start, uint64_t end, struct cr_error *err);
void cr_space_clear(struct cr_space *space);

#endif
