/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "edits.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>

#include "areas.h"
#include "proto/mm.pb-c.h"

#define PROCESSES_MAX 65536u
#define RUNS_MAX      (4u << 20) /* of pages, of all processes: 64 MiB */
#define PAGE	      4096u

/* All processes of the generation, as they are to be. NULL spaces: as they are in the images. */
struct mm_plan {
	struct cr_space *spaces;
	size_t n, room, runs;
	size_t reading; /* which one's areas and pages are read */
};

/* ---- reading ---- */

static size_t space_find(const struct mm_plan *plan, uint32_t pid)
{
	for (size_t i = 0; i < plan->n; i++) {
		if (plan->spaces[i].pid == pid)
			return i;
	}
	return CR_SPACE_NONE;
}

static int process_read(ProtobufCMessage *message, struct cr_criuedit_entry *at, struct cr_error *err)
{
	const Criu__PstreeEntry *entry = (const Criu__PstreeEntry *)message;
	struct mm_plan *plan = at->arg;

	if (plan->n == plan->room) {
		size_t room = plan->room ? plan->room * 2 : 64;
		struct cr_space *more =
			room <= PROCESSES_MAX ? reallocarray(plan->spaces, room, sizeof(*more)) : NULL;

		if (!more)
			return cr_error_sys(err, ENOMEM, "processes");
		plan->spaces = more;
		plan->room = room;
	}
	plan->spaces[plan->n] = (struct cr_space){.pid = entry->pid, .parent = space_find(plan, entry->ppid)};
	plan->n++;
	return CR_CRIUEDIT_KEEP;
}

static int areas_read(ProtobufCMessage *message, struct cr_criuedit_entry *at, struct cr_error *err)
{
	const Criu__MmEntry *mm = (const Criu__MmEntry *)message;
	struct mm_plan *plan = at->arg;
	struct cr_space *space = &plan->spaces[plan->reading];

	space->exe = mm->exe_file_id;
	for (size_t i = 0; i < mm->n_vmas; i++) {
		const Criu__VmaEntry *vma = mm->vmas[i];
		const struct cr_area area = {.start = vma->start,
					     .end = vma->end,
					     .file = vma->shmid,
					     .offset = vma->pgoff,
					     .prot = vma->prot,
					     .flags = vma->flags,
					     .status = vma->status,
					     .from = i};

		/* these are at the end, and no areas but what is kept of them */
		if (vma->status & CR_AREA_GUARD)
			break;
		if (cr_space_area(space, &area, err) < 0)
			return -1;
	}
	return CR_CRIUEDIT_KEEP;
}

static int pages_read(ProtobufCMessage *message, struct cr_criuedit_entry *at, struct cr_error *err)
{
	const Criu__PagemapEntry *run = (const Criu__PagemapEntry *)message;
	struct mm_plan *plan = at->arg;
	uint64_t n = run->has_nr_pages ? run->nr_pages : run->compat_nr_pages;

	if (at->number == 0)
		return CR_CRIUEDIT_KEEP;
	if (n > UINT64_MAX / PAGE / 2 || plan->runs++ >= RUNS_MAX)
		return cr_error_set(err, E2BIG, "%s has too much", at->name);
	return cr_space_pages(&plan->spaces[plan->reading], run->vaddr, run->vaddr + n * PAGE, err) < 0
		       ? -1
		       : CR_CRIUEDIT_KEEP;
}

static const struct cr_criuedit readers[] = {
	{.pattern = "pstree.img", .type = &criu__pstree_entry__descriptor, .entry = process_read},
	{.pattern = "mm-*.img", .type = &criu__mm_entry__descriptor, .entry = areas_read},
	{.pattern = "pagemap-*.img", .type = &criu__pagemap_entry__descriptor, .entry = pages_read},
	{0},
};

/* A process that has ended has none. */
static int process_image(struct edits *edits, const char *what, struct cr_error *err)
{
	const struct mm_plan *plan = edits->mm;
	char name[64];

	snprintf(name, sizeof(name), "%s-%u.img", what, plan->spaces[plan->reading].pid);
	if (cr_criuedit_read_image(edits->image, name, readers, edits->mm, err) < 0 && err->errnum != ENOENT)
		return -1;
	return 0;
}

/* They take much memory, and the job's limit is also for this process. */
static void pages_forget(struct mm_plan *plan)
{
	for (size_t i = 0; i < plan->n; i++) {
		free(plan->spaces[i].pages);
		plan->spaces[i].pages = NULL;
		plan->spaces[i].n_pages = plan->spaces[i].pages_room = 0;
	}
}

static int plan_read(struct edits *edits, struct cr_error *err)
{
	struct mm_plan *plan = edits->mm;
	struct sysinfo info;

	if (cr_criuedit_read_image(edits->image, "pstree.img", readers, plan, err) < 0)
		return -1;
	for (plan->reading = 0; plan->reading < plan->n; plan->reading++) {
		if (process_image(edits, "mm", err) < 0 || process_image(edits, "pagemap", err) < 0)
			return -1;
	}
	if (sysinfo(&info) < 0)
		return cr_error_sys(err, errno, "sysinfo");
	if (cr_areas_arrange(plan->spaces, plan->n, ((uint64_t)info.totalram + info.totalswap) * info.mem_unit,
			     err) < 0)
		return -1;
	pages_forget(plan);
	return 0;
}

void edit_mm_clear(struct edits *edits)
{
	struct mm_plan *plan = edits->mm;

	for (size_t i = 0; plan && i < plan->n; i++)
		cr_space_clear(&plan->spaces[i]);
	free(plan ? plan->spaces : NULL);
	free(plan);
	edits->mm = NULL;
}

/* Without a plan the areas are handed over as they are: criu is right about most of them by itself. */
static void plan_make(struct edits *edits)
{
	struct cr_error err = {0};

	edits->mm = calloc(1, sizeof(*edits->mm));
	if (edits->mm && plan_read(edits, &err) == 0)
		return;
	edits_remark(edits, "memory areas are restored without a plan: %s", edits->mm ? err.text : "no memory");
	for (size_t i = 0; edits->mm && i < edits->mm->n; i++)
		cr_space_clear(&edits->mm->spaces[i]);
	if (edits->mm)
		edits->mm->n = 0;
}

/* ---- changing ---- */

static Criu__VmaEntry *entry_copy(const Criu__VmaEntry *entry)
{
	size_t size = criu__vma_entry__get_packed_size(entry);
	uint8_t *packed = malloc(size + 1);
	Criu__VmaEntry *copy = NULL;

	if (packed)
		copy = criu__vma_entry__unpack(NULL, criu__vma_entry__pack(entry, packed), packed);
	free(packed);
	return copy;
}

static Criu__VmaEntry *entry_new(void)
{
	Criu__VmaEntry *entry = malloc(sizeof(*entry));

	if (entry) {
		criu__vma_entry__init(entry);
		entry->fd = -1;
	}
	return entry;
}

/* An entry of the image that is cut is used for the first part, its copies for the others. */
static Criu__VmaEntry *entry_make(Criu__VmaEntry **entries, bool *used, const struct cr_area *area)
{
	Criu__VmaEntry *entry;

	if (area->from == CR_AREA_MARK)
		entry = entry_new();
	else if (used[area->from])
		entry = entry_copy(entries[area->from]);
	else
		entry = entries[area->from];
	if (!entry)
		return NULL;
	if (area->from != CR_AREA_MARK)
		used[area->from] = true;
	entry->start = area->start;
	entry->end = area->end;
	entry->pgoff = area->offset;
	entry->flags = area->flags;
	entry->status = area->status;
	return entry;
}

static int areas_write(Criu__MmEntry *mm, const struct cr_space *space, struct cr_error *err)
{
	size_t guards = 0, n = 0;
	Criu__VmaEntry **to;
	bool *used;

	for (size_t i = 0; i < space->n_areas; i++)
		guards = space->areas[i].from != CR_AREA_MARK ? space->areas[i].from + 1 : guards;
	if (guards > mm->n_vmas)
		return cr_error_set(err, EBADMSG, "memory areas of process %u: not the same ones", space->pid);
	to = calloc(space->n_areas + mm->n_vmas - guards + 1, sizeof(*to));
	used = calloc(mm->n_vmas + 1, sizeof(*used));
	while (to && used && n < space->n_areas && (to[n] = entry_make(mm->vmas, used, &space->areas[n])))
		n++;
	free(used);
	if (n < space->n_areas || !to)
		return cr_error_sys(err, ENOMEM, "memory areas of process %u", space->pid);
	memcpy(to + n, mm->vmas + guards, (mm->n_vmas - guards) * sizeof(*to));
	free(mm->vmas);
	mm->n_vmas = n + mm->n_vmas - guards;
	mm->vmas = to;
	return CR_CRIUEDIT_CHANGED;
}

int edit_mm(ProtobufCMessage *message, struct cr_criuedit_entry *at, struct cr_error *err)
{
	Criu__MmEntry *mm = (Criu__MmEntry *)message;
	struct edits *edits = at->arg;
	unsigned pid = 0;
	size_t i;

	if (!edits->mm)
		plan_make(edits);
	if (!edits->mm || sscanf(at->name, "mm-%u.img", &pid) != 1)
		return CR_CRIUEDIT_KEEP;
	i = space_find(edits->mm, pid);
	return i == CR_SPACE_NONE ? CR_CRIUEDIT_KEEP : areas_write(mm, &edits->mm->spaces[i], err);
}
