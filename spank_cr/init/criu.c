/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "criu.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "caps.h"
#include "cleanup.h"
#include "fs.h"
#include "listen.h"
#include "runtime.h"
#include "shim.h"
#include "spawn.h"

#define ARGS	      (48 + 2 * SPAWN_PASS)
#define TEXTS	      (SPAWN_PASS + 4)
#define LOG_MAX	      (64u << 20)
#define LOG_SETTLE_MS 5000

/* a node that has more to do than it can takes long to start a program */
#define VERSION_TRIES 3
#define VERSION_MS    20000

struct command {
	const char *argv[ARGS + 1];
	int argc;
	char *text[TEXTS]; /* what argv points to when it is not a constant */
	int n_text;
	char env[6][PATH_MAX + 64];
	const char *envp[9];
	const char *verb;
	bool overflow;
};

static void add(struct command *c, const char *arg)
{
	if (c->argc < ARGS)
		c->argv[c->argc++] = arg;
	else
		c->overflow = true;
}

static void __attribute__((format(printf, 2, 3))) addf(struct command *c, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (c->n_text == TEXTS || vasprintf(&text, fmt, ap) < 0)
		c->overflow = true;
	else
		add(c, c->text[c->n_text++] = text);
	va_end(ap);
}

/* What dump and restore have in common. Without dir images come from and go to the sockets of listen.h. criu
 * reads configuration, plugins and caches from its environment and HOME: it gets a private, empty one. */
static void command_init(struct command *c, const struct job *job, const struct hook *hook, const char *verb,
			 const char *dir)
{
	static const char *const flags[] = {"--unprivileged",
					    "--no-default-config",
					    "--manage-cgroups=ignore",
					    "--network-lock",
					    "skip",
					    "--file-locks",
					    "--file-validation",
					    "filesize",
					    "-v4"};

	memset(c, 0, sizeof(*c));
	add(c, job->criu);
	add(c, verb);
	add(c, "--images-dir");
	add(c, dir ? dir : CR_RUN_SOCKETS);
	if (!dir)
		add(c, "--stream");
	/* criu's log and statistics go to the node's tmpfs: what is committed is hashed before criu has ended */
	add(c, "--work-dir");
	add(c, job->home);
	/* its stdout: log_open() */
	add(c, "--log-file");
	add(c, "-");
	c->verb = verb;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		add(c, flags[i]);
	/* a connection has both its ends in the job then, and criu may repair it */
	if (job->private_net)
		add(c, "--tcp-established");
	add(c, "--action-script");
	add(c, CR_HOOK);
	snprintf(c->env[0], sizeof(c->env[0]), "HOME=%s", job->home);
	snprintf(c->env[1], sizeof(c->env[1]), "XDG_RUNTIME_DIR=%s", job->home);
	snprintf(c->env[2], sizeof(c->env[2]), HOOK_ENV_SOCKET "=%s/%s", CR_RUN_SOCKETS, CR_LISTEN_HOOK);
	snprintf(c->env[3], sizeof(c->env[3]), HOOK_ENV_TOKEN "=%s", hook->token);
	snprintf(c->env[4], sizeof(c->env[4]), SHIM_ENV_DIR "=%s", job->home);
	snprintf(c->env[5], sizeof(c->env[5]), SHIM_ENV_PRELOAD "=%s", CR_SHIM);
	c->envp[0] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	c->envp[1] = "LC_ALL=C.UTF-8";
	for (int i = 0; i < 6; i++)
		c->envp[2 + i] = c->env[i];
}

/* The dynamic linker loads nothing by the environment into a program whose file has capabilities. */
static void preload_look(const struct job *job)
{
	if (access(CR_SHIM, R_OK) < 0)
		job_log(job, 1, "%s: %s; criu is run without it", CR_SHIM, strerror(errno));
	else if (getxattr(job->criu, "security.capability", NULL, 0) > 0)
		job_log(job, 1, "%s has file capabilities: %s cannot be loaded into it, criu is run without it",
			job->criu, CR_SHIM);
}

/* ---- criu's log ----
 *
 * criu has the job's own processes write to it, at a dump as at a restore, and a file may be longer than these are
 * allowed (RLIMIT_FSIZE): they would die of it. So the log is a pipe, and a process of ours fills the file. */

static pid_t log_writer = -1;
static int log_end = -1; /* stays open: should the writer die, the job's processes are not to die of a SIGPIPE */

static _Noreturn void log_write(int in, const char *path)
{
	/* a new file: a pipe that the job has put there would hold up criu, and the job with it */
	int out = unlink(path) < 0 && errno != ENOENT
			  ? -1
			  : open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct cr_error err;
	char text[16384];
	ssize_t n;

	if (dup2(in, 0) < 0 || (out >= 0 && dup2(out, 1) < 0) || syscall(SYS_close_range, 2, ~0U, 0) < 0 ||
	    cr_caps_drop(&err) < 0)
		_exit(1);
	while ((n = read(0, text, sizeof(text))) > 0 || (n < 0 && errno == EINTR)) {
		if (n > 0 && out >= 0 && cr_fs_write_all(1, text, (size_t)n, &err) < 0)
			out = -1; /* no room: read on all the same */
	}
	_exit(0);
}

static int log_open(const struct job *job, const char *verb, struct cr_error *err)
{
	char path[PATH_MAX + 32];
	int ends[2];

	snprintf(path, sizeof(path), "%s/%s.log", job->home, verb);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return cr_error_sys(err, errno, "a pipe for criu's log");
	log_writer = fork();
	if (log_writer == 0)
		log_write(ends[0], path);
	log_end = ends[0];
	if (log_writer > 0)
		return ends[1];
	close(ends[1]);
	close(log_end);
	return cr_error_sys(err, errno, "a process for criu's log");
}

/* All of it is in the file then: criu has ended. */
static void log_settle(void)
{
	if (log_writer < 0)
		return;
	if (!spawn_ended(log_writer, LOG_SETTLE_MS)) {
		kill(log_writer, SIGKILL);
		(void)spawn_wait(log_writer, NULL);
	}
	close(log_end);
	log_writer = -1;
}

static pid_t command_run(struct command *c, const struct job *job, const int *pass, int *pidfd,
			 struct cr_error *err)
{
	cleanup_close int log = -1;
	struct spawn s = {.argv = c->argv,
			  .envp = c->envp,
			  .cgroup = job->cgroup,
			  .caps = true,
			  .out = -1,
			  .pass = {-1, -1, -1, -1}};

	if (c->overflow)
		return cr_error_set(err, ENOMEM, "no room for criu's arguments");
	preload_look(job);
	log = s.out = log_open(job, c->verb, err);
	if (log < 0)
		return -1;
	for (int i = 0; pass && i < SPAWN_PASS && pass[i] > 0; i++)
		s.pass[i] = pass[i];
	return spawn_start(&s, pidfd, err);
}

/* The command is gone afterwards. */
static pid_t command_start(struct command *c, const struct job *job, const int *pass, int *pidfd,
			   struct cr_error *err)
{
	pid_t pid = command_run(c, job, pass, pidfd, err);

	while (c->n_text > 0)
		free(c->text[--c->n_text]);
	return pid;
}

pid_t criu_dump_start(const struct job *job, const struct hook *hook, bool final, int *pidfd, struct cr_error *err)
{
	struct command c;

	command_init(&c, job, hook, "dump", NULL);
	add(&c, "--tree");
	addf(&c, "%d", (int)job->root);
	add(&c, "--ghost-limit");
	addf(&c, "%" PRIu64, job->ghost_limit);
	/* only with crshim.so can it do so */
	add(&c, "--link-remap");
	if (!final)
		add(&c, "--leave-running");
	return command_start(&c, job, NULL, pidfd, err);
}

pid_t criu_restore_start(const struct job *job, const struct hook *hook, const char *dir,
			 const struct criu_inherit *inherit, int n, int *pidfd, struct cr_error *err)
{
	int pass[SPAWN_PASS] = {-1};
	struct command c;

	command_init(&c, job, hook, "restore", dir);
	add(&c, "--restore-detached");
	for (int i = 0; i < n && i < SPAWN_PASS; i++) {
		pass[i] = inherit[i].fd;
		add(&c, "--inherit-fd");
		addf(&c, "fd[%d]:%s", inherit[i].fd, inherit[i].path + 1);
	}
	return command_start(&c, job, pass, pidfd, err);
}

/* "a.b.c" as one number that compares */
static int version_number(const char *text)
{
	int a = 0, b = 0, c = 0;

	if (sscanf(text, "%d.%d.%d", &a, &b, &c) < 2)
		return -1;
	return a * 1000000 + b * 1000 + c;
}

int criu_version_check(const char *version, const char *release, struct cr_error *err)
{
	int criu = version_number(version), kernel = version_number(release);

	if (criu < 0 || kernel < 0)
		return cr_error_set(err, EINVAL, "cannot compare criu %s with kernel %s", version, release);
	if (criu < 3018000)
		return cr_error_set(err, ENOTSUP, "criu %s is too old: 3.18 or later is needed", version);
	if (kernel >= 6016000 && criu < 4002000)
		return cr_error_set(err, ENOTSUP, "criu %s is too old for kernel %s: 4.2 or later is needed",
				    version, release);
	return 0;
}

int criu_version_patient(const char *criu, char version[CRIU_VERSION_TEXT], int tries, int ms,
			 struct cr_error *err)
{
	const char *const argv[] = {criu, "--version", NULL};
	char text[256], *at;
	struct utsname u;
	int rc = -1;

	for (int i = 0; i < tries && rc < 0; i++) {
		rc = spawn_capture(argv, spawn_environment(), -1, -1, ms, text, sizeof(text), err);
		if (rc < 0 && err->errnum != ETIMEDOUT)
			return cr_error_prefix(
				err, "criu cannot be run on this node (install criu 3.18 or later, or set criu=)");
	}
	if (rc < 0)
		return cr_error_set(err, ETIMEDOUT, "%s --version gave no answer in %d s: the node is very busy",
				    criu, tries * ms / 1000);
	at = strstr(text, "Version: ");
	if (!at || sscanf(at, "Version: %31s", version) != 1)
		return cr_error_set(err, EINVAL, "%s --version says \"%.60s\": not a criu", criu, text);
	if (uname(&u) < 0)
		return cr_error_sys(err, errno, "uname");
	return criu_version_check(version, u.release, err);
}

int criu_version(const char *criu, char version[CRIU_VERSION_TEXT], struct cr_error *err)
{
	return criu_version_patient(criu, version, VERSION_TRIES, VERSION_MS, err);
}

void criu_log_reason(const struct job *job, const char *verb, char *buf, size_t size)
{
	char path[PATH_MAX + 32], line[1024];
	cleanup_fclose FILE *f = NULL;

	log_settle();
	snprintf(path, sizeof(path), "%s/%s.log", job->home, verb);
	f = fopen(path, "re");
	buf[0] = '\0';
	/* the first error is the cause, what follows is the clean-up */
	while (f && fgets(line, sizeof(line), f)) {
		char *at = strstr(line, "Error (");

		if (!at)
			continue;
		at[strcspn(at, "\n")] = '\0';
		snprintf(buf, size, "%s", at);
		return;
	}
	snprintf(buf, size, "%s", f ? "no error in its log" : "it left no log");
}

/* What criu says of an open file whose name is gone, or is another file's now, while it has a name elsewhere.
 * Saving it would take CAP_DAC_READ_SEARCH, for a link from the descriptor. Returns 1 and the path when it is
 * that. */
static int reason_nameless(const char *reason, char *path, size_t size)
{
	static const char said[] = "Can't create link remap for ";
	const char *at = strstr(reason, said), *end;

	if (!at)
		return 0;
	at += strlen(said);
	end = strstr(at, ". Use ");
	snprintf(path, size, "%.*s", (int)(end ? end - at : (long)strlen(at)), at);
	return 1;
}

/* What criu says of a file that it cannot open at a restore, or that is not what it was. Returns 1, the path
 * without its slash, and what of it. */
static int reason_file(const char *reason, char *path, size_t size, char *what, size_t what_size)
{
	static const struct {
		const char *before, *after, *what;
	} said[] = {
		{"Can't open file ", " on restore: ", "cannot be opened: "},
		{": File ", " has bad size ", "has another size: "},
		{": File ", " has bad mode ", "is another kind of file, or has another mode: "},
	};

	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		const char *at = strstr(reason, said[i].before), *end = at ? strstr(at, said[i].after) : NULL;

		if (!end)
			continue;
		at += strlen(said[i].before);
		snprintf(path, size, "%.*s", (int)(end - at), at);
		snprintf(what, what_size, "%s%s", said[i].what, end + strlen(said[i].after));
		return 1;
	}
	return 0;
}

int criu_failure(const struct job *job, const char *verb, int status, struct cr_error *err)
{
	char reason[512], path[512], what[512];

	criu_log_reason(job, verb, reason, sizeof(reason));
	if (reason_file(reason, path, sizeof(path), what, sizeof(what)))
		return cr_error_set(err, EIO,
				    "/%.300s, which the job had open or mapped at the checkpoint, %.300s", path,
				    what);
	if (reason_nameless(reason, path, sizeof(path)))
		return cr_error_set(
			err, ENOTSUP,
			"%s is open, was removed or replaced, and has another name (a hard link): criu "
			"cannot save such a file without root; close it, or remove the other name",
			path);
	if (strstr(reason, "ctty inheritance detected"))
		return cr_error_set(
			err, ENOTSUP,
			"a process had its controlling terminal open as /dev/tty at that moment: criu cannot "
			"save that; open the terminal by its own name (/dev/pts/N, as tty says)");
	return cr_error_set(err, EIO, "criu %s %s %d: %s", verb,
			    WIFSIGNALED(status) ? "was killed by signal" : "ended with",
			    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), reason);
}

void criu_log_keep(const struct job *job, const char *verb)
{
	char from[PATH_MAX + 32], to[PATH_MAX + 32];
	cleanup_free char *data = NULL;
	struct cr_error err;
	size_t size;

	log_settle();
	snprintf(from, sizeof(from), "%s/%s.log", job->home, verb);
	if (cr_fs_read(from, LOG_MAX, &data, &size, &err) < 0)
		return; /* criu had not started */
	snprintf(to, sizeof(to), "%s/failed", job->store.dir);
	if (cr_fs_mkdirs(to, 0700, &err) == 0) {
		snprintf(to, sizeof(to), "%s/failed/%s.log", job->store.dir, verb);
		if (cr_fs_write_atomic(to, data, size, 0600, &err) == 0)
			return;
	}
	job_log(job, 1, "keeping criu's log: %s", err.text);
}

void criu_log_forget(const struct job *job, const char *verb)
{
	char path[PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/%s.log", job->home, verb);
	unlink(path);
}
