/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* crinit - started by spank_cr.so: "plan", "requeue" and "setback" before the launch, "run" and "restore" as pid 1
 * of a job's namespaces, "ask" beside it for what needs the node's network */

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ask.h"
#include "caps.h"
#include "job.h"
#include "loop.h"
#include "plan.h"
#include "requeue.h"
#include "restart.h"
#include "setback.h"
#include "wire.h"

static int supervise(struct job *job, int (*loop)(struct job *))
{
	struct cr_error err;
	sigset_t all;

	/* first of all: signals wait for the loop, nobody of this user's may trace us, we go when T goes */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	umask(077); /* images hold the job's memory */
	if (getpid() != 1) {
		fprintf(stderr, "crinit: started by spank_cr.so only\n");
		return 2;
	}
	if (cr_caps_shield(&err) < 0 || job_open(job, false, &err) < 0) {
		cr_wire_send(job->wire, CR_WIRE_FAILED, (int)cr_restart_blame(err.errnum, err.text), err.text,
			     NULL);
		return 1;
	}
	return loop(job);
}

int main(int argc, char *argv[])
{
	struct cr_error err;
	struct job job;
	bool sockets;

	if (argc < 2) {
		fprintf(stderr, "crinit: started by spank_cr.so only\n");
		return 2;
	}
	if (job_parse(&job, argc - 2, argv + 2, &err) < 0) {
		fprintf(stderr, "crinit: %s\n", err.text);
		return 2;
	}
	if (strcmp(argv[1], "plan") == 0)
		return plan_main(&job);
	if (strcmp(argv[1], "requeue") == 0 && job.generation > 0)
		return requeue_main(&job);
	if (strcmp(argv[1], "setback") == 0 && *job.setback)
		return setback_main(&job);
	if (strcmp(argv[1], "ask") == 0 && job.ask >= 0)
		return ask_main(&job);
	sockets = job.hook >= 0 && job.capture >= 0 && job.serve >= 0;
	if (strcmp(argv[1], "run") == 0 && sockets && job.wire >= 0 && job.root > 0 && job.go >= 0)
		return supervise(&job, loop_run);
	if (strcmp(argv[1], "restore") == 0 && sockets && job.wire >= 0 && job.generation > 0)
		return supervise(&job, loop_restore);
	fprintf(stderr, "crinit: started by spank_cr.so only\n");
	return 2;
}
