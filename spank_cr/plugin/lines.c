/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "lines.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/close_range.h>

#include "caps.h"
#include "cgroup.h"
#include "cleanup.h"
#include "line.h"
#include "options.h"

static _Noreturn void child_run(const struct launch_job *job, const struct lines *lines, pid_t parent, int out)
{
	struct launch_args args;
	struct cr_error err = {0};

	launch_args_common(&args, lines->verb, job);
	if (lines->generation)
		launch_args_add(&args, "--generation=%u", lines->generation);
	if (lines->setback) {
		launch_args_add(&args, "--setback=%s", lines->setback);
		launch_args_add(&args, "--why=%s", lines->why);
		launch_args_add(&args, "--wait=%lld", (long long)lines->wait);
	}
	if (lines->lacks)
		launch_args_add(&args, "--lacks=%s", lines->lacks);
	if (lines->lacks_net)
		launch_args_add(&args, "--lacks-net=%s", lines->lacks_net);
	/* what it does is for this T and no other: it goes when T goes */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)
		_exit(127);
	if ((!lines->child_cgroup || job->cgroup < 0 || cr_cgroup_enter(job->cgroup, &err) == 0) &&
	    cr_caps_drop(&err) == 0) {
		if (dup2(out, 1) >= 0 && syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
			launch_exec(CR_CRINIT, &args, &err);
		else
			cr_error_sys(&err, errno, "starting crinit %s", lines->verb);
	}
	dprintf(out, "refused %s\n", err.text);
	_exit(127);
}

/* Is there a SIGTERM? Whatever else came is over: nothing runs yet that it could be meant for. */
static bool term_came(int signals)
{
	struct signalfd_siginfo info;
	bool term = false;

	while (read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		term = term || info.ssi_signo == SIGTERM;
	return term;
}

/* To the end of what the child prints; 1 as soon as SIGTERM came and may end it, 2 when it hangs. At other times
 * SIGTERM stays where it is: it may be the answer to what the child has asked for. */
static int output_read(int in, const struct lines *lines, struct cr_lines *reader, struct cr_error *err)
{
	int timeout = lines->patience > 0 ? (int)(lines->patience * 1000) : -1;
	char bytes[4096];

	for (;;) {
		bool may = lines->may_end && lines->may_end(lines->arg);
		struct pollfd fds[] = {{.fd = in, .events = POLLIN},
				       {.fd = may ? lines->signals : -1, .events = POLLIN}};

		int n_ready = poll(fds, 2, timeout);

		if (n_ready < 0) {
			if (errno == EINTR)
				continue;
			return cr_error_sys(err, errno, "poll");
		}
		if (n_ready == 0)
			return 2;
		/* its words first: they tell whether it may be ended */
		if (fds[0].revents) {
			ssize_t n = read(in, bytes, sizeof(bytes));

			if (n == 0)
				return 0;
			if (n < 0 && errno != EINTR)
				return cr_error_sys(err, errno, "what crinit %s prints", lines->verb);
			if (n > 0)
				cr_lines_feed(reader, bytes, (size_t)n, lines->each, lines->arg);
		} else if (fds[1].revents && term_came(lines->signals)) {
			return 1;
		}
	}
}

int lines_read(const struct launch_job *job, const struct lines *lines, struct cr_error *err)
{
	struct cr_lines reader = {0};
	pid_t pid, self = getpid();
	int fds[2], rc, status;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return cr_error_sys(err, errno, "pipe");
	pid = fork();
	if (pid == 0)
		child_run(job, lines, self, fds[1]);
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		return cr_error_sys(err, errno, "starting crinit %s", lines->verb);
	}
	rc = output_read(fds[0], lines, &reader, err);
	close(fds[0]);
	if (rc != 0)
		kill(pid, SIGKILL);
	/* what hangs in the storage cannot die, and cannot be waited for */
	if (rc == 2)
		return cr_error_set(err, ETIMEDOUT, "crinit %s has not said a word for %lld s: does storage hang?",
				    lines->verb, (long long)lines->patience);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return cr_error_sys(err, errno, "waiting for crinit %s", lines->verb);
	if (reader.refused)
		slurm_error(LOG "job %u: %u lines of crinit %s are none, and were passed over", job->id,
			    reader.refused, lines->verb);
	if (rc == 0 && WIFSIGNALED(status))
		return cr_error_set(err, ECHILD, "crinit %s was ended by signal %d (%s)", lines->verb,
				    WTERMSIG(status), strsignal(WTERMSIG(status)));
	return rc;
}
