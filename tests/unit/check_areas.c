/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include <sys/mman.h>

#include "../../libcrcore/areas.h"

#define MIB  (1ull << 20)
#define GIB  (1ull << 30)
#define ANON (CR_AREA_REGULAR | CR_AREA_ANON_PRIVATE)
#define RAM  (8 * GIB)

static struct cr_error err;

/* An area of anonymous memory, in MiB, and all of its pages. */
static void put(struct cr_space *s, uint64_t start, uint64_t end, int prot)
{
	const struct cr_area a = {.start = start * MIB,
				  .end = end * MIB,
				  .prot = (uint32_t)prot,
				  .flags = MAP_PRIVATE | MAP_ANONYMOUS,
				  .status = ANON,
				  .from = s->n_areas};

	ck_assert_int_eq(cr_space_area(s, &a, &err), 0);
}

static void put_full(struct cr_space *s, uint64_t start, uint64_t end)
{
	put(s, start, end, PROT_READ | PROT_WRITE);
	ck_assert_int_eq(cr_space_pages(s, start * MIB, end * MIB, &err), 0);
}

static void is(const struct cr_space *s, size_t i, uint64_t start, uint64_t end)
{
	ck_assert_uint_lt(i, s->n_areas);
	ck_assert_uint_eq(s->areas[i].start, start * MIB);
	ck_assert_uint_eq(s->areas[i].end, end * MIB);
}

static void clear(struct cr_space *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		cr_space_clear(&s[i]);
}

/* What criu's prepare_cow_vmas_for() makes of two lists: the bytes that are shared. */
static uint64_t criu_shares(const struct cr_space *c, const struct cr_space *p)
{
	uint64_t sum = 0;
	size_t i = 0, j = 0;

	while (1) {
		const struct cr_area *a = &c->areas[i], *b = &p->areas[j];

		if (a->start == b->start && a->end == b->end && (a->status & ANON) == ANON &&
		    (b->status & ANON) == ANON)
			sum += a->end - a->start;
		while (c->areas[i].start <= p->areas[j].start) {
			if (++i == c->n_areas)
				return sum;
		}
		while (p->areas[j].start < c->areas[i].start) {
			if (++j == p->n_areas)
				return sum;
		}
	}
}

/* ---- reservations ---- */

START_TEST(a_reservation_is_mapped_as_it_was)
{
	struct cr_space s = {.parent = CR_SPACE_NONE};

	put(&s, 16, 16 + 65536, PROT_NONE);
	put_full(&s, 70000, 70008);
	put(&s, 70008, 70009, PROT_READ | PROT_WRITE); /* no pages, but it can be written */
	ck_assert_int_eq(cr_areas_arrange(&s, 1, RAM, &err), 0);
	ck_assert_uint_eq(s.n_areas, 3);
	ck_assert_uint_eq(s.areas[0].status, CR_AREA_REGULAR | CR_AREA_NO_PROT_WRITE);
	ck_assert_uint_eq(s.areas[0].flags, MAP_PRIVATE | MAP_ANONYMOUS);
	ck_assert_uint_eq(s.areas[1].status, ANON);
	ck_assert_uint_eq(s.areas[2].status, ANON);
	clear(&s, 1);
}
END_TEST

START_TEST(a_reservation_with_pages_is_cut_around_them)
{
	struct cr_space s = {.parent = CR_SPACE_NONE};

	put(&s, 0, 65536, PROT_NONE);
	ck_assert_int_eq(cr_space_pages(&s, 100 * MIB, 101 * MIB, &err), 0);
	ck_assert_int_eq(cr_space_pages(&s, 110 * MIB, 111 * MIB, &err), 0); /* too near for a cut */
	ck_assert_int_eq(cr_areas_arrange(&s, 1, RAM, &err), 0);
	ck_assert_uint_eq(s.n_areas, 3);
	is(&s, 0, 0, 100);
	is(&s, 1, 100, 111);
	is(&s, 2, 111, 65536);
	ck_assert_uint_eq(s.areas[0].status, CR_AREA_REGULAR | CR_AREA_NO_PROT_WRITE);
	ck_assert_uint_eq(s.areas[1].status, ANON);
	ck_assert_uint_eq(s.areas[2].status, CR_AREA_REGULAR | CR_AREA_NO_PROT_WRITE);
	ck_assert_uint_eq(s.areas[2].from, 0);
	clear(&s, 1);
}
END_TEST

START_TEST(what_the_machine_does_not_have_is_not_accounted)
{
	struct cr_space s = {.parent = CR_SPACE_NONE};

	put(&s, 0, 65536, PROT_READ | PROT_WRITE);
	put(&s, 65536, 65540, PROT_READ | PROT_WRITE);
	ck_assert_int_eq(cr_areas_arrange(&s, 1, RAM, &err), 0);
	ck_assert_uint_eq(s.areas[0].flags, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
	ck_assert_uint_eq(s.areas[1].flags, MAP_PRIVATE | MAP_ANONYMOUS);
	clear(&s, 1);
}
END_TEST

START_TEST(stacks_are_left_alone)
{
	struct cr_space s = {.parent = CR_SPACE_NONE};

	put(&s, 0, 8, PROT_NONE);
	s.areas[0].flags |= MAP_GROWSDOWN;
	put(&s, 8, 16, PROT_READ);
	s.areas[1].status |= CR_AREA_VDSO;
	ck_assert_int_eq(cr_areas_arrange(&s, 1, RAM, &err), 0);
	ck_assert_uint_eq(s.areas[0].status, ANON);
	ck_assert_uint_eq(s.areas[1].status, ANON | CR_AREA_VDSO);
	clear(&s, 1);
}
END_TEST

/* ---- parents and children ---- */

START_TEST(an_area_that_grew_in_the_parent)
{
	struct cr_space s[2] = {{.parent = CR_SPACE_NONE}, {.parent = 0}};

	put_full(&s[0], 90, 250); /* the parent mapped more below the table: joined */
	put_full(&s[1], 100, 250);
	ck_assert_int_eq(cr_areas_arrange(s, 2, RAM, &err), 0);
	ck_assert_uint_eq(s[0].n_areas, 2);
	is(&s[0], 0, 90, 100);
	is(&s[0], 1, 100, 250);
	ck_assert_uint_eq(s[1].n_areas, 1);
	ck_assert_uint_eq(criu_shares(&s[1], &s[0]), 150 * MIB);
	clear(s, 2);
}
END_TEST

START_TEST(a_heap_that_grew_in_one_of_the_children)
{
	struct cr_space s[4] = {{.parent = CR_SPACE_NONE}, {.parent = 0}, {.parent = 0}, {.parent = 2}};

	put_full(&s[0], 10, 60);
	put_full(&s[1], 10, 80);
	put_full(&s[2], 10, 50); /* shrunk */
	put_full(&s[3], 10, 70);
	ck_assert_int_eq(cr_areas_arrange(s, 4, RAM, &err), 0);
	ck_assert_uint_eq(criu_shares(&s[1], &s[0]), 50 * MIB);
	ck_assert_uint_eq(criu_shares(&s[2], &s[0]), 40 * MIB);
	ck_assert_uint_eq(criu_shares(&s[3], &s[2]), 40 * MIB);
	is(&s[1], s[1].n_areas - 1, 60, 80);
	clear(s, 4);
}
END_TEST

START_TEST(an_area_of_the_child_alone_costs_nothing)
{
	struct cr_space s[3] = {{.parent = CR_SPACE_NONE}, {.parent = 0}, {.parent = 1}};

	put_full(&s[0], 10, 20);
	put_full(&s[0], 100, 250);
	put_full(&s[1], 10, 20);
	put_full(&s[1], 40, 42);
	put_full(&s[1], 50, 52);
	put_full(&s[1], 100, 250);
	put_full(&s[2], 10, 20);
	put_full(&s[2], 60, 62); /* in no parent's list: marks all the way up */
	put_full(&s[2], 100, 250);
	ck_assert_uint_eq(criu_shares(&s[1], &s[0]), 10 * MIB);
	ck_assert_int_eq(cr_areas_arrange(s, 3, RAM, &err), 0);
	ck_assert_uint_eq(criu_shares(&s[1], &s[0]), 160 * MIB);
	ck_assert_uint_eq(criu_shares(&s[2], &s[1]), 160 * MIB);
	ck_assert_uint_eq(s[0].n_areas, 3);
	is(&s[0], 1, 60, 60);
	ck_assert_uint_eq(s[0].areas[1].from, CR_AREA_MARK);
	ck_assert_uint_eq(s[0].areas[1].status, 0);
	ck_assert_uint_eq(s[2].n_areas, 3);
	clear(s, 3);
}
END_TEST

START_TEST(no_cut_without_something_shared)
{
	struct cr_space s[3] = {{.parent = CR_SPACE_NONE}, {.parent = 0}, {.parent = 0, .exe = 1}};

	put_full(&s[0], 10, 60);
	put(&s[1], 10, 80, PROT_READ | PROT_WRITE); /* no pages */
	put_full(&s[2], 20, 60);		    /* runs another program */
	ck_assert_int_eq(cr_areas_arrange(s, 3, RAM, &err), 0);
	for (size_t i = 0; i < 3; i++)
		ck_assert_uint_eq(s[i].n_areas, 1);
	clear(s, 3);
}
END_TEST

START_TEST(a_file_is_cut_with_its_offset)
{
	struct cr_space s[2] = {{.parent = CR_SPACE_NONE}, {.parent = 0}};

	put_full(&s[0], 10, 60);
	put_full(&s[1], 10, 40);
	for (size_t i = 0; i < 2; i++) {
		s[i].areas[0].flags = MAP_PRIVATE;
		s[i].areas[0].status = CR_AREA_REGULAR | CR_AREA_FILE_PRIVATE;
		s[i].areas[0].file = 7;
		s[i].areas[0].offset = 4 * MIB;
	}
	ck_assert_int_eq(cr_areas_arrange(s, 2, RAM, &err), 0);
	ck_assert_uint_eq(s[0].n_areas, 2);
	is(&s[0], 1, 40, 60);
	ck_assert_uint_eq(s[0].areas[1].offset, 34 * MIB);
	clear(s, 2);
}
END_TEST

START_TEST(disorder)
{
	struct cr_space s = {.parent = CR_SPACE_NONE};

	put(&s, 20, 30, PROT_READ);
	put(&s, 10, 20, PROT_READ);
	ck_assert_int_eq(cr_areas_arrange(&s, 1, RAM, &err), -1);
	ck_assert_int_eq(err.errnum, EBADMSG);
	clear(&s, 1);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{a_reservation_is_mapped_as_it_was, false},
		{a_reservation_with_pages_is_cut_around_them, false},
		{what_the_machine_does_not_have_is_not_accounted, false},
		{stacks_are_left_alone, false},
		{an_area_that_grew_in_the_parent, false},
		{a_heap_that_grew_in_one_of_the_children, false},
		{an_area_of_the_child_alone_costs_nothing, false},
		{no_cut_without_something_shared, false},
		{a_file_is_cut_with_its_offset, false},
		{disorder, false},
	};

	return unit_main("areas", tests, sizeof(tests) / sizeof(tests[0]));
}
