/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "plan.h"

#include <errno.h>
#include <gnu/libc-version.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ancestor.h"
#include "buildid.h"
#include "caps.h"
#include "cleanup.h"
#include "criu.h"
#include "fit.h"
#include "groups.h"
#include "line.h"
#include "notary.h"
#include "proc.h"
#include "processor.h"
#include "shared.h"

/* All that is printed goes to a process with root's capabilities, a line each: by cr_line_say and nothing else. */
#define SAY(...) cr_line_say(stdout, __VA_ARGS__)

static int refuse(const struct cr_error *err)
{
	SAY("refused %s", err->text);
	return 0;
}

/* A job that starts for the first time has no checkpoints. What lies under its id is another job's, from before
 * Slurm counted its ids anew: out of the way, not lost. */
static int strangers_set_aside(const struct job *job, struct cr_error *err)
{
	char from[PATH_MAX + 32], to[PATH_MAX + 64];
	struct stat st;

	if (job->restart > 0)
		return 0;
	snprintf(from, sizeof(from), "%s/%u", job->dir, job->id);
	if (lstat(from, &st) < 0)
		return errno == ENOENT ? 0 : cr_error_sys(err, errno, "%s", from);
	snprintf(to, sizeof(to), "%s/%u.old-%lld", job->dir, job->id, (long long)time(NULL));
	if (rename(from, to) < 0)
		return cr_error_sys(err, errno, "%s belongs to an earlier job with this id; moving it to %s", from,
				    to);
	SAY("note job %u: checkpoints of an earlier job with this id moved to %s", job->id, to);
	return 0;
}

/* The newest run that came to its end; what it left is not to be restored. */
static int completed_line(const struct cr_journal_event *event, void *arg)
{
	uint32_t *completed = arg;

	if (strcmp(event->event, "completed") == 0 && event->run > *completed)
		*completed = event->run;
	return 0;
}

/* What is learnt on the way through the generations. */
struct survey {
	struct job *job;    /* whose generations they are */
	struct job *own;    /* the one that is to go on with one */
	const char *kind;   /* of the lines: "", or "source " for those of another job */
	uint32_t completed; /* the newest run that came to its end */
	struct cr_fit_node node;
	const char *blocked; /* why this node can restore nothing at all, or NULL */
	int good, unfit;
};

static void fit_judge(const struct survey *s, const struct cr_manifest *m, struct cr_fit *fit)
{
	if (s->blocked) {
		*fit = (struct cr_fit){.reasons = 1, .said = 1};
		snprintf(fit->text, sizeof(fit->text), "%s", s->blocked);
		return;
	}
	cr_fit_compare(fit, m, &s->node);
	if (*s->job->lacks_net && m->net && strcmp(m->net, "private") == 0)
		cr_fit_add(fit, s->job->lacks_net);
}

/* Those of the user's groups that the processes were not in, into added. A group that was taken from the user must
 * not come back by way of a checkpoint. */
static int groups_check(const struct job *job, const struct cr_manifest *m, char *added, size_t size,
			struct cr_error *err)
{
	cleanup_free char *now = NULL;

	added[0] = '\0';
	if (!m->groups)
		return 0;
	if (cr_groups_own(&now, err) < 0 || cr_groups_compare(m->groups, now, added, size, err) < 0)
		return -1;
	if (*added)
		SAY("note job %u: generation %u is restored without group %s, which %s has come to since", job->id,
		    m->generation, added, job->user);
	return 0;
}

static void unfit_journal(const struct survey *s, const struct cr_manifest *m, const struct cr_fit *fit)
{
	bool own = s->job == s->own;

	s->own->run = own ? m->run : 1;
	job_journal(s->own, "unfit", own ? m->generation : 0, NULL, fit->text, -1);
}

/* The newest that is sound decides: if it is only that this node cannot go on with it, another one may. Work that
 * was done since an older one is worth more than a wait. What would be the same on every node is no reason to go
 * to another one. */
static void candidate_judge(struct survey *s, const struct cr_manifest *m, const char *without)
{
	bool first = s->good == 0 && s->unfit == 0;
	struct cr_fit fit;

	fit_judge(s, m, &fit);
	if (fit.reasons == 0) {
		SAY("%scandidate %u %" PRId64 " %" PRId64 " %s%s%s", s->kind, m->generation, m->monotonic_ns,
		    m->boottime_ns, m->net ? m->net : "host", *without ? " " : "", without);
		s->good++;
		return;
	}
	if (first) {
		unfit_journal(s, m, &fit);
	}
	if (fit.reasons == fit.shared) {
		SAY("warn job %u: generation %u is passed over: %s; that is so on every node", m->job,
		    m->generation, fit.text);
		return;
	}
	if (first)
		SAY("%sunfit %u %s", s->kind, m->generation, fit.text);
	else
		SAY("note job %u: generation %u is passed over: %s", m->job, m->generation, fit.text);
	s->unfit++;
}

static void candidate_look(struct survey *s, uint32_t generation)
{
	const struct job *job = s->job;
	char added[512];
	struct cr_manifest m = {0};
	char dir[PATH_MAX];
	struct cr_error err;

	cr_store_path(&job->store, generation, dir);
	if (cr_manifest_read(&m, dir, &err) < 0 || notary_check(job, generation, dir, &err) < 0)
		SAY("warn job %u: generation %u is passed over: %s", job->id, generation, err.text);
	else if (m.job != job->id || m.uid != getuid() || strcmp(m.part, job->part) != 0 ||
		 m.generation != generation)
		SAY("warn job %u: generation %u is passed over: its manifest is of job %u, part %s, generation %u",
		    job->id, generation, m.job, m.part, m.generation);
	else if (m.run <= s->completed)
		SAY("note job %u: generation %u is of a run that was complete", job->id, generation);
	else if (groups_check(job, &m, added, sizeof(added), &err) < 0)
		SAY("warn job %u: generation %u is passed over: %s", job->id, generation, err.text);
	else if (s->job != s->own && ancestor_check(s->own, &m, &err) < 0)
		SAY("warn job %u: generation %u is passed over: %s", job->id, generation, err.text);
	else
		candidate_judge(s, &m, added);
	cr_manifest_clear(&m);
}

/* Those of the job of --restart-from: what this one began with, or would have. */
static void source_print(struct survey *own)
{
	struct job job;
	struct survey s = {.job = &job, .own = own->job, .kind = "source ", .node = own->node};
	cleanup_free uint32_t *generations = NULL;
	struct cr_error err;
	size_t n = 0;

	/* that its run was complete is no reason against it: s.completed stays 0 */
	s.blocked = own->blocked;
	if (ancestor_open(own->job, &job, &err) < 0 || cr_store_list(&job.store, &generations, &n, &err) < 0) {
		if (own->good == 0)
			SAY("warn job %u: %s", own->job->id, err.text);
		return;
	}
	ancestor_touch(&job);
	for (size_t i = 0; i < n; i++)
		if (job.from_generation == 0 || job.from_generation == generations[i])
			candidate_look(&s, generations[i]);
	if (own->good == 0 && s.good == 0 && s.unfit == 0)
		SAY("warn job %u: there is no checkpoint of job %u that it can begin from", own->job->id, job.id);
	own->good += s.good;
}

/* Returns how many there are that this node can go on with. */
static int candidates_print(struct survey *s)
{
	const struct job *job = s->job;
	cleanup_free uint32_t *generations = NULL;
	struct cr_error err;
	size_t n = 0;

	if (cr_store_list(&job->store, &generations, &n, &err) < 0 ||
	    cr_journal_each(&job->store, completed_line, &s->completed, &err) < 0)
		SAY("note job %u: %s", job->id, err.text);
	for (size_t i = 0; i < n; i++)
		candidate_look(s, generations[i]);
	/* behind all of its own: as good as the beginning, which it is */
	if (job->from && s->unfit == 0)
		source_print(s);
	else if (n > 0 && s->good == 0 && s->unfit == 0 && !s->completed)
		SAY("warn job %u: none of its checkpoints can be used, it starts from the beginning; they stay in "
		    "%s",
		    job->id, job->store.dir);
	return s->good;
}

/* No checkpoints on this node, and why. One that is there already may go on elsewhere. */
static int blocked(struct survey *s, const struct cr_error *err)
{
	struct cr_error ignored;

	s->blocked = err->text;
	if (job_open(s->job, false, &ignored) == 0)
		candidates_print(s);
	return refuse(err);
}

static int kernel_check(const struct job *job, struct cr_error *err)
{
	if (access("/proc/sys/kernel/ns_last_pid", F_OK) == 0)
		return 0;
	return cr_error_set(err, ENOTSUP,
			    "the kernel of %s is built without CONFIG_CHECKPOINT_RESTORE: "
			    "use nodes that have it (Slurm's --constraint)",
			    job->node);
}

/* What lies where the checkpoint lies is the same file wherever the checkpoint can be read. */
static void file_look(const char *path, struct cr_fit_file *file, void *arg)
{
	const struct survey *s = arg;

	buildid_file(path, file, NULL);
	file->shared = shared_is(path, s->job->store.dir);
}

static int node_look(struct survey *s, char **kernel, char **model, char **flags, const char *criu,
		     struct cr_error *err)
{
	if (cr_node_kernel(kernel, err) < 0 || cr_node_cpu(model, flags, err) < 0)
		return -1;
	s->node = (struct cr_fit_node){.kernel = *kernel,
				       .cpu_flags = *flags,
				       .xsave_bytes = cr_processor_xsave(),
				       .criu = criu,
				       .glibc = gnu_get_libc_version(),
				       .file = file_look,
				       .arg = s};
	return 0;
}

int plan_main(struct job *job)
{
	cleanup_free char *kernel = NULL, *model = NULL, *flags = NULL;
	struct survey s = {.job = job, .own = job, .kind = ""};
	char version[CRIU_VERSION_TEXT];
	struct cr_error err;

	if (cr_caps_shield(&err) < 0 || strangers_set_aside(job, &err) < 0)
		return refuse(&err);
	if (*job->lacks) {
		cr_error_set(&err, ENOTSUP, "%s", job->lacks);
		return blocked(&s, &err);
	}
	if (kernel_check(job, &err) < 0 || criu_version(job->criu, version, &err) < 0 ||
	    node_look(&s, &kernel, &model, &flags, version, &err) < 0)
		return blocked(&s, &err);
	if (job_open(job, true, &err) < 0) {
		struct cr_error again;

		/* no new checkpoints then, but one that can be read is still worth more than none */
		if (job_open(job, false, &again) < 0 || candidates_print(&s) == 0)
			return refuse(&err);
		SAY("note job %u: %s", job->id, err.text);
	} else {
		if (cr_store_sweep(&job->store, &err) < 0)
			SAY("note job %u: %s", job->id, err.text);
		candidates_print(&s);
	}
	SAY("ready");
	return 0;
}
