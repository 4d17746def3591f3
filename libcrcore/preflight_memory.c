/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* preflight_memory.c - would a restore take more memory than the job may have?
 *
 * Forked processes share pages copy-on-write. A restore gives a process what its parent has at the same address;
 * what it shares with others alone (its parent has ended, or has given that memory back), each has for itself
 * then. What the kernel says of a process is read only where that could be too much, or could be so at all and
 * there is time.
 */

#include "preflight_part.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "timefmt.h"

#define MIB	     1048576u
#define GROWTH_LEAST (32u * MIB)	 /* nobody minds less */
#define GROWTH_NS    INT64_C(5000000000) /* of the time that a look has */

/* A private area with shared pages that are no file's. */
struct shared {
	uint64_t start, end, bytes;
};

struct sharing {
	struct shared *v;
	size_t n, room;
	uint64_t anonymous; /* bytes, all in all */
};

static uint64_t now_anonymous(const struct preflight *p, pid_t pid)
{
	cleanup_fclose FILE *f = preflight_open(p, "%d/smaps_rollup", (int)pid);
	uint64_t kib = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f) && sscanf(line, "Pss_Anon: %" SCNu64, &kib) != 1)
		;
	return kib * 1024;
}

static int shared_add(struct sharing *s, const struct shared *area, uint64_t anonymous, struct cr_error *err)
{
	uint64_t bytes = area->bytes < anonymous ? area->bytes : anonymous;

	s->anonymous += anonymous;
	if (bytes == 0)
		return 0;
	if (s->n == s->room) {
		size_t room = s->room ? 2 * s->room : 64;
		struct shared *more = reallocarray(s->v, room, sizeof(*more));

		if (!more)
			return cr_error_sys(err, ENOMEM, "the list of shared memory");
		s->v = more;
		s->room = room;
	}
	s->v[s->n] = *area;
	s->v[s->n++].bytes = bytes;
	return 0;
}

/* A warning that is not found in time is no look that is not complete. */
static bool memory_late(struct preflight *p)
{
	return p->growth_end_ns ? cr_time_clock_ns(CLOCK_MONOTONIC) > p->growth_end_ns : preflight_late(p);
}

static int sharing_read(struct preflight *p, pid_t pid, struct sharing *s, struct cr_error *err)
{
	cleanup_fclose FILE *f = preflight_open(p, "%d/smaps", (int)pid);
	struct shared area = {0};
	uint64_t anonymous = 0;
	char line[4352];

	while (f && !memory_late(p) && fgets(line, sizeof(line), f)) {
		uint64_t start, end, kib;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &start, &end) == 2) {
			if (shared_add(s, &area, anonymous, err) < 0)
				return -1;
			area = (struct shared){.start = start, .end = end};
			anonymous = 0;
		} else if (sscanf(line, "Shared_Clean: %" SCNu64, &kib) == 1 ||
			   sscanf(line, "Shared_Dirty: %" SCNu64, &kib) == 1) {
			area.bytes += kib * 1024;
		} else if (sscanf(line, "Anonymous: %" SCNu64, &kib) == 1) {
			anonymous = kib * 1024;
		}
	}
	return shared_add(s, &area, anonymous, err);
}

/* What of a child's the parent shares at the same addresses. */
static uint64_t carried(const struct sharing *child, const struct sharing *parent)
{
	uint64_t sum = 0;
	size_t j = 0;

	for (size_t i = 0; i < child->n; i++) {
		const struct shared *a = &child->v[i];
		uint64_t there = 0;

		while (j < parent->n && parent->v[j].end <= a->start)
			j++;
		for (size_t k = j; k < parent->n && parent->v[k].start < a->end; k++)
			there += parent->v[k].bytes;
		sum += there < a->bytes ? there : a->bytes;
	}
	return sum;
}

static int need_sum(struct preflight *p, struct sharing *all, uint64_t *now, uint64_t *need, struct cr_error *err)
{
	*now = *need = 0;
	for (size_t i = 0; i < p->n; i++) {
		if (!p->processes[i].in || p->processes[i].closed)
			continue;
		if (sharing_read(p, p->processes[i].pid, &all[i], err) < 0)
			return -1;
		*now += now_anonymous(p, p->processes[i].pid);
	}
	for (size_t i = 0; i < p->n; i++) {
		const struct preflight_process *parent = preflight_process_find(p, p->processes[i].parent);

		*need += all[i].anonymous;
		if (parent && parent->in)
			*need -= carried(&all[i], &all[parent - p->processes]);
	}
	return 0;
}

static int memory_sum(struct preflight *p, struct cr_error *err)
{
	struct sharing *all = calloc(p->n ? p->n : 1, sizeof(*all));
	uint64_t now = 0, need = 0;
	int rc = all ? need_sum(p, all, &now, &need, err) : cr_error_sys(err, ENOMEM, "the processes' memory");

	for (size_t i = 0; all && i < p->n; i++)
		free(all[i].v);
	free(all);
	if (rc < 0 || memory_late(p) || need <= now)
		return rc;
	if (!p->growth_end_ns && need - now > p->job->memory)
		preflight_add(p, CR_PREFLIGHT_MEMORY, NULL, -1,
			      "%" PRIu64 " MiB instead of %" PRIu64 ", and %" PRIu64 " more are free", need / MIB,
			      now / MIB, p->job->memory / MIB);
	else if (p->growth_end_ns && need - now > now / 10 && need - now >= GROWTH_LEAST)
		preflight_add(p, CR_PREFLIGHT_GROWTH, NULL, -1, "%" PRIu64 " MiB instead of %" PRIu64, need / MIB,
			      now / MIB);
	return 0;
}

/* Bytes in memory, of which some may be shared. */
static uint64_t anonymous_of(const struct preflight_process *process)
{
	return process && process->in ? process->anonymous * 1024 : 0;
}

/* Even if all of them shared all, and shared nothing after a restore, it would be no more than this more. */
static uint64_t growth_most(const struct preflight *p, uint64_t *sum)
{
	uint64_t most = 0;

	*sum = 0;
	for (size_t i = 0; i < p->n; i++) {
		uint64_t anonymous = anonymous_of(&p->processes[i]);

		*sum += anonymous;
		most = anonymous > most ? anonymous : most;
	}
	return *sum - most;
}

int preflight_memory(struct preflight *p, struct cr_error *err)
{
	uint64_t sum;

	if (!p->job->memory || preflight_late(p) || growth_most(p, &sum) <= p->job->memory)
		return 0;
	return memory_sum(p, err);
}

/* Two or more of some size, whose parents have far less: they may be what a parent that has ended has left. And is
 * any of it shared? */
static bool is_left(struct preflight *p, uint64_t sum)
{
	uint64_t now = 0;
	unsigned n = 0;

	for (size_t i = 0; i < p->n; i++) {
		uint64_t anonymous = anonymous_of(&p->processes[i]);

		n += anonymous >= GROWTH_LEAST &&
		     anonymous_of(preflight_process_find(p, p->processes[i].parent)) < anonymous / 2;
	}
	for (size_t i = 0; n >= 2 && i < p->n && !memory_late(p); i++)
		now += anonymous_of(&p->processes[i]) ? now_anonymous(p, p->processes[i].pid) : 0;
	return n >= 2 && sum > now && sum - now >= GROWTH_LEAST;
}

int preflight_growth(struct preflight *p, struct cr_error *err)
{
	uint64_t sum;
	int rc = 0;

	if (!p->job->unhurried || p->found->counts[CR_PREFLIGHT_MEMORY] || preflight_late(p))
		return 0;
	p->growth_end_ns = cr_time_clock_ns(CLOCK_MONOTONIC) + GROWTH_NS;
	if (growth_most(p, &sum) >= GROWTH_LEAST && is_left(p, sum))
		rc = memory_sum(p, err);
	p->growth_end_ns = 0;
	return rc;
}
