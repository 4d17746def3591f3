/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/close_range.h>

#include "caps.h"
#include "cgroup.h"
#include "cleanup.h"

static _Noreturn void child_run(const struct launch_job *job, const char *verb, uint32_t generation,
				bool child_cgroup, int out)
{
	struct launch_args args;
	struct cr_error err;

	launch_args_common(&args, verb, job);
	if (generation)
		launch_args_add(&args, "--generation=%u", generation);
	if ((!child_cgroup || cr_cgroup_enter(job->cgroup, &err) == 0) && cr_caps_drop(&err) == 0 &&
	    dup2(out, 1) >= 0 && syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
		launch_exec(CR_CRINIT, &args, &err);
	dprintf(out, "refused %s\n", err.text);
	_exit(127);
}

int lines_read(const struct launch_job *job, const char *verb, uint32_t generation, bool child_cgroup,
	       void (*each)(char *line, void *arg), void *arg, struct cr_error *err)
{
	cleanup_fclose FILE *in = NULL;
	char line[1024];
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return cr_error_sys(err, errno, "pipe");
	pid = fork();
	if (pid == 0)
		child_run(job, verb, generation, child_cgroup, fds[1]);
	close(fds[1]);
	in = fdopen(fds[0], "r");
	if (pid < 0 || !in) {
		cr_error_sys(err, errno, "starting crinit %s", verb);
		if (!in)
			close(fds[0]);
		return -1;
	}
	while (fgets(line, sizeof(line), in)) {
		line[strcspn(line, "\n")] = '\0';
		each(line, arg);
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return 0;
}
