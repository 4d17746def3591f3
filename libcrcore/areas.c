/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "areas.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE	     4096u
#define WORTH	     (256u << 10) /* shared bytes that are worth a cut or a mark */
#define RESERVED_MIN (1u << 20)	  /* of a reservation */
#define GAP_MIN	     (64u << 20)  /* of a reservation around pages */
#define ROUNDS	     32
#define AREAS_MAX    60000 /* the kernel's limit is 65530 for a process */

struct cuts {
	uint64_t *at;
	size_t n, room;
};

/* ---- the lists ---- */

static int room_make(void **data, size_t n, size_t *room, size_t size, struct cr_error *err)
{
	size_t want = *room ? *room * 2 : 64;
	void *more;

	if (n < *room)
		return 0;
	more = reallocarray(*data, want, size);
	if (!more)
		return cr_error_sys(err, ENOMEM, "memory areas");
	*data = more;
	*room = want;
	return 0;
}

int cr_space_area(struct cr_space *space, const struct cr_area *area, struct cr_error *err)
{
	if (room_make((void **)&space->areas, space->n_areas, &space->areas_room, sizeof(*area), err) < 0)
		return -1;
	space->areas[space->n_areas++] = *area;
	return 0;
}

int cr_space_pages(struct cr_space *space, uint64_t start, uint64_t end, struct cr_error *err)
{
	struct cr_pages *last = space->n_pages ? &space->pages[space->n_pages - 1] : NULL;

	if (last && last->end == start) {
		last->end = end;
		return 0;
	}
	if (room_make((void **)&space->pages, space->n_pages, &space->pages_room, sizeof(*last), err) < 0)
		return -1;
	space->pages[space->n_pages++] = (struct cr_pages){start, end};
	return 0;
}

void cr_space_clear(struct cr_space *space)
{
	free(space->areas);
	free(space->pages);
	*space = (struct cr_space){0};
}

static int cut_add(struct cuts *cuts, uint64_t at, struct cr_error *err)
{
	if (room_make((void **)&cuts->at, cuts->n, &cuts->room, sizeof(*cuts->at), err) < 0)
		return -1;
	cuts->at[cuts->n++] = at;
	return 0;
}

static int cut_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* ---- pages ---- */

/* The first run that ends behind an address. */
static size_t pages_find(const struct cr_space *space, uint64_t at)
{
	size_t low = 0, high = space->n_pages;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (space->pages[middle].end <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Do both have enough pages of a range for that to matter? */
static bool pages_worth(const struct cr_space *a, const struct cr_space *b, uint64_t start, uint64_t end)
{
	uint64_t sum = 0;

	if (end - start < WORTH)
		return false;
	for (size_t i = pages_find(a, start), j = pages_find(b, start); i < a->n_pages && j < b->n_pages;) {
		const struct cr_pages *x = &a->pages[i], *y = &b->pages[j];
		uint64_t from = x->start > y->start ? x->start : y->start, to = x->end < y->end ? x->end : y->end;

		from = from > start ? from : start;
		to = to < end ? to : end;
		if (from >= end)
			break;
		sum += to > from ? to - from : 0;
		if (sum >= WORTH)
			return true;
		if (x->end < y->end)
			i++;
		else
			j++;
	}
	return false;
}

/* ---- reservations ---- */

static bool is_private(const struct cr_area *a)
{
	return (a->status & CR_AREA_REGULAR) && (a->status & (CR_AREA_ANON_PRIVATE | CR_AREA_FILE_PRIVATE));
}

/* Can it be cut, and be shared with a parent? */
static bool is_plain(const struct cr_area *a)
{
	return is_private(a) &&
	       !(a->status & (CR_AREA_VDSO | CR_AREA_VVAR | CR_AREA_AIORING | CR_AREA_SHSTK | CR_AREA_GUARD)) &&
	       !(a->flags & (MAP_GROWSDOWN | MAP_HUGETLB));
}

static bool is_reservation(const struct cr_area *a)
{
	return is_plain(a) && (a->status & CR_AREA_ANON_PRIVATE) && !(a->prot & PROT_WRITE) &&
	       a->end - a->start >= RESERVED_MIN;
}

/* One part of an area. What is not "private" to criu is mapped at the end, by its flags and its protection. */
static int part_add(struct cr_space *to, const struct cr_area *a, uint64_t start, uint64_t end, bool reserved,
		    struct cr_error *err)
{
	struct cr_area part = *a;

	part.start = start;
	part.end = end;
	if (a->status & CR_AREA_FILE_PRIVATE)
		part.offset += start - a->start;
	if (reserved)
		part.status = CR_AREA_REGULAR | CR_AREA_NO_PROT_WRITE;
	return start < end ? cr_space_area(to, &part, err) : 0;
}

static int reservation_cut(const struct cr_space *space, struct cr_space *to, const struct cr_area *a,
			   struct cr_error *err)
{
	uint64_t kept = a->start; /* up to here it has gone over */
	uint64_t gap = a->start;

	for (size_t i = pages_find(space, a->start);; i++) {
		bool last = i >= space->n_pages || space->pages[i].start >= a->end;
		uint64_t gap_end = last ? a->end : space->pages[i].start;
		bool whole = last && gap == a->start;

		if (gap_end > gap && (whole || gap_end - gap >= GAP_MIN)) {
			if (part_add(to, a, kept, gap, false, err) < 0 ||
			    part_add(to, a, gap, gap_end, true, err) < 0)
				return -1;
			kept = gap_end;
		}
		if (last)
			return part_add(to, a, kept, a->end, false, err);
		gap = space->pages[i].end;
	}
}

static void areas_replace(struct cr_space *space, struct cr_space *by)
{
	free(space->areas);
	space->areas = by->areas;
	space->n_areas = by->n_areas;
	space->areas_room = by->areas_room;
	by->areas = NULL;
}

static int reservations_find(struct cr_space *space, uint64_t memory, struct cr_error *err)
{
	struct cr_space to = {0};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < space->n_areas; i++) {
		struct cr_area *a = &space->areas[i];

		rc = is_reservation(a) ? reservation_cut(space, &to, a, err) : cr_space_area(&to, a, err);
	}
	for (size_t i = 0; rc == 0 && i < to.n_areas; i++) {
		if (is_private(&to.areas[i]) && to.areas[i].end - to.areas[i].start > memory)
			to.areas[i].flags |= MAP_NORESERVE;
	}
	if (rc == 0)
		areas_replace(space, &to);
	cr_space_clear(&to);
	return rc;
}

/* ---- areas that parent and child share ---- */

static bool is_same_kind(const struct cr_area *a, const struct cr_area *b)
{
	if (!is_plain(a) || !is_plain(b) || ((a->flags ^ b->flags) & MAP_ANONYMOUS))
		return false;
	return (a->flags & MAP_ANONYMOUS) || (a->file == b->file && a->offset - a->start == b->offset - b->start);
}

static int cut_inside(struct cuts *cuts, const struct cr_area *a, const struct cr_area *other,
		      struct cr_error *err)
{
	if (other->start > a->start && other->start < a->end && cut_add(cuts, other->start, err) < 0)
		return -1;
	if (other->end > a->start && other->end < a->end && cut_add(cuts, other->end, err) < 0)
		return -1;
	return 0;
}

/* Where each of two processes is to be cut for the other. */
static int pair_look(const struct cr_space *c, const struct cr_space *p, struct cuts *of_c, struct cuts *of_p,
		     struct cr_error *err)
{
	for (size_t i = 0, j = 0; i < c->n_areas && j < p->n_areas;) {
		const struct cr_area *a = &c->areas[i], *b = &p->areas[j];
		uint64_t start = a->start > b->start ? a->start : b->start;
		uint64_t end = a->end < b->end ? a->end : b->end;

		if (start < end && (a->start != b->start || a->end != b->end) && is_same_kind(a, b) &&
		    pages_worth(c, p, start, end) &&
		    (cut_inside(of_c, a, b, err) < 0 || cut_inside(of_p, b, a, err) < 0))
			return -1;
		if (a->end < b->end)
			i++;
		else
			j++;
	}
	return 0;
}

static int cuts_apply(struct cr_space *space, struct cuts *cuts, struct cr_error *err)
{
	struct cr_space to = {0};
	size_t k = 0;
	int rc = 0;

	if (cuts->n == 0)
		return 0;
	qsort(cuts->at, cuts->n, sizeof(*cuts->at), cut_compare);
	for (size_t i = 0; rc == 0 && i < space->n_areas; i++) {
		const struct cr_area *a = &space->areas[i];
		uint64_t from = a->start;

		for (; rc == 0 && k < cuts->n && cuts->at[k] < a->end; k++) {
			if (cuts->at[k] <= from)
				continue;
			rc = part_add(&to, a, from, cuts->at[k], false, err);
			from = cuts->at[k];
		}
		/* an area that is not cut goes over as it is */
		rc = rc == 0 ? part_add(&to, a, from, a->end, false, err) : rc;
	}
	if (rc == 0)
		areas_replace(space, &to);
	cr_space_clear(&to);
	return rc;
}

/* Returns 1 when there was something to cut. */
static int pair_cut(struct cr_space *c, struct cr_space *p, struct cr_error *err)
{
	struct cuts of_c = {0}, of_p = {0};
	int rc = pair_look(c, p, &of_c, &of_p, err);

	if (rc == 0 && (c->n_areas + of_c.n > AREAS_MAX || p->n_areas + of_p.n > AREAS_MAX))
		of_c.n = of_p.n = 0;
	if (rc == 0)
		rc = cuts_apply(c, &of_c, err);
	if (rc == 0)
		rc = cuts_apply(p, &of_p, err);
	if (rc == 0)
		rc = of_c.n + of_p.n > 0;
	free(of_c.at);
	free(of_p.at);
	return rc;
}

/* criu looks no further when they run another program. */
static struct cr_space *parent_of(struct cr_space *spaces, const struct cr_space *c)
{
	struct cr_space *p = c->parent == CR_SPACE_NONE ? NULL : &spaces[c->parent];

	return p && p->exe == c->exe && p->n_areas && c->n_areas ? p : NULL;
}

/* A cut for one child is one for its siblings, so again until there is none. */
static int tree_cut(struct cr_space *spaces, size_t n, struct cr_error *err)
{
	bool again = true;

	for (int round = 0; again && round < ROUNDS; round++) {
		again = false;
		for (size_t i = 0; i < n; i++) {
			struct cr_space *p = parent_of(spaces, &spaces[i]);
			int rc = p ? pair_cut(&spaces[i], p, err) : 0;

			if (rc < 0)
				return -1;
			again |= rc > 0;
		}
	}
	return 0;
}

/* ---- marks ---- */

static bool is_shared(const struct cr_space *c, const struct cr_area *a, const struct cr_space *p,
		      const struct cr_area *b)
{
	return a->start == b->start && a->end == b->end && is_same_kind(a, b) &&
	       pages_worth(c, p, a->start, a->end);
}

/* criu's walk (prepare_cow_vmas_for). What it skips together with an area of the child alone is looked at here. */
static int marks_look(const struct cr_space *c, const struct cr_space *p, struct cuts *marks, struct cr_error *err)
{
	size_t i = 0, j = 0;

	while (i < c->n_areas && j < p->n_areas) {
		bool met = c->areas[i].start == p->areas[j].start;

		while (i < c->n_areas && c->areas[i].start <= p->areas[j].start) {
			if (!met && is_shared(c, &c->areas[i], p, &p->areas[j]) &&
			    cut_add(marks, c->areas[i - 1].start, err) < 0)
				return -1;
			i++;
		}
		while (i < c->n_areas && j < p->n_areas && p->areas[j].start < c->areas[i].start)
			j++;
	}
	return 0;
}

static int marks_set(struct cr_space *p, const struct cuts *marks, struct cr_error *err)
{
	struct cr_space to = {0};
	size_t k = 0;
	int rc = 0;

	if (marks->n == 0 || p->n_areas + marks->n > AREAS_MAX)
		return 0;
	for (size_t i = 0; rc == 0 && i < p->n_areas; i++) {
		for (; rc == 0 && k < marks->n && marks->at[k] < p->areas[i].start; k++) {
			const struct cr_area mark = {
				.start = marks->at[k], .end = marks->at[k], .from = CR_AREA_MARK};

			rc = cr_space_area(&to, &mark, err);
		}
		if (rc == 0)
			rc = cr_space_area(&to, &p->areas[i], err);
	}
	if (rc == 0)
		areas_replace(p, &to);
	cr_space_clear(&to);
	return rc;
}

/* The children first: a mark of theirs is in their parent's list when that is held against its own parent's. */
static int tree_mark(struct cr_space *spaces, size_t n, struct cr_error *err)
{
	int rc = 0;

	for (size_t i = n; rc == 0 && i-- > 0;) {
		struct cr_space *p = parent_of(spaces, &spaces[i]);
		struct cuts marks = {0};

		rc = p ? marks_look(&spaces[i], p, &marks, err) : 0;
		if (rc == 0 && p)
			rc = marks_set(p, &marks, err);
		free(marks.at);
	}
	return rc;
}

/* ---- all of it ---- */

static bool is_sorted(const struct cr_space *space)
{
	uint64_t end = 0;

	for (size_t i = 0; i < space->n_areas; end = space->areas[i++].end) {
		if (space->areas[i].start < end || space->areas[i].end <= space->areas[i].start)
			return false;
	}
	end = 0;
	for (size_t i = 0; i < space->n_pages; end = space->pages[i++].end) {
		if (space->pages[i].start < end || space->pages[i].end <= space->pages[i].start)
			return false;
	}
	return true;
}

int cr_areas_arrange(struct cr_space *spaces, size_t n, uint64_t memory, struct cr_error *err)
{
	for (size_t i = 0; i < n; i++) {
		if (!is_sorted(&spaces[i]) || (spaces[i].parent != CR_SPACE_NONE && spaces[i].parent >= i))
			return cr_error_set(err, EBADMSG, "process %u has memory areas in disorder",
					    spaces[i].pid);
		if (reservations_find(&spaces[i], memory, err) < 0)
			return -1;
	}
	return tree_cut(spaces, n, err) < 0 || tree_mark(spaces, n, err) < 0 ? -1 : 0;
}
