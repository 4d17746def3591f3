/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "cpus.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WORD_BITS (8 * sizeof(unsigned long))
#define WORDS	  (CR_CPUS_MAX / WORD_BITS)

bool cr_cpus_has(const struct cr_cpus *cpus, unsigned cpu)
{
	return cpu < CR_CPUS_MAX && (cpus->bits[cpu / WORD_BITS] >> cpu % WORD_BITS & 1);
}

void cr_cpus_add(struct cr_cpus *cpus, unsigned cpu)
{
	if (cpu < CR_CPUS_MAX)
		cpus->bits[cpu / WORD_BITS] |= 1UL << cpu % WORD_BITS;
}

unsigned cr_cpus_count(const struct cr_cpus *cpus)
{
	unsigned n = 0;

	for (size_t i = 0; i < WORDS; i++)
		n += (unsigned)__builtin_popcountl(cpus->bits[i]);
	return n;
}

bool cr_cpus_equal(const struct cr_cpus *a, const struct cr_cpus *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* Digits only, below the most. */
static int cpu_read(const char **p, unsigned *cpu)
{
	const char *start = *p;

	for (*cpu = 0; **p >= '0' && **p <= '9' && *cpu < CR_CPUS_MAX; (*p)++)
		*cpu = *cpu * 10 + (unsigned)(**p - '0');
	return *p == start || *cpu >= CR_CPUS_MAX ? -1 : 0;
}

/* "3" or "3-7" */
static int range_read(const char **p, struct cr_cpus *cpus)
{
	unsigned first, last;

	if (cpu_read(p, &first) < 0)
		return -1;
	last = first;
	if (**p == '-') {
		(*p)++;
		if (cpu_read(p, &last) < 0 || last < first)
			return -1;
	}
	for (unsigned cpu = first; cpu <= last; cpu++)
		cr_cpus_add(cpus, cpu);
	return 0;
}

int cr_cpus_parse(struct cr_cpus *cpus, const char *text, struct cr_error *err)
{
	struct cr_cpus found = {0};
	const char *p = text;
	int rc = 0;

	while (*text && (rc = range_read(&p, &found)) == 0 && *p == ',')
		p++;
	if (rc < 0 || *p)
		return cr_error_set(err, EINVAL, "\"%.64s\" is no list of processors", text);
	*cpus = found;
	return 0;
}

const char *cr_cpus_format(const struct cr_cpus *cpus, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (unsigned cpu = 0; cpu < CR_CPUS_MAX; cpu++) {
		unsigned last = cpu;
		int n;

		if (!cr_cpus_has(cpus, cpu))
			continue;
		while (cr_cpus_has(cpus, last + 1))
			last++;
		n = snprintf(buf + used, size - used, last > cpu ? "%s%u-%u" : "%s%u", used ? "," : "", cpu, last);
		if (n < 0 || (size_t)n >= size - used) {
			buf[used] = '\0';
			break;
		}
		used += (size_t)n;
		cpu = last;
	}
	return buf;
}

void cr_cpus_map(const struct cr_cpus *mask, const struct cr_cpus *before, const struct cr_cpus *now,
		 struct cr_cpus *mapped)
{
	unsigned order[CR_CPUS_MAX], n = 0, i = 0;
	bool all = true;

	for (unsigned cpu = 0; cpu < CR_CPUS_MAX; cpu++) {
		if (cr_cpus_has(now, cpu))
			order[n++] = cpu;
		all = all && (!cr_cpus_has(before, cpu) || cr_cpus_has(mask, cpu));
	}
	memset(mapped, 0, sizeof(*mapped));
	for (unsigned cpu = 0; cpu < CR_CPUS_MAX && n > 0 && !all; cpu++) {
		if (!cr_cpus_has(before, cpu))
			continue;
		if (cr_cpus_has(mask, cpu))
			cr_cpus_add(mapped, order[i % n]);
		i++;
	}
	if (all || cr_cpus_count(mapped) == 0)
		*mapped = *now;
}

int cr_cpus_get(pid_t tid, struct cr_cpus *cpus, struct cr_error *err)
{
	memset(cpus, 0, sizeof(*cpus));
	/* the kernel's own call takes a set of any size; the C library's is for 1,024 */
	if (syscall(SYS_sched_getaffinity, tid, sizeof(*cpus), cpus) < 0)
		return cr_error_sys(err, errno, "the processors of thread %d", (int)tid);
	return 0;
}

int cr_cpus_set(pid_t tid, const struct cr_cpus *cpus, struct cr_error *err)
{
	if (syscall(SYS_sched_setaffinity, tid, sizeof(*cpus), cpus) < 0)
		return cr_error_sys(err, errno, "setting the processors of thread %d", (int)tid);
	return 0;
}
