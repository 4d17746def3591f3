/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* load.c - a workload whose memory is known: load KIND MIB [NUMBER]
 *
 *   random    random bytes
 *   busy      random bytes, while the first thread computes in a small table: `work` in the beat file counts
 *   zero70    7 pages in 10 hold zeros, written one by one; runs of 16 pages
 *   stencil   a square of doubles, a few sweeps of a five-point stencil over a rough start
 *   tree      NUMBER processes with MIB of integers: 4 MiB of the first one's, which all inherit, and an equal
 *             share of the rest each
 *   files     NUMBER files of up to 8 KiB in /tmp
 *
 * It builds that, says so in the beat file (beat.h), and then waits for commands there.
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "beat.h"

#define PAGE	   4096u
#define SWEEPS	   4
#define TREE_BASE  (4u << 20)
#define TABLE	   (1u << 15) /* of doubles: 256 KiB */
#define WORK_ROUND 20000

struct heap {
	void *data;
	size_t size;
	const char *kind;
	uint64_t seed;
};

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t next(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static struct beat *beat_map(void)
{
	const char *path = getenv("BENCH_BEAT");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	struct beat *b;

	if (fd < 0)
		fail("BENCH_BEAT");
	b = mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (b == MAP_FAILED)
		fail("mmap");
	close(fd);
	return b;
}

static void fill_random(void *data, size_t size, uint64_t *seed)
{
	uint64_t *at = data;

	for (size_t i = 0; i < size / sizeof(*at); i++)
		at[i] = next(seed);
}

static void fill_zero70(void *data, size_t size, uint64_t *seed)
{
	const size_t run = 16u * PAGE;

	for (size_t at = 0; at < size; at += run) {
		size_t n = size - at < run ? size - at : run;

		if (next(seed) % 10 < 7)
			memset((char *)data + at, 0, n);
		else
			fill_random((char *)data + at, n, seed);
	}
}

/* counts and identifiers: 16 bits of each 64 differ */
static void fill_integers(void *data, size_t size, uint64_t *seed)
{
	uint64_t *at = data;

	for (size_t i = 0; i < size / sizeof(*at); i++)
		at[i] = next(seed) >> 48;
}

/* One sweep over the rows [from, to), in place. */
static void stencil_sweep(double *field, size_t width, size_t rows, size_t from, size_t to)
{
	for (size_t y = from < 1 ? 1 : from; y < to && y + 1 < rows; y++) {
		for (size_t x = 1; x + 1 < width; x++) {
			double *c = &field[y * width + x];

			*c = 0.2 * (c[0] + c[1] + c[-1] + c[width] + *(c - width)) + 1e-6;
		}
	}
}

static void stencil_shape(const struct heap *h, size_t *width, size_t *rows)
{
	*width = 4096;
	*rows = h->size / (*width * sizeof(double));
}

static void fill_stencil(struct heap *h)
{
	double *field = h->data;
	size_t width, rows;

	stencil_shape(h, &width, &rows);
	for (size_t i = 0; i < width * rows; i++)
		field[i] = (double)(i % width) / (double)width + 1e-3 * (double)(next(&h->seed) >> 40) / (1 << 24);
	for (int i = 0; i < SWEEPS; i++)
		stencil_sweep(field, width, rows, 0, rows);
}

static void heap_fill(struct heap *h)
{
	if (strcmp(h->kind, "stencil") == 0)
		fill_stencil(h);
	else if (strcmp(h->kind, "zero70") == 0)
		fill_zero70(h->data, h->size, &h->seed);
	else if (strcmp(h->kind, "tree") == 0)
		fill_integers(h->data, h->size, &h->seed);
	else
		fill_random(h->data, h->size, &h->seed);
}

static void heap_make(struct heap *h, size_t size)
{
	h->size = size;
	h->data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (h->data == MAP_FAILED)
		fail("mmap");
	heap_fill(h);
}

/* The share that changes begins elsewhere each time; the stencil goes on computing there. */
static void heap_touch(struct heap *h, uint64_t thousandths)
{
	size_t size = h->size / PAGE * thousandths / 1000 * PAGE;
	size_t from = size < h->size ? next(&h->seed) % ((h->size - size) / PAGE) * PAGE : 0;

	if (strcmp(h->kind, "stencil") == 0) {
		size_t width, rows, n, first;

		stencil_shape(h, &width, &rows);
		n = rows * thousandths / 1000;
		first = n < rows ? next(&h->seed) % (rows - n) : 0;
		stencil_sweep(h->data, width, rows, first, first + n);
	} else {
		fill_random((char *)h->data + from, size, &h->seed);
	}
}

static void heap_spread(struct heap *h, uint64_t thousandths)
{
	for (size_t at = 0; at + PAGE <= h->size; at += PAGE) {
		void *data = (char *)h->data + at;
		double *page = data;

		if (next(&h->seed) % 1000 >= thousandths)
			continue;
		if (strcmp(h->kind, "stencil") != 0) {
			fill_random(page, PAGE, &h->seed);
			continue;
		}
		for (size_t i = 0; i < PAGE / sizeof(*page); i++)
			page[i] = 0.5 * page[i] + 1e-6;
	}
}

static void tree_make(struct heap *h, size_t size, unsigned processes)
{
	size_t share;

	heap_make(h, TREE_BASE);
	share = size > TREE_BASE ? (size - TREE_BASE) / processes / PAGE * PAGE : PAGE;
	for (unsigned i = 1; i < processes; i++) {
		pid_t pid = fork();

		if (pid < 0)
			fail("fork");
		if (pid == 0) {
			struct heap own = {.kind = h->kind, .seed = h->seed + i * 7919};

			heap_make(&own, share);
			for (;;)
				pause();
		}
	}
	heap_make(h, share);
}

static void files_make(unsigned count, uint64_t seed)
{
	char path[64], data[8192];

	if (mkdtemp(strcpy(path, "/tmp/load.XXXXXX")) == NULL || chdir(path) < 0)
		fail(path);
	for (unsigned i = 0; i < count; i++) {
		size_t size = next(&seed) % sizeof(data);
		int fd;

		for (size_t k = 0; k < size; k++)
			data[k] = "acgt\n etaoin shrdlu"[next(&seed) % 19];
		snprintf(path, sizeof(path), "record-%06u", i);
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0 || write(fd, data, size) != (ssize_t)size)
			fail(path);
		close(fd);
	}
	if (chdir("/") < 0)
		fail("/");
}

static void command_run(struct beat *b, struct heap *h)
{
	switch (b->command) {
	case BEAT_FILL:
		h->seed ^= b->arg * 0x9e3779b97f4a7c15ull;
		heap_fill(h);
		break;
	case BEAT_TOUCH:
		heap_touch(h, b->arg);
		break;
	case BEAT_SPREAD:
		heap_spread(h, b->arg);
		break;
	default:
		break;
	}
}

/* The processor is the bound, not memory: what a checkpoint takes from the program is processor time. */
static void work_run(struct beat *b, uint64_t *seed)
{
	static double table[TABLE];

	for (unsigned i = 0; i < WORK_ROUND; i++) {
		uint64_t x = next(seed);

		table[x % TABLE] = 0.5 * (table[x % TABLE] + table[(x >> 20) % TABLE]) + 1e-9 * (double)(x >> 40);
	}
	b->work++;
}

int main(int argc, char **argv)
{
	const struct timespec wait = {.tv_nsec = BEAT_COMMAND_NS};
	struct heap h = {.seed = 88172645463325252ull};
	struct beat *b = beat_map();
	unsigned number = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 1;
	size_t size;
	uint64_t done, work = 1234567;

	if (argc < 3) {
		fprintf(stderr, "usage: load KIND MIB [NUMBER]\n");
		return 2;
	}
	h.kind = argv[1];
	size = strtoul(argv[2], NULL, 10) << 20;
	if (strcmp(h.kind, "tree") == 0)
		tree_make(&h, size, number);
	else
		heap_make(&h, size);
	if (strcmp(h.kind, "files") == 0)
		files_make(number, h.seed);
	done = b->done;
	__atomic_store_n(&b->ready, 1, __ATOMIC_RELEASE);
	for (;;) {
		uint64_t seq = __atomic_load_n(&b->seq, __ATOMIC_ACQUIRE);

		if (seq != done) {
			command_run(b, &h);
			done = seq;
			__atomic_store_n(&b->done, seq, __ATOMIC_RELEASE);
		}
		if (strcmp(h.kind, "busy") == 0)
			work_run(b, &work);
		else
			nanosleep(&wait, NULL);
	}
}
