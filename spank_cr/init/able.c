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
#include <time.h>
#include <unistd.h>

#include "fs.h"
#include "verdict.h"

#define SECOND_NS  INT64_C(1000000000)
#define PATIENCE_S 30
#define LINES_MAX  5 /* in the job's stderr */

/* ---- the child ---- */

static void child_look(const struct job *job, int fd)
{
	struct cr_preflight found;
	struct cr_error err;

	(void)prctl(PR_SET_NAME, "crpreflight"); /* for ps and top */
	if (verdict_look(job, &found, &err) < 0) {
		job_log(job, 1, "%s", err.text);
		_exit(1);
	}
	_exit(cr_fs_write_all(fd, &found, sizeof(found), &err) < 0);
}

static int child_start(struct able *a, const struct job *job, struct cr_error *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return cr_error_sys(err, errno, "pipe");
	a->pid = fork();
	if (a->pid == 0)
		child_look(job, fds[1]);
	close(fds[1]);
	/* only crinit must not wait: the pipe of a user with many of them takes no more than a page */
	if (a->pid < 0 || fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0) {
		cr_error_sys(err, errno, "starting the look at the job");
		a->pid = 0;
		close(fds[0]);
		return -1;
	}
	a->fd = fds[0];
	a->used = 0;
	a->deadline_ns = cr_time_clock_ns(CLOCK_MONOTONIC) + PATIENCE_S * SECOND_NS;
	return 0;
}

/* Returns 1 when all is there, 0 when more is to come, -1 when it ended without. */
static int child_read(struct able *a)
{
	while (a->used < sizeof(a->found)) {
		ssize_t n = read(a->fd, (char *)&a->found + a->used, sizeof(a->found) - a->used);

		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			if (cr_time_clock_ns(CLOCK_MONOTONIC) < a->deadline_ns)
				return 0;
			kill(a->pid, SIGKILL); /* some memory or storage of the job hangs, and who looks at it */
			return -1;
		}
		if (n <= 0)
			return -1;
		a->used += (size_t)n;
	}
	return 1;
}

/* ---- what is told ---- */

static json_t *finding_json(const struct cr_finding *f)
{
	return json_pack("{s:i, s:s, s:i, s:s, s:s, s:s, s:s}", "pid", (int)f->pid, "name", f->name, "fd",
			 (int)f->fd, "kind", cr_preflight_name(f->kind), "detail", f->detail, "remedy",
			 cr_preflight_remedy(f->kind), "severity",
			 cr_preflight_blocks(f->kind) ? "blocker" : "warning");
}

static json_t *reply_json(const struct cr_preflight *found)
{
	json_t *findings = json_array();
	char text[512];

	for (uint32_t i = 0; findings && i < found->n; i++) {
		json_t *one = finding_json(&found->findings[i]);

		cr_preflight_text(&found->findings[i], true, text, sizeof(text));
		if (json_object_set_new(one, "text", json_string(text)) < 0 ||
		    json_array_append_new(findings, one) < 0) {
			json_decref(findings);
			return NULL;
		}
	}
	return json_pack("{s:b, s:b, s:i, s:i, s:o}", "ok", 1, "able", found->blockers == 0, "blockers",
			 (int)found->blockers, "warnings", (int)found->warnings, "findings", findings);
}

static void clients_reply(struct loop *l, const struct cr_preflight *found)
{
	for (int i = 0; i < CONTROL_CLIENTS; i++) {
		struct control_client *c = &l->control.clients[i];
		json_t *reply;

		if (c->fd < 0 || c->verb != CONTROL_ABLE)
			continue;
		reply = found ? reply_json(found) : NULL;
		if (reply)
			control_reply(c, reply);
		else
			control_reply_error(c, "crinit could not look at the job: see its crinit.log");
	}
}

/* In the job's stderr: one line for each kind in each process, and nothing when its user knows already. */
static void blockers_log(struct loop *l, const struct cr_preflight *found)
{
	int level = l->failures++ ? 1 : 0;
	unsigned lines = 0, named = 0;
	char text[512];

	for (uint32_t i = 0; i < found->n; i++) {
		const struct cr_finding *f = &found->findings[i], *last = i ? f - 1 : NULL;

		if (!cr_preflight_blocks(f->kind))
			break;
		if (last && last->kind == f->kind && last->pid == f->pid) {
			named++;
			continue;
		}
		if (lines == LINES_MAX)
			continue;
		lines++;
		named++;
		cr_preflight_text(f, true, text, sizeof(text));
		job_log(l->job, level, "no checkpoint: %s", text);
	}
	if (found->blockers > named)
		job_log(l->job, level, "no checkpoint: and %u more: scheckpoint able %u", found->blockers - named,
			l->job->id);
}

/* The look of crinit's own. */
static void found_tell(struct loop *l, const struct cr_preflight *found)
{
	char text[600];

	if (!found->blockers) {
		job_log(l->job, 1, "the job can be checkpointed as it is (%u warnings)", found->warnings);
		return;
	}
	blockers_log(l, found);
	verdict_text(l->job, found, text, sizeof(text));
	job_journal(l->job, "unable", 0, NULL, text, -1);
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

static bool is_due(const struct able *a)
{
	return a->due_ns && cr_time_clock_ns(CLOCK_MONOTONIC) >= a->due_ns;
}

void able_arm(struct loop *l)
{
	if (l->job->preflight > 0)
		l->able.due_ns = cr_time_clock_ns(CLOCK_MONOTONIC) + l->job->preflight * SECOND_NS;
}

int able_fd(const struct loop *l)
{
	return l->able.pid ? l->able.fd : -1;
}

static void child_gone(struct loop *l, bool complete)
{
	struct able *a = &l->able;

	close(a->fd);
	a->pid = 0;
	/* criu has begun meanwhile: once more when it is done */
	if (complete && criu_works(l))
		return;
	if (is_due(a)) {
		a->due_ns = 0;
		if (complete)
			found_tell(l, &a->found);
		else
			job_log(l->job, 1, "the look for what cannot be checkpointed came to nothing");
	}
	clients_reply(l, complete ? &a->found : NULL);
}

void able_serve(struct loop *l)
{
	struct able *a = &l->able;
	struct cr_error err;

	if (a->pid) {
		int rc = child_read(a);

		if (rc)
			child_gone(l, rc > 0);
	}
	if (l->over || a->pid || criu_works(l) || !(clients_wait(l) || is_due(a)))
		return;
	if (child_start(a, l->job, &err) == 0)
		return;
	job_log(l->job, 1, "%s", err.text);
	a->due_ns = 0;
	clients_reply(l, NULL);
}
