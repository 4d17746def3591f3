/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* compute.c - a program that only computes, ROUNDS long: prints wall time, processor time (s), and its result */

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + 1e-6 * (double)t.tv_usec;
}

int main(int argc, char **argv)
{
	static double field[1 << 14];
	unsigned long long x = 88172645463325252ull, n = strtoull(argv[argc - 1], NULL, 10);
	struct timespec from, to;
	struct rusage used;
	double sum = 0;

	clock_gettime(CLOCK_MONOTONIC, &from);
	for (unsigned long long i = 0; i < n; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		field[x & 16383] += 1e-9 * (double)(x >> 40);
		sum += field[(x >> 20) & 16383];
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	getrusage(RUSAGE_SELF, &used);
	printf("%.6f %.6f %g\n", (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec),
	       seconds(used.ru_utime) + seconds(used.ru_stime), sum);
	return 0;
}
