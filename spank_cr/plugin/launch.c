/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/close_range.h>

#include <slurm/slurm_errno.h>
#include <slurm/slurm.h>

#include "caps.h"
#include "cgroup.h"
#include "cleanup.h"
#include "launch_env.h"
#include "launch_job.h"
#include "launch_origin.h"
#include "lines.h"
#include "ns.h"
#include "options.h"
#include "plan.h"
#include "relay.h"
#include "scope.h"
#include "setback.h"
#include "stage.h"
#include "unfit.h"

#define CANDIDATES 16  /* generations that a launch tries at the most */
#define PLAN_WORK  120 /* seconds that crinit plan may take besides the waits for storage and the fence */

struct plan {
	bool ready;
	char refused[1024];
	char fenced[1024]; /* Slurm has started the job again elsewhere */
	struct candidate candidates[CANDIDATES];
	int n;
	struct unfit unfit, passed; /* passed: the newest that is not used, fit or not */
	struct setback last, stop;
	int64_t delay; /* seconds */
	uint32_t job;
	bool looked;
};

static char step_cgroup[PATH_MAX]; /* in slurmstepd */

static bool launch_applies(spank_t sp)
{
	uint32_t step = 0;

	return options.wanted && spank_remote(sp) == 1 &&
	       spank_get_item(sp, S_JOB_STEPID, &step) == ESPANK_SUCCESS && step == SLURM_BATCH_SCRIPT;
}

int launch_privileged(spank_t sp)
{
	struct cr_error err;

	if (launch_applies(sp) && cr_caps_keep(&err) < 0)
		slurm_error(LOG "%s", err.text);
	return ESPANK_SUCCESS;
}

/* ---- the plan: crinit, as the plain user, looks at the node and the store ---- */

static void plan_passed(struct plan *plan, const char *text)
{
	struct unfit passed;

	if (!unfit_read(&passed, text))
		return;
	slurm_error(LOG "job %u: generation %u is passed over: %s", plan->job, passed.generation, passed.why);
	if (!plan->passed.generation)
		plan->passed = passed;
}

static void plan_line(char *line, void *arg)
{
	struct plan *plan = arg;
	bool source = source_read(&line);

	if (strcmp(line, "ready") == 0)
		plan->ready = true;
	else if (strncmp(line, "refused ", 8) == 0)
		snprintf(plan->refused, sizeof(plan->refused), "%s", line + 8);
	else if (strncmp(line, "fenced ", 7) == 0)
		snprintf(plan->fenced, sizeof(plan->fenced), "%s", line + 7);
	else if (strcmp(line, "looked") == 0)
		plan->looked = true;
	else if (strncmp(line, "unfit ", 6) == 0 && unfit_read(&plan->unfit, line + 6))
		plan->unfit.source = source;
	else if (strncmp(line, "passed ", 7) == 0)
		plan_passed(plan, line + 7);
	else if (strncmp(line, "last ", 5) == 0 && setback_read(&plan->last, line + 5))
		return;
	else if (strncmp(line, "stop ", 5) == 0 && setback_read(&plan->stop, line + 5))
		return;
	else if (strncmp(line, "delay ", 6) == 0 && delay_read(&plan->delay, line + 6))
		return;
	else if (strncmp(line, "warn ", 5) == 0) /* for the user too: the job's stderr */
		slurm_error(LOG "%s", line + 5);
	else if (strncmp(line, "note ", 5) == 0)
		slurm_info(LOG "%s", line + 5);
	else if (strncmp(line, "candidate ", 10) == 0 && plan->n < CANDIDATES &&
		 candidate_read(&plan->candidates[plan->n], line + 10))
		plan->candidates[plan->n++].source = source;
}

/* lacks: why this node can restore nothing, or ""; lacks_net: nothing with a private network. */
static int plan_make(const struct launch_job *job, const char *lacks, const char *lacks_net, struct plan *plan,
		     struct cr_error *err)
{
	const struct lines lines = {.verb = "plan",
				    .lacks = lacks,
				    .lacks_net = lacks_net,
				    .each = plan_line,
				    .arg = plan,
				    .patience = options.config.store_wait + options.config.fence + PLAN_WORK};
	int rc;

	memset(plan, 0, sizeof(*plan));
	plan->job = job->id;
	rc = lines_read(job, &lines, err);
	if (rc == 0 && plan->fenced[0])
		return 0;
	if (rc == 0 && !plan->ready && !plan->refused[0])
		rc = cr_error_set(err, ECHILD, "crinit plan ended without a result");
	if (rc == 0 && plan->refused[0])
		rc = cr_error_set(err, ENOTSUP, "%.700s", plan->refused);
	/* not the job's first start, and nobody can tell what there is to go on from */
	if (rc < 0 && job->restart > 0 && !plan->looked && !plan->last.is) {
		plan->last.is = true;
		plan->last.fallback = (enum cr_fallback)options.config.fallback;
		snprintf(plan->last.why, sizeof(plan->last.why),
			 "it is not known which checkpoints there are: %.600s", err->text);
	}
	if (rc < 0 && !plan->refused[0])
		snprintf(plan->refused, sizeof(plan->refused), "%s", err->text);
	/* what this node refuses, another one may not; and a job with checkpoints is not started without them */
	return rc < 0 && !plan->unfit.generation && !plan->last.is && !plan->stop.is ? -1 : 0;
}

/* ---- the notary ---- */

static pid_t notary_start(struct launch_job *job, struct cr_error *err)
{
	int fds[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return cr_error_sys(err, errno, "socketpair");
	pid = fork();
	if (pid < 0) {
		close(fds[0]);
		close(fds[1]);
		return cr_error_sys(err, errno, "fork");
	}
	if (pid == 0) {
		char number[3][16], part[] = LAUNCH_PART, name[] = "crnotary";
		char *argv[] = {name, number[0], number[1], part, NULL};
		char *envp[] = {NULL};

		snprintf(number[0], sizeof(number[0]), "%u", job->id);
		snprintf(number[1], sizeof(number[1]), "%u", (unsigned)job->uid);
		if (cr_caps_bare_root(err) < 0 || dup2(fds[1], 0) < 0 ||
		    syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
			_exit(1);
		execve(CR_NOTARY, argv, envp);
		_exit(1);
	}
	close(fds[1]);
	job->notary = fds[0];
	return pid;
}

/* ---- the attempts: each in namespaces of its own, so that one that failed leaves nothing behind ---- */

/* Returns 0 in T when the attempt has started, -1 when it failed; 1 in the process that is to exec the program. */
static int attempt(const struct launch_job *job, const struct cr_budget *budget, const struct candidate *c,
		   struct relay *relay, struct cr_error *err)
{
	int wire[2];

	relay->blame = CR_BLAME_NODE;
	if (cr_runtime_reset(&job->runtime, job->uid, job->gid, err) < 0 ||
	    cr_ns_time(c ? c->monotonic_ns : 0, c ? c->boottime_ns : 0, err) < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, wire) < 0)
		return cr_error_sys(err, errno, "socketpair");
	relay->crinit = cr_ns_fork(err);
	if (relay->crinit == 0) {
		close(wire[0]);
		if (stage_run(job, budget, wire[1], c ? c->generation : 0, c ? c->without : "") == 0)
			return 1;
		_exit(1);
	}
	close(wire[1]);
	if (relay->crinit < 0) {
		close(wire[0]);
		return -1;
	}
	relay->wire = wire[0];
	if (relay_wait_started(relay, err) == 0)
		return 0;
	close(wire[0]);
	relay->wire = -1;
	while (waitpid(relay->crinit, NULL, 0) < 0 && errno == EINTR)
		;
	return -1;
}

static int budget_compute(bool private_net, struct cr_budget *budget, struct cr_error *err)
{
	uint64_t bounding;
	int last_cap;

	if (cr_caps_bounding(&bounding, &last_cap, err) < 0)
		return -1;
	return cr_budget_compute(budget, bounding, last_cap, cr_caps_ptrace_scope(), private_net, err);
}

static int budget_make(const struct launch_job *job, struct cr_budget *budget, struct cr_error *err)
{
	char text[512];

	if (budget_compute(job->private_net, budget, err) < 0)
		return -1;
	slurm_info(LOG "job %u: ambient capabilities for crinit and criu: %s", job->id,
		   cr_budget_describe(budget, text, sizeof(text)));
	return 0;
}

/* A checkpoint goes on with the network that it was taken in, whatever the option says now. */
static int net_choose(struct launch_job *job, const struct candidate *c, struct cr_budget *budget,
		      struct cr_error *err)
{
	int private_net = c ? strcmp(c->net, "private") == 0 : options.config.private_net;

	if (job->private_net == private_net)
		return 0;
	job->private_net = private_net;
	if (c)
		slurm_error(LOG "job %u: generation %u was taken with --checkpoint-net=%s, and goes on with it",
			    job->id, c->generation, c->net);
	return budget_make(job, budget, err);
}

/* Why it is not the newest, told with what it goes on from; the first reason is that of the newest. */
static void why_note(struct launch_job *job, uint32_t generation, const char *why)
{
	if (!job->why[0])
		snprintf(job->why, sizeof(job->why), "generation %u: %.640s", generation, why);
}

/* What passes is tried once more; what the node is to blame for is for another node. Returns as attempt. */
static int candidate_try(struct launch_job *job, const struct cr_budget *budget, const struct candidate *c,
			 struct relay *relay, struct cr_error *err)
{
	char name[64];

	origin_name(c, name, sizeof(name));
	for (int left = 1;; left--) {
		struct unfit unfit = {.generation = c->generation, .source = c->source};
		int rc = attempt(job, budget, c, relay, err);
		bool again = left > 0 && relay->blame != CR_BLAME_GENERATION;

		if (rc == 0)
			return 0;
		slurm_error(LOG "job %u: %s cannot be restored: %s%s", job->id, name, err->text,
			    again ? "; once more" : "");
		if (again)
			continue;
		if (relay->blame == CR_BLAME_NODE) {
			snprintf(unfit.why, sizeof(unfit.why), "%.600s", err->text);
			unfit_requeue(job, &unfit, relay);
		}
		return -1;
	}
}

/* When no candidate is left. */
static void attempts_end(const struct launch_job *job, const struct plan *plan, struct relay *relay)
{
	struct setback last = plan->last;

	if (!last.is)
		return;
	if (job->why[0])
		snprintf(last.why, sizeof(last.why), "none of its checkpoints can be used: %.640s", job->why);
	setback_apply(job, &last, relay);
}

/* Newest generation first, then as the user wants it. Returns as attempt. */
static int attempts(struct launch_job *job, struct cr_budget *budget, const struct plan *plan, struct relay *relay,
		    struct cr_error *err)
{
	if (plan->passed.generation && plan->passed.generation > plan->unfit.generation)
		why_note(job, plan->passed.generation, plan->passed.why);
	if (plan->unfit.generation)
		why_note(job, plan->unfit.generation, plan->unfit.why);
	for (int i = 0; i < plan->n; i++) {
		const struct candidate *c = &plan->candidates[i];
		char name[64];

		job->from_now = c->source;
		if (net_choose(job, c, budget, err) == 0 && candidate_try(job, budget, c, relay, err) == 0) {
			origin_name(c, name, sizeof(name));
			slurm_info(LOG "job %u goes on from %s", job->id, name);
			return 0;
		}
		why_note(job, c->generation, err->text);
	}
	job->from_now = 0;
	attempts_end(job, plan, relay);
	if (options.origin.job)
		return cr_error_set(err, ENOENT, "none of it can be restored here");
	return net_choose(job, NULL, budget, err) < 0 ? -1 : attempt(job, budget, NULL, relay, err);
}

/* ---- T ---- */

/* What needs the node: the budget, the cgroup, the directories. */
static int node_prepare(struct launch_job *job, struct cr_budget *budget, struct cr_error *err)
{
	if (budget_make(job, budget, err) < 0)
		return -1;
	if (cr_runtime_create(&job->runtime, job->uid, job->gid, err) < 0)
		return -1;
	job->cgroup = cr_cgroup_open_child(err);
	return job->cgroup < 0 ? -1 : 0;
}

/* slurmstepd's sockets and pipes: T outlives their use here by weeks, and must not keep their other ends waiting
 */
static void descriptors_close(const struct relay *relay, int lock)
{
	for (int fd = 3; fd < 1024; fd++) {
		struct stat st;

		if (fd == relay->wire || fd == relay->signals || fd == lock || fstat(fd, &st) < 0)
			continue;
		if (S_ISSOCK(st.st_mode) || S_ISFIFO(st.st_mode))
			close(fd);
	}
}

/* The node, and what there is to restore on it. What the node lacks does not end this at once: there may be a
 * checkpoint, and another node that does not lack it. Then the plan refuses this one. */
static int launch_plan(struct launch_job *job, struct cr_budget *budget, struct plan *plan, struct cr_error *err)
{
	struct cr_error node = {0}, net = {0}, failed;
	struct cr_budget private_net;

	if (cr_caps_raise(&node) == 0 && node_prepare(job, budget, &node) == 0)
		(void)budget_compute(true, &private_net, &net);
	if (plan_make(job, node.text, net.text, plan, &failed) == 0)
		return 0;
	*err = node.text[0] ? node : failed;
	return -1;
}

/* Returns 1 in the process that execs the program supervised, -1 in T when there will be no supervision. */
static int launch_supervised(struct launch_job *job, struct plan *plan, struct cr_error *err)
{
	struct relay relay = {.crinit = -1, .notary = -1, .wire = -1, .signals = -1};
	struct cr_budget budget;
	int lock = -1, rc;

	if (launch_plan(job, &budget, plan, err) < 0)
		return -1;
	if (plan->fenced[0]) {
		/* the files that it would write to are the newer start's now, the one for this line among them */
		slurm_info(LOG "job %u does not run here: %s", job->id, plan->fenced);
		relay_end(SIGKILL);
	}
	if (!plan->refused[0] && (lock = cr_runtime_lock(&job->runtime, err)) < 0)
		return -1;
	if (relay_init(&relay, err) < 0)
		return -1;
	if (plan->stop.is)
		setback_apply(job, &plan->stop, &relay);
	if (plan->delay > 0)
		setback_delay(job, plan->delay, &relay);
	job->from_now = plan->unfit.source;
	if (plan->unfit.generation)
		unfit_requeue(job, &plan->unfit, &relay);
	if (plan->refused[0]) {
		if (plan->last.is)
			setback_apply(job, &plan->last, &relay);
		relay_restore_mask();
		return cr_error_set(err, ENOTSUP, "%.700s", plan->refused);
	}
	relay.notary = notary_start(job, err);
	rc = relay.notary < 0 ? -1 : attempts(job, &budget, plan, &relay, err);
	if (rc != 0) {
		if (rc < 0 && job->notary >= 0) {
			close(job->notary); /* and so it ends */
			while (waitpid(relay.notary, NULL, 0) < 0 && errno == EINTR)
				;
		}
		relay_restore_mask();
		return rc;
	}
	close(job->notary);
	close(job->cgroup);
	if (cr_caps_drop(err) < 0)
		slurm_error(LOG "job %u: %s", job->id, err->text);
	descriptors_close(&relay, lock);
	relay_run(&relay);
}

/* The path is the same on every node and for every job, so that it stays true in the memory of a restored
 * program. */
static int info_tell(spank_t sp, struct cr_error *err)
{
	if (spank_setenv(sp, LAUNCH_INFO_ENV, CR_RUN_INFO, 1) != ESPANK_SUCCESS)
		return cr_error_set(err, ENOMEM, "no room for " LAUNCH_INFO_ENV " in the job's environment");
	return 0;
}

/* The job is worth more than the checkpoint, and what is in its checkpoints more than a start from the beginning,
 * which would write over what they go on with. Returns when there are none, as far as this node can tell. */
static void launch_failed(struct launch_job *job, const struct plan *plan, const struct cr_error *err)
{
	enum cr_fallback fallback =
		plan->last.is ? plan->last.fallback : (enum cr_fallback)options.config.fallback;

	if (job->restart > 0 && (!plan->looked || plan->last.is))
		setback_launch(job, fallback, err);
}

int launch_task(spank_t sp)
{
	struct launch_job job;
	struct plan plan = {0};
	struct cr_error err;
	int rc;

	if (!launch_applies(sp))
		return ESPANK_SUCCESS;
	rc = launch_job_read(sp, &job, &err);
	if (!options.configured)
		rc = cr_error_set(&err, EINVAL, "the plugin's arguments in plugstack.conf are wrong on this node");
	if (rc == 0 && (rc = info_tell(sp, &err)) == 0) {
		scope_tell(sp);
		rc = launch_supervised(&job, &plan, &err);
	}
	if (rc == 1 && job.private_net)
		launch_env_private(sp);
	if (rc < 0) {
		launch_failed(&job, &plan, &err);
		origin_fail(&err);
		(void)spank_unsetenv(sp, LAUNCH_INFO_ENV);
		/* the job is worth more than the checkpoint; the line reaches slurmd's log and the job's stderr */
		slurm_error(LOG "this job runs without checkpoints: %s", err.text);
		if (cr_caps_drop(&err) < 0) {
			slurm_error(LOG "%s", err.text);
			return ESPANK_ERROR; /* never hand capabilities to a job */
		}
	}
	return ESPANK_SUCCESS;
}

/* ---- slurmstepd ---- */

int launch_post_fork(spank_t sp)
{
	struct cr_error err;
	pid_t pid = 0;

	if (!launch_applies(sp) || spank_get_item(sp, S_TASK_PID, &pid) != ESPANK_SUCCESS)
		return ESPANK_SUCCESS;
	if (cr_cgroup_of(pid, step_cgroup, &err) < 0)
		step_cgroup[0] = '\0'; /* the launch will say so */
	cr_cgroup_step_dir(step_cgroup);
	return ESPANK_SUCCESS;
}

int launch_cleanup(void)
{
	struct cr_error err;

	if (step_cgroup[0] && cr_cgroup_remove_children(step_cgroup, 5000, &err) != 0)
		slurm_error(LOG "%s", err.text);
	return ESPANK_SUCCESS;
}
