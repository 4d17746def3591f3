/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "notify.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "cleanup.h"
#include "proc.h"

bool notify_catches(pid_t pid, int sig)
{
	char path[64], line[256];
	cleanup_fclose FILE *f = NULL;
	uint64_t caught = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "SigCgt: %" SCNx64, &caught) == 1)
			break;
	}
	return sig > 0 && sig <= 64 && (caught >> (sig - 1) & 1);
}

unsigned notify_tree(const struct job *job, pid_t root, int sig)
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
		told += notify_catches(pids[i], sig) && kill(pids[i], sig) == 0;
	job_log(job, 2, "signal %d for %u processes of the job", sig, told);
	return told;
}

void notify_before(const struct job *job, int max, int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int lead = job->signal_lead < max ? job->signal_lead : max;

	/* nobody who was told is nobody to wait for */
	if (notify_tree(job, job->root, job->signal_before) > 0)
		poll(&p, 1, lead * 1000);
}
