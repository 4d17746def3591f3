/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* loops - OpenMP: parallel loops, reductions, tasks and a critical section; on either side of the gate */

#include <inttypes.h>
#include <omp.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#define CELLS 200000

static uint64_t cells[CELLS];

static uint64_t fibonacci(int n)
{
	uint64_t a, b;

	if (n < 2)
		return (uint64_t)n;
#pragma omp task shared(a) if (n > 12)
	a = fibonacci(n - 1);
#pragma omp task shared(b) if (n > 12)
	b = fibonacci(n - 2);
#pragma omp taskwait
	return a + b;
}

static uint64_t work(uint64_t phase)
{
	uint64_t sum = 0, number = 0;
	int threads = 0;

#pragma omp parallel for reduction(+ : sum) schedule(dynamic, 1000)
	for (int i = 0; i < CELLS; i++) {
		uint64_t x = phase * 1000003 + (uint64_t)i;

		for (int k = 0; k < 20; k++)
			x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		cells[i] = x;
		sum += x >> 40;
	}
#pragma omp parallel
	{
#pragma omp single
		number = fibonacci(18);
#pragma omp critical
		threads++;
	}
	return sum + number + (uint64_t)threads;
}

int main(void)
{
	uint64_t first;

	setlinebuf(stdout);
	omp_set_num_threads(8);
	first = work(1);
	printf("before the gate: %" PRIu64 "\nready\n", first);
	while (access("go", F_OK) < 0) {
		if (work(1) != first)
			printf("another sum at the gate\n");
		usleep(400000);
	}
	for (uint64_t phase = 2; phase < 12; phase++) {
		uint64_t sum = work(phase);

		printf("%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", phase, sum, cells[phase * 1000]);
	}
	printf("%d\nend\n", work(1) == first);
	return 0;
}
