/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "notify.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "proc.h"

/* A process between fork and exec shows the handlers of its parent and is about to lose them; how long that may
 * last on a node that is busy. */
#define SETTLE_MS 500

bool notify_catches(pid_t pid, int sig)
{
	uint64_t caught = 0;

	if (pid <= 0 || sig <= 0 || sig > 64 || !cr_proc_status(pid, NULL, "SigCgt", 16, &caught))
		return false;
	return caught >> (sig - 1) & 1;
}

bool notify_settled(pid_t pid, uint64_t *start)
{
	int64_t now = cr_time_clock_ns(CLOCK_BOOTTIME) / 1000000;
	bool executed;

	if (!cr_proc_birth(pid, start, &executed))
		return false;
	/* what an exec has left are handlers that the program itself has set */
	return executed || now - (int64_t)(*start * 1000 / (uint64_t)sysconf(_SC_CLK_TCK)) > SETTLE_MS;
}

/* As short as can be between the look and the signal: it may exec at any moment. */
static bool process_tell(pid_t pid, int sig)
{
	return notify_catches(pid, sig) && kill(pid, sig) == 0;
}

static void told_log(const struct job *job, int sig, unsigned told)
{
	job_log(job, 2, "signal %d for %u processes of the job", sig, told);
}

unsigned notify_still(const struct job *job, pid_t root, int sig)
{
	cleanup_free pid_t *pids = NULL;
	struct cr_error err;
	unsigned told = 0;
	size_t n;

	if (cr_proc_tree(root, &pids, &n, &err) < 0) {
		job_log(job, 0, "signal %d for the job: %s", sig, err.text);
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		told += process_tell(pids[i], sig);
	told_log(job, sig, told);
	return told;
}

/* Those that are settled; the others stay in the list, with the moment of their start. */
static unsigned settled_tell(pid_t *pids, uint64_t *starts, size_t *n, int sig)
{
	unsigned told = 0;
	size_t left = 0;

	for (size_t i = 0; i < *n; i++) {
		uint64_t start = 0;

		if (!notify_catches(pids[i], sig))
			continue;
		if (notify_settled(pids[i], &start)) {
			/* whose number is somebody else's by now is not who was waited for */
			told += (!starts[i] || starts[i] == start) && process_tell(pids[i], sig);
			continue;
		}
		pids[left] = pids[i];
		starts[left++] = start;
	}
	*n = left;
	return told;
}

unsigned notify_running(const struct job *job, pid_t root, int sig, int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	cleanup_free pid_t *pids = NULL;
	cleanup_free uint64_t *starts = NULL;
	struct cr_error err;
	unsigned told;
	size_t n;

	if (cr_proc_tree(root, &pids, &n, &err) < 0) {
		job_log(job, 0, "signal %d for the job: %s", sig, err.text);
		return 0;
	}
	starts = calloc(n + 1, sizeof(*starts));
	if (!starts)
		return 0;
	told = settled_tell(pids, starts, &n, sig);
	/* young ones that have not executed anything: some are workers that never will */
	if (n > 0 && poll(&p, 1, SETTLE_MS + 20) == 0)
		told += settled_tell(pids, starts, &n, sig);
	told_log(job, sig, told);
	return told;
}

void notify_before(const struct job *job, int max, int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int lead = job->signal_lead < max ? job->signal_lead : max;

	/* nobody who was told is nobody to wait for */
	if (notify_running(job, job->root, job->signal_before, fd) > 0)
		poll(&p, 1, lead * 1000);
}
