/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "stage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/close_range.h>

#include "cgroup.h"
#include "cleanup.h"
#include "listen.h"
#include "ns.h"
#include "restart.h"
#include "wire.h"

#define CRIU_DESCRIPTORS 1024

/* Slurm opened stdin, stdout and stderr in its own mount namespace; criu looks their mounts up in the job's.
 * Open the same files again in here; what is no path of ours (a pipe, a socket) stays as it is. */
static int stdio_reopen(int fd, struct cr_error *err)
{
	char link[32], path[PATH_MAX];
	struct stat before, after;
	cleanup_close int found = -1, fresh = -1;
	off_t offset = lseek(fd, 0, SEEK_CUR);
	int flags = fcntl(fd, F_GETFL);
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (flags < 0 || n <= 0 || path[0] != '/' || fstat(fd, &before) < 0)
		return 0;
	path[n] = '\0';
	if (!S_ISREG(before.st_mode) && !S_ISCHR(before.st_mode))
		return 0;
	found = open(path, O_PATH | O_CLOEXEC);
	if (found < 0 || fstat(found, &after) < 0)
		return 0; /* not reachable in here: keep Slurm's */
	if (before.st_dev != after.st_dev || before.st_ino != after.st_ino)
		return 0;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", found);
	fresh = open(link, (flags & (O_ACCMODE | O_APPEND)) | O_NOCTTY | O_CLOEXEC);
	if (fresh < 0)
		return 0;
	if (S_ISREG(before.st_mode) && offset > 0 && lseek(fresh, offset, SEEK_SET) < 0)
		return cr_error_sys(err, errno, "%s", path);
	if (dup2(fresh, fd) < 0)
		return cr_error_sys(err, errno, "dup2");
	return 0;
}

static int stdio_reopen_all(struct cr_error *err)
{
	struct stat out, errs;
	bool shared = fstat(1, &out) == 0 && fstat(2, &errs) == 0 && out.st_dev == errs.st_dev &&
		      out.st_ino == errs.st_ino && S_ISREG(out.st_mode);

	if (stdio_reopen(0, err) < 0 || stdio_reopen(1, err) < 0)
		return -1;
	/* one file for both is one open file for both, as Slurm makes it */
	if (shared)
		return dup2(1, 2) < 0 ? cr_error_sys(err, errno, "dup2") : 0;
	return stdio_reopen(2, err);
}

/* The process that returns from the hook and execs the user's program. */
static int program_prepare(const struct launch_job *job, int go)
{
	struct cr_error err;
	char byte;

	/* subreaper: what the script leaves to itself (nohup, daemons) stays in the tree that criu dumps */
	if (setsid() < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0) {
		cr_error_sys(&err, errno, "leading the job's session");
		dprintf(2, "spank_cr: job %u: %s\n", job->id, err.text);
		_exit(1);
	}
	/* no path is opened before the capabilities are gone */
	if (cr_cgroup_enter(job->cgroup, &err) < 0 || cr_caps_drop(&err) < 0 || stdio_reopen_all(&err) < 0) {
		dprintf(2, "spank_cr: job %u: %s\n", job->id, err.text);
		_exit(1);
	}
	/* crinit says go when it is ready; a closed pipe means that it never came */
	if (read(go, &byte, 1) != 1)
		_exit(1);
	/* Slurm needs its descriptors until the exec, the program none of them */
	if (syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		_exit(1);
	return 0;
}

static int descriptor_pass(int fd, struct cr_error *err)
{
	if (fd >= 0 && fcntl(fd, F_SETFD, 0) < 0)
		return cr_error_sys(err, errno, "passing a descriptor to crinit");
	return 0;
}

/* It holds nothing that another process of this user could not have: not cgroup.procs either, which root has
 * opened, and by which whoever has it moves root's processes. So it is in the child cgroup from the start. */
static _Noreturn void ask_exec(const struct launch_job *job, int fd)
{
	struct launch_args args;
	struct cr_error err;

	launch_args_common(&args, "ask", job);
	launch_args_add(&args, "--ask-fd=%d", fd);
	if (cr_cgroup_enter(job->cgroup, &err) == 0 && cr_caps_drop(&err) == 0 &&
	    syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC) == 0 && descriptor_pass(fd, &err) == 0)
		launch_exec(CR_CRINIT, &args, &err);
	_exit(127);
}

/* A network of the job's own. Who asks Slurm stays in the node's. *fd becomes crinit's socket to it. */
static int net_leave(const struct launch_job *job, int *fd, struct cr_error *err)
{
	int fds[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return cr_error_sys(err, errno, "socketpair");
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		ask_exec(job, fds[1]);
	}
	close(fds[1]);
	*fd = fds[0];
	if (pid < 0)
		return cr_error_sys(err, errno, "fork");
	return cr_ns_net(err);
}

/* criu keeps descriptors of its own above those of the process that it makes, and a process may have some right
 * below its hard limit (valgrind has). What is restored gets the limits that it had, the job's root is forked
 * already. */
static void descriptors_allow(void)
{
	cleanup_fclose FILE *f = fopen("/proc/sys/fs/nr_open", "re");
	unsigned long long most = 0;
	struct rlimit limit;

	if (!f || fscanf(f, "%llu", &most) != 1 || getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_max >= most)
		return;
	limit.rlim_max = limit.rlim_max + CRIU_DESCRIPTORS < most ? limit.rlim_max + CRIU_DESCRIPTORS : most;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* The submitter's limits (ulimit) are none of crinit's: Slurm sets them right before it executes the program,
 * after this. But slurmd and PAM may have set some. What of them holds up who reads and writes a whole job goes as
 * far as the site lets it, the rest is nobody's trouble. */
static void limits_allow(void)
{
	static const __rlimit_resource_t resources[] = {RLIMIT_FSIZE, RLIMIT_AS, RLIMIT_DATA, RLIMIT_CPU,
							RLIMIT_NPROC};

	for (size_t i = 0; i < sizeof(resources) / sizeof(resources[0]); i++) {
		struct rlimit limit;

		if (getrlimit(resources[i], &limit) < 0)
			continue;
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(resources[i], &limit);
	}
}

#define SOCKETS 4

/* What criu, its hooks and scheckpoint connect to, as crinit's arguments. */
static int sockets_pass(const struct launch_job *job, struct launch_args *args, int fds[SOCKETS],
			struct cr_error *err)
{
	const struct {
		const char *dir, *name, *format;
		int type;
	} sockets[SOCKETS] = {{CR_RUN_SOCKETS, CR_LISTEN_HOOK, "--hook-fd=%d", SOCK_SEQPACKET},
			      {CR_RUN_SOCKETS, CR_LISTEN_CAPTURE, "--capture-fd=%d", SOCK_STREAM},
			      {CR_RUN_SOCKETS, CR_LISTEN_SERVE, "--serve-fd=%d", SOCK_STREAM},
			      {job->runtime.dir, LAUNCH_PART ".sock", "--control-fd=%d", SOCK_STREAM}};

	for (int i = 0; i < SOCKETS; i++) {
		fds[i] = cr_listen(sockets[i].dir, sockets[i].name, sockets[i].type, job->uid, job->gid, err);
		/* without the last one only scheckpoint does not reach the job, which crinit says */
		if (i < SOCKETS - 1 && fds[i] < 0)
			return -1;
		launch_args_add(args, sockets[i].format, fds[i]);
	}
	return 0;
}

static int crinit_exec(const struct launch_job *job, const struct cr_budget *budget, int wire, int ask, int go,
		       pid_t root, uint32_t restore, struct cr_error *err)
{
	struct launch_args args;
	int sockets[SOCKETS];

	launch_args_common(&args, restore ? "restore" : "run", job);
	if (sockets_pass(job, &args, sockets, err) < 0)
		return -1;
	launch_args_add(&args, "--wire-fd=%d", wire);
	launch_args_add(&args, "--notary-fd=%d", job->notary);
	launch_args_add(&args, "--cgroup-fd=%d", job->cgroup);
	launch_args_add(&args, "--ask-fd=%d", ask);
	launch_args_add(&args, "--why=%s", job->why);
	if (restore)
		launch_args_add(&args, "--generation=%u", restore);
	else {
		launch_args_add(&args, "--go-fd=%d", go);
		launch_args_add(&args, "--root-pid=%d", (int)root);
	}
	/* everything else that slurmstepd has open stays behind */
	if (syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return cr_error_sys(err, errno, "close_range");
	for (int i = 0; i < SOCKETS; i++)
		if (descriptor_pass(sockets[i], err) < 0)
			return -1;
	if (descriptor_pass(wire, err) < 0 || descriptor_pass(job->notary, err) < 0 ||
	    descriptor_pass(job->cgroup, err) < 0 || descriptor_pass(ask, err) < 0 || descriptor_pass(go, err) < 0)
		return -1;
	descriptors_allow();
	limits_allow();
	if (cr_caps_set_ambient(budget, err) < 0)
		return -1;
	return launch_exec(CR_CRINIT, &args, err);
}

static _Noreturn void stage_fail(int wire, struct cr_error *err)
{
	cr_wire_send(wire, CR_WIRE_FAILED, (int)cr_restart_blame(err->errnum, err->text), err->text, NULL);
	_exit(1);
}

int stage_run(const struct launch_job *job, const struct cr_budget *budget, int wire, uint32_t restore,
	      const char *without)
{
	const struct cr_ns_mounts mounts = {
		.tmp = job->runtime.tmp,
		.var_tmp = job->runtime.var_tmp,
		.home = CR_RUN_HOME,
		.sockets = CR_RUN_SOCKETS,
		.uid = job->uid,
		.gid = job->gid,
	};
	struct cr_error err;
	int go[2] = {-1, -1}, ask = -1;
	pid_t root = 0;

	if (cr_caps_shield(&err) < 0 || cr_ns_mount(&mounts, &err) < 0 ||
	    cr_caps_leave_groups(without, &err) < 0 || (job->private_net && net_leave(job, &ask, &err) < 0))
		stage_fail(wire, &err);
	if (!restore) {
		if (cr_ns_last_pid_write(CR_NS_PID_FIRST - 1, &err) < 0)
			stage_fail(wire, &err);
		if (pipe2(go, O_CLOEXEC) < 0) {
			cr_error_sys(&err, errno, "pipe");
			stage_fail(wire, &err);
		}
		root = fork();
		if (root < 0) {
			cr_error_sys(&err, errno, "fork");
			stage_fail(wire, &err);
		}
		if (root == 0) {
			close(go[1]);
			return program_prepare(job, go[0]);
		}
		close(go[0]);
	}
	crinit_exec(job, budget, wire, ask, go[1], root, restore, &err);
	stage_fail(wire, &err);
}
