/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "job.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"
#include "restart.h"
#include "runtime.h"
#include "wire.h"

enum kind { TEXT, U32, I64, U64, INT };

static const struct key {
	const char *name;
	enum kind kind;
	size_t offset;
} keys[] = {
	{"job", U32, offsetof(struct job, id)},
	{"part", TEXT, offsetof(struct job, part)},
	{"node", TEXT, offsetof(struct job, node)},
	{"user", TEXT, offsetof(struct job, user)},
	{"restart", U32, offsetof(struct job, restart)},
	{"interval", I64, offsetof(struct job, interval)},
	{"min-interval", I64, offsetof(struct job, min_interval)},
	{"max-interval", I64, offsetof(struct job, max_interval)},
	{"mtbf", I64, offsetof(struct job, mtbf)},
	{"max-share", INT, offsetof(struct job, max_share)},
	{"nodes", U32, offsetof(struct job, nodes)},
	{"preflight", I64, offsetof(struct job, preflight)},
	{"fence", I64, offsetof(struct job, fence)},
	{"keep", INT, offsetof(struct job, keep)},
	{"compress", INT, offsetof(struct job, compress)},
	{"pool", U64, offsetof(struct job, pool)},
	{"drain-share", INT, offsetof(struct job, drain_share)},
	{"bandwidth", U64, offsetof(struct job, bandwidth)},
	{"drain-jobs", INT, offsetof(struct job, drain_jobs)},
	{"on-complete", INT, offsetof(struct job, on_complete)},
	{"on-failure", INT, offsetof(struct job, on_failure)},
	{"on-cancel", INT, offsetof(struct job, on_cancel)},
	{"dir", TEXT, offsetof(struct job, dir)},
	{"site-dir", TEXT, offsetof(struct job, site_dir)},
	{"token-dir", TEXT, offsetof(struct job, token_dir)},
	{"run-dir", TEXT, offsetof(struct job, run_dir)},
	{"criu", TEXT, offsetof(struct job, criu)},
	{"ghost-limit", U64, offsetof(struct job, ghost_limit)},
	{"files", INT, offsetof(struct job, files)},
	{"file-limit", U64, offsetof(struct job, file_limit)},
	{"rollback", TEXT, offsetof(struct job, rollback)},
	{"rollback-limit", U64, offsetof(struct job, rollback_limit)},
	{"script", TEXT, offsetof(struct job, script)},
	{"private-net", INT, offsetof(struct job, private_net)},
	{"signal-before", INT, offsetof(struct job, signal_before)},
	{"signal-after", INT, offsetof(struct job, signal_after)},
	{"signal-lead", INT, offsetof(struct job, signal_lead)},
	{"timelimit", INT, offsetof(struct job, timelimit)},
	{"total-time", I64, offsetof(struct job, total_time)},
	{"log-level", INT, offsetof(struct job, log_level)},
	{"wire-fd", INT, offsetof(struct job, wire)},
	{"notary-fd", INT, offsetof(struct job, notary)},
	{"cgroup-fd", INT, offsetof(struct job, cgroup)},
	{"ask-fd", INT, offsetof(struct job, ask)},
	{"go-fd", INT, offsetof(struct job, go)},
	{"hook-fd", INT, offsetof(struct job, hook)},
	{"capture-fd", INT, offsetof(struct job, capture)},
	{"serve-fd", INT, offsetof(struct job, serve)},
	{"control-fd", INT, offsetof(struct job, control)},
	{"root-pid", INT, offsetof(struct job, root)},
	{"generation", U32, offsetof(struct job, generation)},
	{"restart-soon", I64, offsetof(struct job, restart_soon)},
	{"restart-delay", I64, offsetof(struct job, restart_delay)},
	{"restart-tries", INT, offsetof(struct job, restart_tries)},
	{"restart-cap", INT, offsetof(struct job, restart_cap)},
	{"fallback", INT, offsetof(struct job, fallback)},
	{"store-wait", I64, offsetof(struct job, store_wait)},
	{"setback", TEXT, offsetof(struct job, setback)},
	{"why", TEXT, offsetof(struct job, why)},
	{"wait", I64, offsetof(struct job, wait)},
	{"from", U32, offsetof(struct job, from)},
	{"from-generation", U32, offsetof(struct job, from_generation)},
	{"from-files", INT, offsetof(struct job, from_files)},
	{"from-now", INT, offsetof(struct job, from_now)},
	{"keep-completed", INT, offsetof(struct job, keep_completed)},
	{"lacks", TEXT, offsetof(struct job, lacks)},
	{"lacks-net", TEXT, offsetof(struct job, lacks_net)},
};

static int value_set(struct job *job, const struct key *key, const char *value, struct cr_error *err)
{
	char *field = (char *)job + key->offset, *end = NULL;
	long long number;

	if (key->kind == TEXT) {
		memcpy(field, &value, sizeof(value));
		return 0;
	}
	errno = 0;
	number = strtoll(value, &end, 10);
	if (errno || end == value || *end || number < (key->kind == INT ? -1 : 0) ||
	    (key->kind == U32 && number > UINT32_MAX) || (key->kind == INT && number > INT_MAX))
		return cr_error_set(err, EINVAL, "--%s=%s: not a number that fits", key->name, value);
	switch (key->kind) {
	case U32:
		*(uint32_t *)(void *)field = (uint32_t)number;
		break;
	case INT:
		*(int *)(void *)field = (int)number;
		break;
	default: /* the 64-bit ones, never negative */
		memcpy(field, &number, sizeof(number));
	}
	return 0;
}

int job_parse(struct job *job, int argc, char *const argv[], struct cr_error *err)
{
	memset(job, 0, sizeof(*job));
	job->compress = 1;
	job->drain_share = 75;
	job->interval = -1;
	job->max_interval = 6 * 3600;
	job->mtbf = 30 * 86400;
	job->max_share = 5;
	job->nodes = 1;
	job->part = job->node = job->user = job->script = job->criu = "";
	job->dir = job->site_dir = job->token_dir = job->run_dir = job->rollback = "";
	job->slurm_env = getenv(CR_SLURM_ENV);
	if (!job->slurm_env)
		job->slurm_env = "";
	job->lacks = job->lacks_net = job->setback = job->why = "";
	job->restart_tries = 1;
	job->wire = job->notary = job->cgroup = job->ask = job->go = job->log = -1;
	job->hook = job->capture = job->serve = job->control = -1;
	for (int i = 0; i < argc; i++) {
		const char *arg = argv[i], *equals = strchr(arg, '=');
		const struct key *key = NULL;

		for (size_t k = 0; equals && k < sizeof(keys) / sizeof(keys[0]); k++) {
			size_t n = strlen(keys[k].name);

			if (strncmp(arg, "--", 2) == 0 && (size_t)(equals - arg) == n + 2 &&
			    strncmp(arg + 2, keys[k].name, n) == 0)
				key = &keys[k];
		}
		if (!key)
			return cr_error_set(err, EINVAL, "unknown argument %s", arg);
		if (value_set(job, key, equals + 1, err) < 0)
			return -1;
	}
	if (job->id == 0 || !*job->part || *job->dir != '/' || *job->run_dir != '/' || *job->criu != '/' ||
	    job->interval < 0 || job->max_interval < 1 || job->mtbf < 1 || job->max_share < 1 ||
	    job->max_share > 100 || job->keep < 1 || job->compress < 0 || job->drain_share < 1 ||
	    job->drain_share > 100 || job->drain_jobs < 0 || job->files < 0 || job->files > CR_FILES_KEEP ||
	    job->from_files < 0 || job->from_files > CR_FILES_KEEP || job->restart_tries < 1 ||
	    job->restart_cap < 0 || job->fallback < 0 || job->fallback > CR_FALLBACK_FRESH ||
	    job->signal_before < 0 || job->signal_after < 0 || job->signal_lead < 0)
		return cr_error_set(err, EINVAL, "crinit is started by spank_cr.so, not by hand");
	job->home = CR_RUN_HOME;
	return 0;
}

/* SITE-DIR/JOBID → DIR/JOBID, so that scheckpoint finds what lies elsewhere; only a convenience. */
static void site_link(const struct job *job)
{
	char link[PATH_MAX + 32], target[PATH_MAX + 32];
	struct cr_error err;

	if (!*job->site_dir || strcmp(job->site_dir, job->dir) == 0)
		return;
	snprintf(link, sizeof(link), "%s/%u", job->site_dir, job->id);
	snprintf(target, sizeof(target), "%s/%u", job->dir, job->id);
	if (cr_fs_mkdirs(job->site_dir, 0700, &err) < 0)
		job_log(job, 1, "no link to the checkpoints in %s: %s", job->site_dir, err.text);
	else if (symlink(target, link) < 0 && errno != EEXIST)
		job_log(job, 1, "no link to the checkpoints at %s: %s", link, strerror(errno));
}

int job_open(struct job *job, bool create, struct cr_error *err)
{
	char path[PATH_MAX + 16];

	if (cr_store_open(&job->store, job->dir, job->id, job->part, getuid(), create, err) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/crinit.log", job->store.dir);
	job->log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (create)
		site_link(job);
	return 0;
}

void job_log(const struct job *job, int level, const char *fmt, ...)
{
	static const char *const words[] = {"error", "info", "debug"};
	char text[768], line[1024], when[64];
	va_list ap;
	int n;

	if (level > job->log_level)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* names of files and words of users are in it, and a line is one line */
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = ' ';
	cr_time_format(cr_time_now_ns(), when, sizeof(when));
	n = snprintf(line, sizeof(line), "%s %s %s: %s\n", when, job->node, words[level], text);
	if (job->log >= 0 && write(job->log, line, (size_t)n) < 0)
		errno = 0; /* a full or vanished store: slurmd's log still gets it */
	if (job->wire >= 0) {
		snprintf(line, sizeof(line), "job %u: %s", job->id, text);
		cr_wire_send(job->wire, CR_WIRE_LOG, level, line, NULL);
	}
}

int job_journal_append(const struct job *job, const char *event, uint32_t generation, const char *reason,
		       const char *text, int64_t ms, struct cr_error *err)
{
	char when[64];
	const struct cr_journal_event e = {
		.event = event,
		.generation = generation,
		.run = job->run,
		.restart = job->restart,
		.node = job->node,
		.time = cr_time_format(cr_time_now_ns(), when, sizeof(when)),
		.reason = reason,
		.text = text,
		.ms = ms,
		.clock_ms = cr_time_clock_ns(CLOCK_MONOTONIC) / 1000000,
	};

	return cr_journal_append(&job->store, &e, err);
}

void job_journal(const struct job *job, const char *event, uint32_t generation, const char *reason,
		 const char *text, int64_t ms)
{
	struct cr_error err;

	if (job_journal_append(job, event, generation, reason, text, ms, &err) < 0)
		job_log(job, 0, "journal: %s", err.text);
}
