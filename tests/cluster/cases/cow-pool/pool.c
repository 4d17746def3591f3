/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* pool.c - children that share a table copy-on-write with their parent, and what criu's matching of memory areas
 * stumbles over: areas that parent or child have mapped, joined, cut or grown since. After the gate it says
 * whether all of the table is right, and whether the processes have it once. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB   (1ul << 20)
#define TABLE (40 * MIB)
#define HEAP  (10 * MIB)
#define KIDS  5

static char *table, *heap;

static char value(size_t i)
{
	return (char)(i % 251 + 1);
}

static void fill(char *at, size_t size)
{
	for (size_t i = 0; i < size; i += 4096)
		memset(at + i, value(i / 4096), 4096);
}

static unsigned bad(const char *at, size_t from, size_t to)
{
	unsigned n = 0;

	for (size_t i = from; i < to; i += 4096)
		n += at[i] != value(i / 4096) || at[i + 4095] != value(i / 4096);
	return n;
}

static char *map(void *at, size_t size)
{
	char *p = mmap(at, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | (at ? MAP_FIXED_NOREPLACE : 0), -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		_exit(2);
	}
	return p;
}

/* What this child does to its areas before the gate. */
static void differ(int kid)
{
	if (kid == 0) /* one of its own, right below the table */
		fill(map(table - MIB, MIB), MIB);
	if (kid == 1) /* and one with a gap */
		fill(map(table - 2 * MIB, MIB), MIB);
	if (kid == 2) /* a piece is missing */
		munmap(table + 4 * MIB, MIB);
	if (kid == 3) /* its heap has grown */
		fill(sbrk(MIB), MIB);
	if (kid == 4) /* some pages are its own */
		*(volatile char *)(table + 20 * MIB) = value(20 * MIB / 4096);
}

static size_t pss(pid_t pid)
{
	char path[64], line[256];
	size_t sum = 0, kib;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		sum += sscanf(line, "Pss: %zu kB", &kib) == 1 ? kib : 0;
	if (f)
		fclose(f);
	return sum / 1024;
}

static void gate(void)
{
	while (access("go", F_OK) < 0)
		usleep(100000);
}

/* Up to "done" the others are there, so that all can be counted. */
static int kid_main(int kid, int to)
{
	unsigned wrong;

	differ(kid);
	if (write(to, "r", 1) != 1)
		return 2;
	gate();
	wrong = bad(table, 0, kid == 2 ? 4 * MIB : TABLE) + bad(table, 5 * MIB, TABLE) + bad(heap, 0, HEAP);
	if (write(to, "w", 1) != 1)
		return 2;
	while (access("done", F_OK) < 0)
		usleep(100000);
	return wrong ? 1 : 0;
}

static void answers(int from)
{
	char c;

	for (int i = 0; i < KIDS; i++) {
		if (read(from, &c, 1) != 1)
			exit(2);
	}
}

int main(void)
{
	size_t sum = 0;
	pid_t pids[KIDS];
	int fds[2], status;
	FILE *f;

	table = map(NULL, TABLE + 4 * MIB) + 4 * MIB;
	munmap(table - 4 * MIB, 4 * MIB);
	fill(table, TABLE);
	heap = sbrk(HEAP);
	fill(heap, HEAP);
	if (pipe(fds) < 0)
		return 2;
	for (int i = 0; i < KIDS; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			_exit(kid_main(i, fds[1]));
	}
	fill(map(table - MIB, MIB), MIB); /* joined to the table */
	answers(fds[0]);
	close(open("ready", O_CREAT | O_WRONLY, 0600));
	gate();
	answers(fds[0]);
	for (int i = 0; i < KIDS; i++)
		sum += pss(pids[i]);
	sum += pss(getpid());
	close(open("done", O_CREAT | O_WRONLY, 0600));
	f = fopen("result", "w");
	if (!f)
		return 2;
	for (int i = 0; i < KIDS; i++)
		fprintf(f, "child %d: %d\n", i, waitpid(pids[i], &status, 0) == pids[i] ? status : -1);
	fprintf(f, "the parent's: %u\n", bad(table, 0, TABLE) + bad(heap, 0, HEAP));
	fprintf(f, "memory is shared: %s\n", sum < 66 ? "yes" : "NO");
	fprintf(stderr, "%zu MiB\n", sum);
	return 0;
}
