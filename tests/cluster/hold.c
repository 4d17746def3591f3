/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* hold - holds memory, changes a little of it all the time, and knows how long it stood still
 *
 *	hold MIB STOP [KIND]
 *
 * Fills MIB of memory, says "holding", and beats every 2 ms: a page among the first 64 changes. When the file STOP
 *is there it looks whether all is as it was written and says "intact, N beats, largest gap M ms", or what is not.
 * KIND: random (the default), or text, which can be compressed.
 */

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE_WORDS 512u
#define CHANGING   64u

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000) + ts.tv_nsec / 1000000;
}

static uint64_t word_of(uint64_t at, int text)
{
	uint64_t x = (at + 1) * UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
	x ^= x >> 32;
	return text ? UINT64_C(0x6c6f632030303030) + (x & 0x0f0f) : x;
}

static uint64_t wrong(const uint64_t *words, uint64_t n, uint64_t beats, int text)
{
	uint64_t bad = 0;

	for (uint64_t i = CHANGING * PAGE_WORDS; i < n; i++)
		bad += words[i] != word_of(i, text);
	for (uint64_t page = 0; page < CHANGING; page++)
		bad += words[page * PAGE_WORDS] != (beats + CHANGING - 1 - page) / CHANGING;
	return bad;
}

int main(int argc, char *argv[])
{
	uint64_t n = argc > 2 ? strtoull(argv[1], NULL, 10) * (1048576 / 8) : 0, beats = 0, bad;
	int text = argc > 3 && strcmp(argv[3], "text") == 0;
	uint64_t *words = mmap(NULL, n * 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int64_t last, gap = 0;

	if (n == 0 || words == MAP_FAILED)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (uint64_t i = 0; i < n; i++)
		words[i] = i / PAGE_WORDS < CHANGING && i % PAGE_WORDS == 0 ? 0 : word_of(i, text);
	printf("holding\n");
	last = now_ms();
	while (beats % 16 || access(argv[2], F_OK) < 0) {
		int64_t now;

		words[beats % CHANGING * PAGE_WORDS] += 1;
		beats++;
		usleep(2000);
		now = now_ms();
		if (now - last > gap)
			gap = now - last;
		last = now;
	}
	bad = wrong(words, n, beats, text);
	if (bad)
		printf("%" PRIu64 " words are not what they were\n", bad);
	else
		printf("intact, %" PRIu64 " beats, largest gap %" PRId64 " ms\n", beats, gap);
	return bad > 0;
}
