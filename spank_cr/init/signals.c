/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* signals.c - who sent a signal, and who gets it */

#include "loop_state.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"
#include "proc.h"
#include "wire.h"

static void rest_signal(struct loop *l, int sig)
{
	cleanup_free pid_t *pids = NULL;
	struct cr_error err;
	size_t n;

	if (cr_proc_tree(l->job->root, &pids, &n, &err) < 0) {
		job_log(l->job, 0, "passing signal %d on: %s", sig, err.text);
		return;
	}
	for (size_t i = 1; i < n; i++)
		kill(pids[i], sig);
}

void signals_pass(struct loop *l, int sig, bool root, bool rest)
{
	if (root && kill(l->job->root, sig) < 0 && errno != ESRCH)
		job_log(l->job, 0, "passing signal %d to the job: %s", sig, strerror(errno));
	if (rest)
		rest_signal(l, sig);
}

static void signal_arrived(struct loop *l, int sig, bool from_t)
{
	if (sig == SIGCONT)
		pause_over(l);
	if (sig == SIGTSTP && pause_announced(l, from_t))
		return;
	if (sig != SIGTERM) {
		signals_pass(l, sig, from_t, !from_t);
		return;
	}
	if (from_t)
		l->term_root = true;
	else
		l->term_rest = true;
	if (l->holding && l->worker.pid) {
		const char byte = WORKER_RELEASE;

		if (send(l->worker.fd, &byte, 1, MSG_NOSIGNAL) != 1)
			job_log(l->job, 0, "releasing the last checkpoint: %s", strerror(errno));
		return;
	}
	term_arrived(l);
}

void signals_read(struct loop *l)
{
	struct signalfd_siginfo info;

	while (read(l->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			continue; /* children_reap looks every time */
		/* from inside of the job: not for pid 1 */
		if (info.ssi_pid != 0 || info.ssi_code > 0)
			continue;
		signal_arrived(l, (int)info.ssi_signo, false);
	}
}

void signals_read_wire(struct loop *l)
{
	struct cr_wire message;
	struct cr_error err;
	int rc = cr_wire_receive(l->job->wire, &message, &err);

	if (rc == 1 && message.type == CR_WIRE_SIGNAL)
		signal_arrived(l, message.value, true);
	else if (rc == 0)
		ending_set(l, SIGKILL); /* T is gone, and with it whoever waits for this job */
}

void signals_term_pass(struct loop *l, bool ending)
{
	term_stop(l);
	/* a program that was told nothing has not been told to go */
	l->ending = l->ending || (ending && (l->term_root || l->term_rest));
	signals_pass(l, SIGTERM, l->term_root, l->term_rest);
	l->term_root = l->term_rest = false;
	l->term = TERM_NONE;
}
