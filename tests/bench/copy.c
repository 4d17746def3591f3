/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* copy.c - how long memcpy takes for MIB of memory, into memory that is there: prints the fastest of three, ms */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

static void *memory(size_t size, int byte)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return memset(at, byte, size);
}

int main(int argc, char **argv)
{
	size_t size = strtoul(argc > 1 ? argv[1] : "", NULL, 10) << 20;
	void *from, *to;
	double best = 0;

	if (size == 0) {
		fprintf(stderr, "usage: copy MIB\n");
		return 2;
	}
	from = memory(size, 1);
	to = memory(size, 2);
	for (int i = 0; i < 3; i++) {
		struct timespec a, b;
		double ms;

		clock_gettime(CLOCK_MONOTONIC, &a);
		memcpy(to, from, size);
		clock_gettime(CLOCK_MONOTONIC, &b);
		ms = (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) * 1e-6;
		best = i == 0 || ms < best ? ms : best;
		/* the copy is used: it is not optimized away */
		if (((volatile char *)to)[size - 1] != 1)
			return 1;
	}
	printf("%.3f\n", best);
	return 0;
}
