/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "plan.h"

#include <errno.h>
#include <gnu/libc-version.h>
#include <inttypes.h>
#include <poll.h>
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
#include "fence.h"
#include "fit.h"
#include "fs.h"
#include "groups.h"
#include "line.h"
#include "notary.h"
#include "proc.h"
#include "processor.h"
#include "restart.h"
#include "shared.h"

/* All that is printed goes to a process with root's capabilities, a line each: by cr_line_say and nothing else. */
#define SAY(...) cr_line_say(stdout, __VA_ARGS__)

#define AGAIN_MS 1000

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

/* What is learnt on the way through the generations. */
struct survey {
	struct job *job;  /* whose generations they are */
	struct job *own;  /* the one that is to go on with one */
	const char *kind; /* of the lines: "", or "source " for those of another job */
	struct cr_fit_node node;
	const char *blocked; /* why this node can restore nothing at all, or NULL */
	struct cr_restart restart;
	int64_t patience_ns; /* CLOCK_MONOTONIC until which what cannot be read is read again */
	int good, unfit;
	int had;	/* that are of this job, and not of a run that was complete */
	char last[640]; /* why the newest of them is not used */
};

static void pass_over(struct survey *s, uint32_t generation, const char *why)
{
	if (s->job == s->own)
		SAY("passed %u %s", generation, why);
	else
		SAY("warn job %u: generation %u is passed over: %s", s->job->id, generation, why);
	if (!s->last[0])
		snprintf(s->last, sizeof(s->last), "generation %u: %.600s", generation, why);
}

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

static void unfit_say(struct survey *s, uint32_t generation, const char *why)
{
	if (s->good == 0 && s->unfit == 0)
		SAY("%sunfit %u %s", s->kind, generation, why);
	else
		SAY("note job %u: generation %u is passed over: %s", s->job->id, generation, why);
	if (!s->last[0])
		snprintf(s->last, sizeof(s->last), "generation %u: %.600s", generation, why);
	s->unfit++;
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
		char why[700];

		snprintf(why, sizeof(why), "%s; that is so on every node", fit.text);
		pass_over(s, m->generation, why);
		return;
	}
	unfit_say(s, m->generation, fit.text);
}

/* Storage or munged that is away for a moment says nothing about a checkpoint. */
static bool passing(const struct cr_error *err)
{
	static const int errors[] = {EIO,	ESTALE,	 ENOTCONN,  EACCES,	ETIMEDOUT, ECONNREFUSED,
				     EHOSTDOWN, ENOLINK, EREMOTEIO, ECONNRESET, EAGAIN,	   EHOSTUNREACH};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (err->errnum == errors[i])
			return true;
	return false;
}

/* False when there is no time left to try it again. */
static bool patient(const struct survey *s)
{
	if (cr_time_clock_ns(CLOCK_MONOTONIC) >= s->patience_ns)
		return false;
	poll(NULL, 0, AGAIN_MS);
	return true;
}

static int manifest_load(const struct survey *s, uint32_t generation, struct cr_manifest *m, struct cr_error *err)
{
	char dir[PATH_MAX];

	cr_store_path(&s->job->store, generation, dir);
	for (bool told = false;; told = true) {
		if (cr_manifest_read(m, dir, err) == 0 && notary_check(s->job, generation, dir, err) == 0)
			return 0;
		if (passing(err) && !told)
			SAY("warn job %u: generation %u cannot be read or checked on %s, the job waits: %s",
			    s->own->id, generation, s->own->node, err->text);
		if (!passing(err) || !patient(s))
			return -1;
		cr_manifest_clear(m);
		*m = (struct cr_manifest){0};
	}
}

static void candidate_look(struct survey *s, uint32_t generation)
{
	const struct job *job = s->job;
	char added[512], why[256];
	struct cr_manifest m = {0};
	struct cr_error err;

	s->had++;
	if (manifest_load(s, generation, &m, &err) < 0) {
		if (passing(&err)) /* of this node, as far as anybody can tell */
			unfit_say(s, generation, err.text);
		else
			pass_over(s, generation, err.text);
	} else if (m.job != job->id || m.uid != getuid() || strcmp(m.part, job->part) != 0 ||
		   m.generation != generation) {
		cr_error_set(&err, EBADMSG, "its manifest is of job %u, part %s, generation %u", m.job, m.part,
			     m.generation);
		pass_over(s, generation, err.text);
	} else if (fence_late(job, &m)) {
		s->had--;
		SAY("note job %u: generation %u was made on %s by a start of the job that was over to Slurm",
		    job->id, generation, m.node);
	} else if (m.run <= s->restart.completed) {
		s->had--;
		SAY("note job %u: generation %u is of a run that was complete", job->id, generation);
	} else if (cr_restart_spent(&s->restart, generation, why, sizeof(why))) {
		pass_over(s, generation, why);
	} else if (groups_check(job, &m, added, sizeof(added), &err) < 0 ||
		   (s->job != s->own && ancestor_check(s->own, &m, &err) < 0)) {
		pass_over(s, generation, err.text);
	} else {
		candidate_judge(s, &m, added);
	}
	cr_manifest_clear(&m);
}

static int fresh_line(const struct cr_journal_event *event, void *arg)
{
	uint32_t *run = arg;

	*run += strcmp(event->event, "fresh") == 0;
	return 0;
}

/* The newest generation that says anything of itself, for how far the job has come. */
static void newest_tell(struct survey *s, const uint32_t *generations, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct cr_manifest m = {0};
		char dir[PATH_MAX];
		struct cr_error err;
		bool sound;

		cr_store_path(&s->job->store, generations[i], dir);
		sound = cr_manifest_read(&m, dir, &err) == 0 && m.generation == generations[i];
		if (sound)
			cr_restart_newest(&s->restart, &m);
		cr_manifest_clear(&m);
		if (sound)
			return;
	}
	cr_restart_newest(&s->restart, NULL);
}

static int store_read(struct survey *s, uint32_t **generations, size_t *n, struct cr_error *err)
{
	const struct cr_store *store = &s->job->store;

	s->job->run = 0;
	return cr_store_list(store, generations, n, err) < 0 ||
			       cr_journal_each(store, fresh_line, &s->job->run, err) < 0 ||
			       cr_journal_each(store, cr_restart_event, &s->restart, err) < 0
		       ? -1
		       : 0;
}

static void last_say(const struct survey *s, const char *verb, bool over, const char *why)
{
	SAY("%s %s %s", verb,
	    cr_fallback_word(cr_restart_fallback(&s->restart, (enum cr_fallback)s->job->fallback, over)), why);
}

/* What cannot be read is not what is not there. */
static void unreadable(const struct survey *s, const struct cr_error *err)
{
	char why[700];

	snprintf(why, sizeof(why), "it is not known which checkpoints there are: %.600s", err->text);
	last_say(s, "last", false, why);
}

/* Those of the job of --restart-from: what this one began with, or would have. */
static void source_print(struct survey *own)
{
	struct job job;
	struct survey s = {.job = &job, .own = own->job, .kind = "source ", .node = own->node};
	cleanup_free uint32_t *generations = NULL;
	struct cr_error err;
	size_t n = 0;

	/* that its run was complete is no reason against it: s.restart knows of none */
	s.blocked = own->blocked;
	s.patience_ns = own->patience_ns;
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

/* Returns how many there are that this node can go on with; -1: not known. */
static int candidates_print(struct survey *s, struct cr_error *err)
{
	cleanup_free uint32_t *generations = NULL;
	char why[700];
	int64_t wait;
	size_t n = 0;

	if (store_read(s, &generations, &n, err) < 0) {
		unreadable(s, err);
		return -1;
	}
	newest_tell(s, generations, n);
	if (cr_restart_over(&s->restart, why, sizeof(why)) ||
	    cr_restart_silent(&s->restart, s->job->restart, why, sizeof(why))) {
		last_say(s, "stop", true, why);
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		candidate_look(s, generations[i]);
	/* behind all of its own: as good as the beginning, which it is */
	if (s->job->from && s->unfit == 0 && (s->had == 0 || s->job->fallback == CR_FALLBACK_FRESH))
		source_print(s);
	snprintf(why, sizeof(why), "none of its checkpoints can be used: %.600s", s->last);
	if (s->had > 0)
		last_say(s, "last", false, why);
	/* and not before: without it T takes a plan that ends, or hangs, for one that knows nothing */
	SAY("looked");
	/* nobody waits for what is not going to be tried */
	wait = cr_restart_wait(&s->restart, cr_time_now_ns() / 1000000);
	if (wait > 0 && (s->had == 0 || s->good > 0 || s->job->fallback == CR_FALLBACK_FRESH))
		SAY("delay %" PRId64, wait);
	return s->good;
}

/* Returns false, having said so, when it is not to run here: Slurm has started the job again elsewhere, or that
 * cannot be told. */
static bool claim(struct job *job)
{
	struct cr_error err, look;
	bool over = true;

	if (fence_claim(job, &over, &err) < 0) {
		/* slurmctld has confirmed this start, and the journal cannot be told */
		if (err.errnum != FENCE_LOST && fence_check(job, &look) < 0 && look.errnum == FENCE_LOST) {
			(void)refuse(&err);
			return false;
		}
		if (err.errnum == FENCE_LOST)
			SAY("fenced %s", err.text);
		else
			SAY("note job %u: %s", job->id, err.text);
		return err.errnum != FENCE_LOST;
	}
	if (!over && fence_patience(job) > 0) {
		SAY("note job %u: its last start may be at it yet, on a node that was lost: %" PRId64
		    " s are waited",
		    job->id, fence_patience(job));
		poll(NULL, 0, (int)fence_patience(job) * 1000);
	}
	return true;
}

/* Does this node see the user's directory? Then what is missing in it is not there. */
static int dir_check(const struct job *job, struct cr_error *err)
{
	if (access(job->dir, R_OK | X_OK) < 0)
		return cr_error_sys(err, errno, "%s", job->dir);
	return cr_fs_check_owned(job->dir, getuid(), err);
}

/* The site's for this user, on storage that is there. One of the job's own choice may be anywhere. */
static bool never_made(const struct job *job)
{
	return strcmp(job->dir, job->site_dir) == 0 && shared_lacks(job->dir, job->token_dir, "/");
}

/* Returns 1 when the store is open, 0 when there is none, -1 when that cannot be told, although it was waited for.
 */
static int store_find(struct survey *s, struct cr_error *err)
{
	for (bool told = false;; told = true) {
		struct cr_error dir;

		if (job_open(s->job, false, err) == 0)
			return 1;
		if (err->errnum == ENOENT && dir_check(s->job, &dir) == 0)
			return 0;
		if (err->errnum == ENOENT)
			*err = dir;
		/* its first start; or one that never came to the point of making it */
		if (s->job->restart == 0)
			return 0;
		if (!told)
			SAY("note job %u: waiting for its checkpoints: %s", s->job->id, err->text);
		if (patient(s))
			continue;
		if (err->errnum != ENOENT || !never_made(s->job))
			return -1;
		SAY("note job %u: %s was never made: no start of the job had checkpoints", s->job->id,
		    s->job->dir);
		return 0;
	}
}

/* No checkpoints on this node, and why. One that is there already may go on elsewhere. */
static int blocked(struct survey *s, const struct cr_error *err)
{
	struct cr_error away;
	int rc = store_find(s, &away);

	s->blocked = err->text;
	if (rc < 0)
		unreadable(s, &away);
	/* a request to go elsewhere needs a store, and at its first start a job of --restart-from has none */
	else if (rc == 0 && !(s->job->from && job_open(s->job, true, &away) == 0))
		SAY("looked");
	else if (!claim(s->job))
		return 0;
	else
		candidates_print(s, &away);
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

/* A node that is too busy to start a program for a minute is not one without criu: a job that begins here has
 * checkpoints all the same, and criu is asked again before each. One that is to be restored cannot wait for that.
 */
static int criu_look(struct survey *s, char version[CRIU_VERSION_TEXT], struct cr_error *err)
{
	struct cr_error away;

	if (criu_version(s->job->criu, version, err) == 0)
		return 0;
	if (err->errnum != ETIMEDOUT || s->job->from || store_find(s, &away) != 0)
		return -1;
	SAY("note job %u: %s; it is asked again before each checkpoint", s->job->id, err->text);
	snprintf(version, CRIU_VERSION_TEXT, "0");
	return 0;
}

int plan_main(struct job *job)
{
	cleanup_free char *kernel = NULL, *model = NULL, *flags = NULL;
	struct survey s = {.job = job,
			   .own = job,
			   .kind = "",
			   .patience_ns = cr_time_clock_ns(CLOCK_MONOTONIC) + job->store_wait * 1000000000};
	const struct cr_restart_limits limits = {.soon = job->restart_soon,
						 .tries = job->restart_tries,
						 .cap = job->restart_cap,
						 .delay = job->restart_delay};
	char version[CRIU_VERSION_TEXT];
	struct cr_error err;
	int found;

	cr_restart_init(&s.restart, &limits);

	if (cr_caps_shield(&err) < 0 || strangers_set_aside(job, &err) < 0)
		return refuse(&err);
	if (*job->lacks) {
		cr_error_set(&err, ENOTSUP, "%s", job->lacks);
		return blocked(&s, &err);
	}
	if (kernel_check(job, &err) < 0 || criu_look(&s, version, &err) < 0 ||
	    node_look(&s, &kernel, &model, &flags, version, &err) < 0)
		return blocked(&s, &err);
	found = store_find(&s, &err);
	if (found < 0) {
		unreadable(&s, &err);
		return refuse(&err);
	}
	if (found == 0)
		SAY("looked");
	if (job_open(job, true, &err) < 0) {
		struct cr_error away;

		/* no new checkpoints then, but one that can be read is still worth more than none */
		if (found == 0 || job_open(job, false, &away) < 0)
			return refuse(&err);
		if (!claim(job))
			return 0;
		if (candidates_print(&s, &away) <= 0)
			return refuse(&err);
		SAY("note job %u: %s", job->id, err.text);
	} else {
		struct cr_error away;

		if (!claim(job))
			return 0;
		if (cr_store_sweep(&job->store, &err) < 0)
			SAY("note job %u: %s", job->id, err.text);
		if (candidates_print(&s, &away) < 0)
			return refuse(&away);
	}
	/* it may have waited long */
	if (fence_check(job, &err) < 0 && err.errnum == FENCE_LOST)
		SAY("fenced %s", err.text);
	SAY("ready");
	return 0;
}
