/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* control.c - ask the crinit of a running job to do something */

#include "control.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cleanup.h"
#include "cli.h"
#include "proc.h"
#include "runtime.h"

enum { REPLY_MAX = 64 * 1024, REQUEST_MAX = 1000, RELAY_MARGIN_MS = 5000 };

static int parse_reply(const char *text, json_t **reply, struct cr_error *err)
{
	json_error_t why;

	*reply = json_loads(text, JSON_REJECT_DUPLICATES, &why);
	if (*reply && json_is_boolean(json_object_get(*reply, "ok")))
		return 0;
	json_decref(*reply);
	*reply = NULL;
	return cr_error_set(err, EPROTO, "crinit's answer is not understood");
}

static int connect_error(int errnum, const char *path, struct cr_error *err)
{
	if (errnum != ENOENT)
		return cr_error_sys(err, errnum, "connect to %s", path);
	return cr_error_set(err, ENOENT, "it was not started with --checkpoint, or is just starting (no %s)",
			    path);
}

static int connect_socket(uint32_t job, int *fd, struct cr_error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct ucred peer;
	socklen_t size = sizeof(peer);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%u/%s.sock", CR_RUN_DIR, job, CONTROL_PART);
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return cr_error_sys(err, errno, "socket");
	if (connect(*fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return connect_error(errno, address.sun_path, err);
	if (getsockopt(*fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return cr_error_sys(err, errno, "peer of %s", address.sun_path);
	if (peer.uid != getuid())
		return cr_error_set(err, EPERM, "%s is served by uid %u, not by yours", address.sun_path,
				    peer.uid);
	return 0;
}

/* verb, or verb and up to two words behind it, as a line of JSON. */
static int make_request(const char *ask, char *line, size_t size, struct cr_error *err)
{
	static const char *const keys[] = {"verb", "to", "was"};
	cleanup_free char *words = strdup(ask), *text = NULL;
	json_auto_t *request = json_object();
	char *next = words, *word;
	size_t n = 0;

	while (words && request && (word = strsep(&next, " ")))
		if (n == 3 || json_object_set_new(request, keys[n++], json_string(word)) < 0)
			return cr_error_set(err, EINVAL, "'%.100s' is not something to ask for", ask);
	text = json_dumps(request, JSON_COMPACT);
	if (!text || snprintf(line, size, "%s\n", text) >= (int)size)
		return cr_error_set(err, EINVAL, "'%.100s' is too long", ask);
	return 0;
}

static int send_request(int fd, const char *ask, struct cr_error *err)
{
	char line[REQUEST_MAX];
	ssize_t size;

	if (make_request(ask, line, sizeof(line), err) < 0)
		return -1;
	size = (ssize_t)strlen(line);
	/* a new connection's buffer takes a line this short as a whole */
	if (send(fd, line, (size_t)size, MSG_NOSIGNAL) != size)
		return cr_error_sys(err, errno, "send to crinit");
	return 0;
}

/* Up to the newline; buf gets the line without it. */
static int receive_line(int fd, int64_t deadline, char *buf, size_t size, struct cr_error *err)
{
	size_t used = 0;

	for (;;) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		int64_t left = deadline - clock_ms();
		ssize_t n;

		if (left <= 0)
			return cr_error_set(
				err, ETIMEDOUT,
				"crinit has not answered in time; scheckpoint list shows what came of it");
		if (poll(&wait, 1, left > 1000 ? 1000 : (int)left) <= 0)
			continue;
		n = read(fd, buf + used, size - 1 - used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cr_error_sys(err, errno, "read crinit's answer");
		if (n == 0)
			return cr_error_set(err, EPIPE, "crinit gave no answer; has the job ended?");
		used += (size_t)n;
		buf[used] = '\0';
		if (strchr(buf, '\n'))
			return 0;
		if (used == size - 1)
			return cr_error_set(err, EPROTO, "crinit's answer is too long");
	}
}

int control_local(uint32_t job, const char *verb, int64_t deadline, json_t **reply, struct cr_error *err)
{
	cleanup_close int fd = -1;
	char line[REPLY_MAX];

	if (connect_socket(job, &fd, err) < 0 || send_request(fd, verb, err) < 0 ||
	    receive_line(fd, deadline, line, sizeof(line), err) < 0)
		return -1;
	return parse_reply(line, reply, err);
}

int control_refusal(const struct cr_error *why, json_t **reply, struct cr_error *err)
{
	*reply = json_pack("{s:b, s:s, s:b}", "ok", 0, "error", why->text, "covered", why->errnum != ENOENT);
	return *reply ? 0 : cr_error_set(err, ENOMEM, "%s", why->text);
}

/* This program, which is installed at the same path on the compute nodes. */
static int own_path(char buf[PATH_MAX], struct cr_error *err)
{
	ssize_t n = readlink("/proc/self/exe", buf, PATH_MAX - 1);

	if (n < 0)
		return cr_error_sys(err, errno, "/proc/self/exe");
	buf[n] = '\0';
	return 0;
}

/* As the job's user: what runs in the job, and what it says, is the user's. */
static int become_owner(const struct job *job, struct cli_as *as, const char *argv[], int *n, struct cr_error *err)
{
	const struct passwd *user;

	if (job->uid == getuid())
		return 0;
	user = getpwuid(job->uid);
	if (!user)
		return cr_error_set(err, ENOENT, "its user %s (uid %u) is not known on this machine", job->user,
				    job->uid);
	if (cli_as_user(user->pw_uid, user->pw_gid, as, argv, err) < 0)
		return -1;
	*n = CLI_AS_ARGS - 1;
	return 0;
}

/* What srun needs to add one process to a job that has promised all it has to other steps: --overlap shares
 * processors, memory and devices; --mem=0 takes whatever limit the job has; nothing is bound, no rlimit and
 * no working directory of the login node is carried over. */
static int relay_step(const struct job *job, const char *verb, int64_t deadline, struct proc_output *output,
		      struct cr_error *err)
{
	char self[PATH_MAX], jobid[32], host[sizeof(job->batch_host) + 16], timeout[32], id[16];
	const char *const step[] = {CR_SLURM_BINDIR "/srun", jobid, host, "--overlap",
				    /* must be there for a heterogeneous job, and for no other one */
				    job->is_het ? "--het-group=0" : "--overlap", "--nodes=1", "--ntasks=1",
				    "--cpus-per-task=1", "--mem=0", "--gres=none", "--cpu-bind=none",
				    "--mem-bind=none", "--mpi=none", "--propagate=NONE", "--chdir=/",
				    "--input=none", "--quiet", "--", self, "agent", timeout, verb, id, NULL};
	const char *argv[CLI_AS_ARGS + sizeof(step) / sizeof(*step)] = {NULL};
	int64_t left = (deadline - clock_ms() - RELAY_MARGIN_MS) / 1000;
	struct cli_as as;
	int n = 0;

	if (own_path(self, err) < 0 || become_owner(job, &as, argv, &n, err) < 0)
		return -1;
	memcpy(argv + n, step, sizeof(step));
	snprintf(jobid, sizeof(jobid), "--jobid=%u", job->id);
	snprintf(host, sizeof(host), "--nodelist=%s", job->batch_host);
	snprintf(timeout, sizeof(timeout), "--timeout=%d", left > 1 ? (int)left : 1);
	snprintf(id, sizeof(id), "%u", job->id);
	return proc_run(argv, deadline, output, err);
}

static int control_relayed(const struct job *job, const char *verb, int64_t deadline, json_t **reply,
			   struct cr_error *err)
{
	cleanup_output struct proc_output output = {0};

	if (relay_step(job, verb, deadline, &output, err) < 0)
		return -1;
	if (output.size[0])
		return parse_reply(output.text[0], reply, err);
	return cr_error_set(err, EIO, "cannot reach it on %s: %s", job->batch_host, proc_complaint(&output));
}

/* No socket here, or what the job left behind when it ran on this node before. */
static bool is_elsewhere(const struct cr_error *err)
{
	return err->errnum == ENOENT || err->errnum == ECONNREFUSED || err->errnum == EACCES;
}

/* What it says is the user's, and may go to root's terminal, or look like lines of this program's. */
static int refuse(const json_t *reply, struct cr_error *err)
{
	const char *why = json_string_value(json_object_get(reply, "error"));
	int errnum = json_is_false(json_object_get(reply, "covered")) ? ENOTSUP : EIO;

	cr_error_set(err, errnum, "%s", why ? why : "crinit refuses and does not say why");
	for (char *p = err->text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	return -1;
}

int control_ask(const struct job *job, const char *verb, int64_t deadline, json_t **reply, struct cr_error *err)
{
	bool is_own = job->uid == getuid();
	int rc = is_own ? control_local(job->id, verb, deadline, reply, err) : -1;

	if (!is_own || (rc < 0 && is_elsewhere(err)))
		rc = control_relayed(job, verb, deadline, reply, err);
	if (rc < 0)
		return -1;
	return json_is_false(json_object_get(*reply, "ok")) ? refuse(*reply, err) : 0;
}
