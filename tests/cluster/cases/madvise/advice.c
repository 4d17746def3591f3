/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* advice.c - the flags of areas after each madvise(2), mlock(2) and mmap(2) that leaves one, and what they do */

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08
#endif
#define SIZE 16384
#define LOCK (-1)

static struct advised {
	const char *name;
	int advice, flags;
	char *at;
} areas[] = {
	{"wipeonfork", MADV_WIPEONFORK, MAP_PRIVATE, NULL},
	{"dontfork", MADV_DONTFORK, MAP_PRIVATE, NULL},
	{"dontdump", MADV_DONTDUMP, MAP_PRIVATE, NULL},
	{"nohugepage", MADV_NOHUGEPAGE, MAP_PRIVATE, NULL},
	{"hugepage", MADV_HUGEPAGE, MAP_PRIVATE, NULL},
	{"sequential", MADV_SEQUENTIAL, MAP_PRIVATE, NULL},
	{"random", MADV_RANDOM, MAP_PRIVATE, NULL},
	{"mergeable", MADV_MERGEABLE, MAP_PRIVATE, NULL},
	{"locked", LOCK, MAP_PRIVATE, NULL},
	{"droppable", MADV_NORMAL, MAP_DROPPABLE, NULL},
};

#define N (sizeof(areas) / sizeof(areas[0]))

/* without soft-dirty, which a checkpoint leaves */
static void flags_print(FILE *f, const struct advised *a)
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	unsigned long start, end;
	bool in = false;
	char line[512];

	while (smaps && fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			in = start <= (unsigned long)a->at && (unsigned long)a->at < end;
		if (!in || strncmp(line, "VmFlags:", 8) != 0)
			continue;
		fprintf(f, "%s:", a->name);
		for (char *flag = strtok(line + 8, " \n"); flag; flag = strtok(NULL, " \n"))
			fprintf(f, "%s%s", strcmp(flag, "sd") ? " " : "", strcmp(flag, "sd") ? flag : "");
		fprintf(f, "\n");
	}
	if (smaps)
		fclose(smaps);
}

static int in_child(const char *at)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(*(volatile const char *)at);
	return waitpid(pid, &status, 0) == pid ? status : -1;
}

int main(void)
{
	FILE *f;

	for (size_t i = 0; i < N; i++) {
		struct advised *a = &areas[i];

		(void)mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		a->at = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, a->flags | MAP_ANONYMOUS, -1, 0);
		if (a->at == MAP_FAILED)
			continue; /* an older kernel's droppable */
		memset(a->at, 'x', SIZE);
		if (a->advice == LOCK ? mlock(a->at, SIZE) : madvise(a->at, SIZE, a->advice))
			perror(a->name);
	}
	close(open("ready", O_CREAT | O_WRONLY, 0600));
	while (access("go", F_OK) < 0)
		usleep(100000);
	f = fopen("result", "w");
	if (!f)
		return 2;
	for (size_t i = 0; i < N; i++)
		flags_print(f, &areas[i]);
	fflush(f);
	fprintf(f, "in a child: %d %d %d\n", in_child(areas[0].at), in_child(areas[1].at), in_child(areas[2].at));
	return 0;
}
