/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* restore.c - one restore, step by step
 *
 *   source       the manifest's seal, the index, the packs; chunks are verified as they are read
 *   identity     limits, priorities and processors of each thread are read, the info file is written
 *   private      /tmp, /var/tmp, /dev/shm
 *   look         at the directories of --checkpoint-rollback, then at the files the job was writing: what cannot
 *                be put back ends the attempt before anything is changed
 *   fence        a newer start of the job has these files by now: then this one ends
 *   rollback     these directories
 *   outputs      these files go back to their size and content, stdout and stderr to their content
 *   criu restore
 *   (before anything runs) the fence once more; nobody but ours may hold a capability (tasks.h); pids go on where
 * they were; limits, priorities and processors as they were; programs that want to know have their signal
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ancestor.h"
#include "caps.h"
#include "cleanup.h"
#include "criu.h"
#include "ended.h"
#include "fence.h"
#include "fifos.h"
#include "fs.h"
#include "ghosts.h"
#include "hook.h"
#include "identity.h"
#include "info.h"
#include "inputs.h"
#include "inside.h"
#include "loopback.h"
#include "netlock.h"
#include "notary.h"
#include "notify.h"
#include "ns.h"
#include "outputs.h"
#include "placed.h"
#include "private.h"
#include "proc.h"
#include "restart.h"
#include "rollback.h"
#include "source.h"
#include "spawn.h"
#include "tasks.h"
#include "worker.h"

struct restore {
	const struct job *job;
	const struct job *owner; /* of the generation: job, or the one of --restart-from */
	int fd;
	char dir[PATH_MAX];
	struct cr_manifest m;
	struct source source;
	struct inputs inputs;
	json_t *identity; /* NULL before format 3 */
	pid_t criu;
	bool checked; /* the tasks were looked at before they ran */
	bool held;    /* the network stands still */
	struct cr_error err;
};

/* The images are the user's files. Before anything runs, nobody but crinit, this worker, criu and the hook that
 * waits for our answer may have a capability; and what criu has read is what the image reader has verified. */
static int forgery_check(struct restore *r, pid_t hook, struct cr_error *err)
{
	const pid_t ours[] = {1, getpid(), r->criu, hook};
	const struct tasks tasks = {.top = 1,
				    .root = (pid_t)r->m.root_pid,
				    .criu = r->criu,
				    .ours = ours,
				    .n_ours = sizeof(ours) / sizeof(ours[0])};

	if (source_failed(&r->source, err) || source_served(&r->source, err) < 0)
		return -1;
	return tasks_check(&tasks, err);
}

/* 0 also when the journal cannot be read now: that is no reason to end a job. */
static int fence_pass(const struct job *job, struct cr_error *err)
{
	return fence_check(job, err) < 0 && err->errnum == FENCE_LOST ? -1 : 0;
}

/* criu has tried out by then what the kernel can, with a connection of its own. */
static void net_hold(struct restore *r)
{
	if (!r->job->private_net)
		return;
	r->held = netlock_hold(&r->err) == 0;
	if (!r->held)
		job_log(r->job, 0, "connections may be torn by this restore: %s", r->err.text);
	if (loopback_narrow(&r->err) < 0)
		job_log(r->job, 0, "connections may be slow after this restore: %s", r->err.text);
}

/* All sockets are there. They are under repair yet: when criu lets go of one its ends tell each other where they
 * are. What is not let go of again is a network that drops everything, and a job that hangs in it. */
static int net_release(struct restore *r)
{
	if (!r->job->private_net)
		return 0;
	return loopback_widen(&r->err) < 0 || (r->held && netlock_release_surely(&r->err) < 0) ? -1 : 0;
}

static int on_action(const char *action, pid_t caller, void *arg)
{
	struct restore *r = arg;

	if (strcmp(action, "pre-restore") == 0)
		net_hold(r);
	if (strcmp(action, "post-restore") == 0)
		return net_release(r);
	if (strcmp(action, "pre-resume") != 0)
		return 0;
	/* criu goes on whatever is answered here: crinit ends the whole namespace before this call returns */
	if (fence_pass(r->job, &r->err) < 0) {
		inputs_close(&r->inputs);
		report_send(r->fd, REPORT_FENCED, r->job->generation, 0, 0, r->err.text);
		for (;;)
			pause();
	}
	if (forgery_check(r, caller, &r->err) < 0) {
		inputs_close(&r->inputs);
		report_send(r->fd, REPORT_FORGED, r->job->generation, 0, 0, r->err.text);
		for (;;)
			pause();
	}
	r->checked = true;
	ghosts_remove();
	/* criu has opened everything */
	inputs_close(&r->inputs);
	if (r->identity)
		identity_apply(r->identity, r->job);
	if (r->job->signal_after)
		notify_still(r->job, (pid_t)r->m.root_pid, r->job->signal_after);
	if (cr_ns_last_pid_write(r->m.last_pid < CR_NS_PID_FIRST ? CR_NS_PID_FIRST : r->m.last_pid, &r->err) < 0)
		job_log(r->job, 0, "%s", r->err.text);
	return 0;
}

static int criu_run(struct restore *r, const struct outputs_restored *restored, struct cr_error *err)
{
	struct hook hook;
	cleanup_close int pidfd = -1;
	pid_t pid;
	int status;

	if (ended_tell(r->job->home, json_object_get(r->identity, "ended"), json_object_get(r->identity, "untold"),
		       err) < 0 ||
	    fifos_tell(r->job->home, json_object_get(r->identity, "fifos"), err) < 0 ||
	    placed_tell(r->job->home, json_object_get(r->identity, "processes"), err) < 0 ||
	    hook_open(&hook, r->job->hook, err) < 0)
		return -1;
	hook_watch(&hook, source_peer(&r->source), r->job->serve);
	pid = r->criu = criu_restore_start(r->job, &hook, source_images(&r->source), restored->inherit,
					   restored->n, &pidfd, err);
	if (pid < 0 || source_criu(&r->source, pid, err) < 0 || hook_serve(&hook, pidfd, on_action, r, err) < 0)
		return -1;
	status = spawn_wait(pid, err);
	ended_forget(r->job->home);
	fifos_forget(r->job->home);
	placed_settle(r->job);
	if (status == 0 && r->checked)
		return 0;
	if (status == 0)
		return cr_error_set(err, EPERM, "criu restore did not let us check the tasks before they ran");
	return criu_failure(r->job, "restore", status, err);
}

static int private_unpack(struct restore *r, struct cr_error *err)
{
	cleanup_close int in = source_stream(&r->source, PRIVATE_STREAM, err);

	if (in < 0 || private_restore(r->job, in, err) < 0)
		return -1;
	return source_streamed(&r->source, err);
}

static int identity_read(struct restore *r, struct cr_error *err)
{
	cleanup_close int in = -1;
	cleanup_free char *text = NULL;
	size_t size;

	if (r->m.format < 3)
		return 0;
	in = source_stream(&r->source, IDENTITY_STREAM, err);
	if (in < 0 || cr_fs_read_fd(in, IDENTITY_STREAM, IDENTITY_MAX_BYTES, &text, &size, err) < 0 ||
	    source_streamed(&r->source, err) < 0)
		return -1;
	return identity_parse(text, size, &r->identity, err);
}

/* The user's files: all of them are looked at before the first is changed. */
static int files_restore(struct restore *r, struct rollback *rollback, struct outputs *outputs,
			 struct outputs_restored *restored, struct cr_error *err)
{
	/* these directories are the first job's, as its files are */
	bool rolls = r->m.n_rollbacks > 0 && (!r->job->from_now || r->job->from_files != CR_FILES_KEEP);

	if ((rolls && rollback_compare(rollback, r->job, &r->m, &r->source, err) < 0) ||
	    outputs_open(outputs, r->owner, &r->m, &r->source, err) < 0 || outputs_check(outputs, !rolls, err) < 0)
		return -1;
	if (rolls &&
	    (rollback_apply(rollback, &r->m, &r->source, err) < 0 || outputs_check(outputs, true, err) < 0))
		return -1;
	return outputs_restore(outputs, &r->source, restored, err);
}

static int inherit_add(void *restored, int fd, const char *name, struct cr_error *err)
{
	return outputs_inherit(restored, fd, name, err);
}

static int tree_restore(struct restore *r, struct cr_error *err)
{
	struct rollback rollback = {.proc.fd = -1};
	struct outputs_restored restored = {.was = {-1, -1}};
	struct outputs outputs = {0};
	int rc;

	if (identity_read(r, err) < 0 || private_unpack(r, err) < 0)
		return -1;
	info_write(r->job, &(struct info){.event = "restore",
					  .generation = r->job->generation,
					  .reason = r->m.reason,
					  .checkpoint_time = r->m.time});
	inside_started(r->job);
	rc = fence_pass(r->job, err);
	if (rc == 0)
		rc = inputs_read(&r->inputs, r->job, &r->m, &r->source, err);
	if (rc == 0)
		rc = files_restore(r, &rollback, &outputs, &restored, err);
	if (rc == 0)
		rc = source_nameless(&r->source, inherit_add, &restored, err);
	rollback_end(&rollback);
	outputs_close(&outputs);
	if (rc == 0)
		rc = inputs_open(&r->inputs, err);
	if (rc == 0)
		rc = criu_run(r, &restored, err);
	inputs_close(&r->inputs);
	if (rc < 0)
		outputs_undo(r->job, &restored);
	outputs_release(&restored);
	return rc;
}

static int restore_run(struct restore *r, struct cr_error *err)
{
	const struct job *job = r->job;
	struct job begun = *job;
	int rc;

	if (cr_caps_drop_ptrace(err) < 0)
		return -1;
	cr_store_path(&r->owner->store, job->generation, r->dir);
	if (cr_manifest_read(&r->m, r->dir, err) < 0 || notary_check(r->owner, job->generation, r->dir, err) < 0)
		return -1;
	/* should the node not survive what follows, the next start knows with what */
	if (!job->from_now) {
		begun.run = r->m.run;
		job_journal(&begun, "restoring", job->generation, NULL, NULL, -1);
	}
	rc = source_open(&r->source, r->owner, &r->m, r->dir, err);
	if (rc == 0) {
		rc = tree_restore(r, err);
		if (rc < 0 && err->errnum != FENCE_LOST)
			source_blame(&r->source, err);
	}
	source_close(&r->source);
	return rc;
}

/* The journal has what a restore led to; what is newer than the generation is not the job's past any more. */
static void restored_record(struct job *job, const struct cr_manifest *m, int64_t ms)
{
	struct cr_error err;

	if (job->from_now) {
		job->run = ancestor_run(job);
		ancestor_journal(job, job->generation, ms);
		return;
	}
	job->run = m->run;
	/* in this order: what an older start publishes in between is seen by it, or set aside here (fence.h) */
	job_journal(job, "restored", job->generation, NULL, *job->why ? job->why : NULL, ms);
	if (cr_store_set_aside(&job->store, job->generation, &err) < 0)
		job_log(job, 0, "%s", err.text);
}

void restore_work(struct job *job, int fd)
{
	struct job ancestor;
	struct restore r = {.job = job, .owner = job->from_now ? &ancestor : job, .fd = fd};
	int64_t from = cr_time_clock_ns(CLOCK_MONOTONIC_RAW), ms;
	struct cr_error err;

	bool failed = (job->from_now && ancestor_open(job, &ancestor, &err) < 0) || restore_run(&r, &err) < 0;

	/* what lies in the store is the newer start's: nothing is written there, nothing is set aside */
	if ((failed && err.errnum == FENCE_LOST) || (!failed && fence_pass(job, &err) < 0)) {
		report_send(fd, REPORT_FENCED, job->generation, 0, 0, err.text);
	} else if (failed) {
		criu_log_keep(job, "restore");
		job_journal(job, "restore-failed", job->from_now ? 0 : job->generation, NULL, err.text, -1);
		report_send(fd, REPORT_FAILED, job->generation, cr_restart_blame(err.errnum, err.text), 0,
			    err.text);
	} else {
		ms = (cr_time_clock_ns(CLOCK_MONOTONIC_RAW) - from) / 1000000;
		criu_log_forget(job, "restore");
		restored_record(job, &r.m, ms);
		report_send(fd, REPORT_COST, job->generation, r.m.freeze_ms,
			    (uint64_t)(r.m.freeze_ms + r.m.drain_ms), NULL);
		report_send(fd, REPORT_RESTORED, job->generation, (int64_t)r.m.root_pid, job->run, NULL);
	}
	json_decref(r.identity);
	cr_manifest_clear(&r.m);
}
