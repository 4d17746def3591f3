/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* instant - writes all of its memory without a pause, and knows what it must look like at one instant
 *
 *	instant MIB MARKER
 *
 * Words are written in order, round after round: at any instant there is a k such that the words before k are of
 *this round, all others of the round before, and no word is anything else. How far it has got stands elsewhere: in
 *a variable, and in a file of /dev/shm. When the file MARKER is there, which nobody makes before the program has
 *been restored, it says "one instant" or what is torn, before it has written more than a page.
 */

#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_WORDS 512u

static volatile uint64_t round_now, done; /* words of this round that are written */

/* Different everywhere, so that no chunk is like another; half of it can be compressed. */
static uint64_t word_of(uint64_t at, uint64_t round)
{
	uint64_t x = (at + 1) * UINT64_C(0x9e3779b97f4a7c15);

	return round << 32 | ((x ^ x >> 29) * UINT64_C(0xbf58476d1ce4e5b9)) >> 32;
}

static int verify(const volatile uint64_t *words, uint64_t n, const volatile uint64_t *shared)
{
	uint64_t k = 0, bad = 0;

	while (k < n && words[k] == word_of(k, round_now))
		k++;
	for (uint64_t i = k; i < n; i++)
		bad += words[i] != word_of(i, round_now - 1);
	printf("round %" PRIu64 ", %" PRIu64 " words of it, the variable says %" PRIu64 ", the file %" PRIu64 "\n",
	       round_now, k, done, *shared);
	if (bad)
		printf("torn: %" PRIu64 " words are of another instant\n", bad);
	else if (k != done || *shared != done)
		printf("torn: the parts are not of the same instant\n");
	else
		printf("one instant\n");
	return bad || k != done || *shared != done;
}

int main(int argc, char *argv[])
{
	uint64_t n = argc > 2 ? strtoull(argv[1], NULL, 10) * (1048576 / 8) : 0;
	volatile uint64_t *words = mmap(NULL, n * 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
			  *shared;
	int fd = open("/dev/shm/instant", O_RDWR | O_CREAT, 0600);

	if (n == 0 || words == MAP_FAILED || fd < 0 || ftruncate(fd, 4096) < 0)
		return 2;
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (shared == MAP_FAILED)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (;;) {
		round_now++;
		done = 0;
		for (uint64_t i = 0; i < n;) {
			for (unsigned j = 0; j < PAGE_WORDS; j++, i++)
				words[i] = word_of(i, round_now);
			done = i;
			*shared = i;
			if (access(argv[2], F_OK) == 0)
				return verify(words, n, shared);
		}
		if (round_now == 2)
			printf("running\n");
	}
}
