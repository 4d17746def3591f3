/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* tree - 128 processes, each with up to two children, talking through pipes and a page that all share. Some are
 * session leaders, some lead process groups, some ignore signals. */

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES 128

struct shared {
	atomic_int ready, rounds[PROCESSES];
	pid_t pid[PROCESSES], parent[PROCESSES], group[PROCESSES], session[PROCESSES];
};

static struct shared *shared;

static int member(int n);

static void look(int n)
{
	shared->pid[n] = getpid();
	shared->parent[n] = getppid();
	shared->group[n] = getpgrp();
	shared->session[n] = getsid(0);
}

/* what they were is what they are */
static int same(int n)
{
	return shared->pid[n] == getpid() && shared->parent[n] == getppid() && shared->group[n] == getpgrp() &&
	       shared->session[n] == getsid(0);
}

static void children_start(int n, int pipes[2][2], pid_t pids[2])
{
	for (int i = 0; i < 2; i++) {
		pids[i] = -1;
		if (2 * n + i + 1 >= PROCESSES)
			continue;
		if (pipe(pipes[i]) < 0 || (pids[i] = fork()) < 0) {
			perror("tree");
			exit(1);
		}
		if (pids[i] == 0) {
			dup2(pipes[i][1], 9);
			close(pipes[i][0]);
			close(pipes[i][1]);
			exit(member(2 * n + i + 1));
		}
		close(pipes[i][1]);
	}
}

/* a sum from below, with what this process is */
static long children_sum(int n, int pipes[2][2], pid_t pids[2])
{
	long sum = n * 17, below;
	int status;

	for (int i = 0; i < 2; i++) {
		if (pids[i] < 0)
			continue;
		if (read(pipes[i][0], &below, sizeof(below)) != sizeof(below) ||
		    waitpid(pids[i], &status, 0) != pids[i] || !WIFEXITED(status) ||
		    WEXITSTATUS(status) != (2 * n + i + 1) % 100)
			below = -1000000;
		sum += below;
	}
	return sum;
}

static int member(int n)
{
	int pipes[2][2], good = 1;
	pid_t pids[2];
	long sum;

	if (n % 7 == 3)
		setsid();
	else if (n % 5 == 2)
		setpgid(0, 0);
	if (n % 3 == 0)
		signal(SIGHUP, SIG_IGN);
	children_start(n, pipes, pids);
	look(n);
	if (++shared->ready == PROCESSES)
		printf("%d processes\nready\n", PROCESSES);
	while (access("go", F_OK) < 0) {
		shared->rounds[n]++;
		good &= same(n);
		usleep(200000);
	}
	good &= same(n);
	sum = children_sum(n, pipes, pids) + (good ? 0 : -1000000);
	if (n == 0)
		printf("sum %ld\nend\n", sum);
	else if (write(9, &sum, sizeof(sum)) != sizeof(sum))
		return 1;
	return n % 100;
}

int main(void)
{
	setlinebuf(stdout);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 1;
	return member(0);
}
