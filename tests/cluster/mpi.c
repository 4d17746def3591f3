/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* mpi.c - ranks that depend on every message they ever exchanged: "mpi STEPS [FILE]",
 * slowly as long as there is no FILE */

#include <inttypes.h>
#include <mpi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WORDS 16384 /* 128 KiB: beyond what any transport sends eagerly */

static uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= UINT64_C(0xff51afd7ed558ccd);
	return x ^ (x >> 29);
}

int main(int argc, char *argv[])
{
	static uint64_t mine[WORDS], theirs[WORDS];
	const char *fast = argc > 2 ? argv[2] : NULL;
	int rank, size, steps;
	uint64_t sum = 0, all = 0;

	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	steps = argc > 1 ? atoi(argv[1]) : 100;
	for (int i = 0; i < WORDS; i++)
		mine[i] = mix((uint64_t)i * 31 + (uint64_t)rank + 1);
	for (int step = 1; step <= steps; step++) {
		/* every 8th message is long, the others short */
		int words = step % 8 ? 16 : WORDS;

		MPI_Sendrecv(mine, words, MPI_UINT64_T, (rank + 1) % size, step, theirs, words, MPI_UINT64_T,
			     (rank + size - 1) % size, step, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
		for (int i = 0; i < words; i++)
			mine[i] = mix(mine[i] + theirs[i] + (uint64_t)step);
		sum = mix(sum + mine[step % words]);
		MPI_Allreduce(&sum, &all, 1, MPI_UINT64_T, MPI_SUM, MPI_COMM_WORLD);
		sum += mix(all);
		if (rank == 0 && step % 50 == 0) {
			printf("%d %016" PRIx64 "\n", step, all);
			fflush(stdout);
		}
		if (fast && access(fast, F_OK) < 0)
			usleep(20000);
		else
			fast = NULL;
	}
	if (rank == 0)
		printf("end %d ranks\n", size);
	MPI_Finalize();
	return 0;
}
