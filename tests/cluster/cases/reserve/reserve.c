/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* reserve.c - reservations larger than the machine's memory, and little of them in use. After the gate: is all
 * there that was, can more be used? */

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define GIB   (1ul << 30)
#define PAGE  4096ul
#define PAGES 64ul

static struct area {
	const char *name;
	int prot, flags;
	size_t size;
	bool used;   /* some pages in the middle */
	bool closed; /* which cannot be reached any more */
	char *at;
} areas[] = {
	{"none", PROT_NONE, MAP_PRIVATE, 64 * GIB, .used = true},
	{"none, all of it", PROT_NONE, MAP_PRIVATE, 200 * GIB},
	{"none, with pages", PROT_NONE, MAP_PRIVATE, 100 * GIB, .used = true, .closed = true},
	{"read", PROT_READ, MAP_PRIVATE, 64 * GIB},
	{"noreserve", PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, 64 * GIB, .used = true},
	{"none, noreserve", PROT_NONE, MAP_PRIVATE | MAP_NORESERVE, 4096 * GIB, .used = true},
	{"shared", PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, 64 * GIB, .used = true},
};

#define N (sizeof(areas) / sizeof(areas[0]))

static char value(size_t i, size_t page)
{
	return (char)(1 + (i * 31 + page * 7) % 100);
}

static char *middle(const struct area *a)
{
	return a->at + a->size / 2;
}

static void fill(size_t i)
{
	struct area *a = &areas[i];

	a->at = mmap(NULL, a->size, a->prot, a->flags | MAP_ANONYMOUS, -1, 0);
	if (a->at == MAP_FAILED) {
		perror(a->name);
		exit(2);
	}
	if (!a->used)
		return;
	mprotect(middle(a), PAGES * PAGE, PROT_READ | PROT_WRITE);
	for (size_t k = 0; k < PAGES; k++)
		memset(middle(a) + k * PAGE, value(i, k), PAGE);
	if (a->closed)
		mprotect(middle(a), PAGES * PAGE, a->prot);
}

static void check(FILE *f, size_t i)
{
	struct area *a = &areas[i];
	char *beside = middle(a) + 2 * PAGES * PAGE;
	unsigned bad = 0;
	int pipes[2], more, closed;

	/* one byte by the kernel: fails where it cannot be read */
	if (pipe(pipes) < 0)
		exit(2);
	closed = write(pipes[1], beside, 1) != 1;
	if (a->closed)
		mprotect(middle(a), PAGES * PAGE, PROT_READ | PROT_WRITE);
	for (size_t k = 0; a->used && k < PAGES; k++)
		bad += middle(a)[k * PAGE] != value(i, k) || middle(a)[k * PAGE + PAGE - 1] != value(i, k);
	more = mprotect(beside, PAGE, PROT_READ | PROT_WRITE);
	if (more == 0)
		*beside = 1;
	fprintf(f, "%s: bad %u, closed %d, more %d, all of it again %d\n", a->name, bad, closed, more,
		mprotect(a->at, a->size, PROT_NONE));
	close(pipes[0]);
	close(pipes[1]);
}

int main(void)
{
	FILE *f;

	for (size_t i = 0; i < N; i++)
		fill(i);
	close(open("ready", O_CREAT | O_WRONLY, 0600));
	while (access("go", F_OK) < 0)
		usleep(100000);
	f = fopen("result", "w");
	for (size_t i = 0; f && i < N; i++)
		check(f, i);
	return 0;
}
