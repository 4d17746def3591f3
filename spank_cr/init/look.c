/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "loop_state.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "caps.h"
#include "fs.h"
#include "memory.h"
#include "verdict.h"

#define SECOND_NS  INT64_C(1000000000)
#define LOOK_S	   20
#define PATIENCE_S 30 /* when the child does not come back by itself */
#define NICE	   10
#define LINES_MAX  5 /* in the job's stderr */

/* ---- the child ---- */

/* The job comes first, for the processor and for memory. An undumpable process's oom_score_adj is root's; while
 * this one is dumpable the job may not trace it all the same, as it has capabilities that no process of a job has.
 */
static int child_yield(struct cr_error *err)
{
	/* where slurmd itself is behind others, this may be so far back already, and nobody may come forward */
	if ((getpriority(PRIO_PROCESS, 0) < NICE && setpriority(PRIO_PROCESS, 0, NICE) < 0) ||
	    prctl(PR_SET_DUMPABLE, 1) < 0)
		return cr_error_sys(err, errno, "stepping back behind the job");
	if (cr_memory_oom_first(err) < 0)
		return -1;
	return cr_caps_shield(err);
}

static void child_look(const struct job *job, int fd)
{
	struct cr_preflight found;
	struct cr_error err;

	(void)prctl(PR_SET_NAME, "crpreflight"); /* for ps and top */
	if (child_yield(&err) < 0 || verdict_look(job, LOOK_S, &found, &err) < 0) {
		job_log(job, 1, "%s", err.text);
		_exit(1);
	}
	_exit(cr_fs_write_all(fd, &found, sizeof(found), &err) < 0);
}

static int child_start(struct look *k, const struct job *job, struct cr_error *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return cr_error_sys(err, errno, "pipe");
	k->pid = fork();
	if (k->pid == 0)
		child_look(job, fds[1]);
	close(fds[1]);
	/* only crinit must not wait: the pipe of a user with many of them takes no more than a page */
	if (k->pid < 0 || fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0) {
		cr_error_sys(err, errno, "starting the look at the job");
		k->pid = 0;
		close(fds[0]);
		return -1;
	}
	k->fd = fds[0];
	k->used = 0;
	k->deadline_ns = cr_time_clock_ns(CLOCK_MONOTONIC) + PATIENCE_S * SECOND_NS;
	return 0;
}

/* Returns 1 when all is there, 0 when more is to come, -1 when it ended without. */
static int child_read(struct look *k)
{
	while (k->used < sizeof(k->found)) {
		ssize_t n = read(k->fd, (char *)&k->found + k->used, sizeof(k->found) - k->used);

		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			if (cr_time_clock_ns(CLOCK_MONOTONIC) < k->deadline_ns)
				return 0;
			kill(k->pid, SIGKILL); /* some memory or storage of the job hangs, and who looks at it */
			return -1;
		}
		if (n <= 0)
			return -1;
		k->used += (size_t)n;
	}
	return 1;
}

/* ---- what is told ---- */

static json_t *finding_json(const struct cr_preflight *found, uint32_t i)
{
	const struct cr_finding *f = &found->findings[i];
	char text[512];

	cr_preflight_text(f, true, text, sizeof(text));
	return json_pack("{s:i, s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:i}", "pid", (int)f->pid, "name", f->name,
			 "fd", (int)f->fd, "kind", cr_preflight_name(f->kind), "detail", f->detail, "remedy",
			 cr_preflight_remedy(f->kind), "severity",
			 cr_preflight_blocks(f->kind) ? "blocker" : "warning", "text", text, "more",
			 (int)cr_preflight_more(found, i));
}

static json_t *reply_json(const struct cr_preflight *found)
{
	json_t *findings = json_array();

	for (uint32_t i = 0; findings && i < found->n; i++) {
		if (json_array_append_new(findings, finding_json(found, i)) < 0) {
			json_decref(findings);
			return NULL;
		}
	}
	return json_pack("{s:b, s:b, s:b, s:i, s:i, s:o}", "ok", 1, "able", found->blockers == 0, "partial",
			 found->partial, "blockers", (int)found->blockers, "warnings", (int)found->warnings,
			 "findings", findings);
}

/* In the job's stderr: one line for each kind, and nothing when its user knows already. */
static void blockers_log(struct loop *l, const struct cr_preflight *found)
{
	static const char what[] = "the job cannot be checkpointed as it is now";
	char verdict[VERDICT_MAX], text[512], more[40];
	unsigned lines = 0, left = 0;
	int level;

	verdict_text(l->job, found, verdict);
	level = verdict_news(l->told, verdict) ? 0 : 1;
	for (uint32_t i = 0; i < found->n && cr_preflight_blocks(found->findings[i].kind); i++) {
		const uint32_t kind = found->findings[i].kind, count = found->counts[kind];

		if (i && found->findings[i - 1].kind == kind)
			continue;
		if (lines++ >= LINES_MAX) {
			left += count;
			continue;
		}
		snprintf(more, sizeof(more), "; and %u more of this kind", count - 1);
		cr_preflight_text(&found->findings[i], true, text, sizeof(text));
		job_log(l->job, level, "%s: %s%s", what, text, count > 1 ? more : "");
	}
	if (left)
		job_log(l->job, level, "%s: and %u more: scheckpoint able %u", what, left, l->job->id);
}

/* The look of crinit's own. */
static void found_tell(struct loop *l, const struct cr_preflight *found)
{
	char text[VERDICT_MAX];

	if (found->blockers) {
		blockers_log(l, found);
		verdict_text(l->job, found, text);
		job_journal(l->job, "unable", 0, NULL, text, -1);
	} else if (!found->partial)
		job_log(l->job, 1, "the job can be checkpointed as it is (%u warnings)", found->warnings);
}

/* ---- the loop's side ---- */

/* criu is at the tree: what it puts into tasks would be taken for theirs. */
static bool criu_works(const struct loop *l)
{
	return l->worker.pid && !l->drained;
}

static bool clients_wait(const struct loop *l)
{
	for (int i = 0; i < CONTROL_CLIENTS; i++)
		if (l->control.clients[i].fd >= 0 && l->control.clients[i].verb == CONTROL_ABLE)
			return true;
	return false;
}

static bool is_due(const struct look *k)
{
	return k->due_ns && cr_time_clock_ns(CLOCK_MONOTONIC) >= k->due_ns;
}

void look_arm(struct loop *l)
{
	if (l->job->preflight > 0)
		l->look.due_ns = cr_time_clock_ns(CLOCK_MONOTONIC) + l->job->preflight * SECOND_NS;
}

int look_fd(const struct loop *l)
{
	return l->look.pid ? l->look.fd : -1;
}

/* What a child has found, or why it has not. */
static void found_serve(struct loop *l, const struct cr_preflight *found, const char *why)
{
	struct look *k = &l->look;
	json_t *reply = NULL;

	if (why)
		job_log(l->job, 1, "%s", why);
	if (is_due(k)) {
		k->due_ns = 0;
		if (found)
			found_tell(l, found);
	}
	/* what is found is in the way, whatever else there may be */
	if (found && (found->blockers || !why))
		reply = reply_json(found);
	control_answer(&l->control, true,
		       reply ? reply : control_error(why ? why : "crinit has no memory for the answer"));
}

static void child_gone(struct loop *l, bool complete)
{
	struct look *k = &l->look;
	char late[64];
	bool over = cr_time_clock_ns(CLOCK_MONOTONIC) >= k->deadline_ns;

	close(k->fd);
	k->pid = 0;
	/* criu was at the tree meanwhile: once more when it is done */
	if (complete && k->turn != l->turns)
		return;
	snprintf(late, sizeof(late), "the look did not finish within %d s", complete ? LOOK_S : PATIENCE_S);
	if (complete)
		found_serve(l, &k->found, k->found.partial ? late : NULL);
	else
		found_serve(l, NULL, over ? late : "the look at the job came to nothing: see its crinit.log");
}

void look_serve(struct loop *l)
{
	struct look *k = &l->look;
	struct cr_error err;

	if (k->pid) {
		int rc = child_read(k);

		if (rc)
			child_gone(l, rc > 0);
	}
	if (l->over || k->pid || criu_works(l) || !(clients_wait(l) || is_due(k)))
		return;
	control_take(&l->control, CONTROL_ABLE);
	k->turn = l->turns;
	if (child_start(k, l->job, &err) == 0)
		return;
	found_serve(l, NULL, err.text);
}
