/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* dump.c - one checkpoint, step by step
 *
 *   begin        .GENERATION.tmp in the store, the image writer with its staging pool
 *   (running)    programs that want to know get their signal
 *   criu dump    freezes the tree and streams its images to the writer; again, when there was a connection that
 *                will be over in a moment
 *   (frozen)     connections, outputs, private directories, clocks, limits and priorities, directories to roll
 * back or clones of their files; the barrier; a final one is committed here (thawed)     what was cloned, drain,
 * seal, sync, rename prune        older generations
 */

#include <errno.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "binaries.h"
#include "capture.h"
#include "cleanup.h"
#include "criu.h"
#include "fence.h"
#include "fs.h"
#include "groups.h"
#include "handover.h"
#include "hook.h"
#include "identity.h"
#include "image.h"
#include "inflight.h"
#include "info.h"
#include "links.h"
#include "moved.h"
#include "netlock.h"
#include "notary.h"
#include "notify.h"
#include "ns.h"
#include "output_remark.h"
#include "outputs.h"
#include "private.h"
#include "proc.h"
#include "processor.h"
#include "ran.h"
#include "rollback.h"
#include "shim_queue.h"
#include "signame.h"
#include "slurm.h"
#include "spawn.h"
#include "token.h"
#include "verdict.h"
#include "watches.h"
#include "worker.h"

#define SLURM_PATIENCE_MS	3000
/* for a token: a job that stands still has somebody waiting for its end */
#define TOKEN_PATIENCE_FINAL_MS (20 * 1000)
#define HOLD_PATIENCE_S		60
#define HOLD_ASK_MS		2000
/* connections that are just being made or ended */
#define RETRIES			8
#define RETRY_MS		50 /* once, twice, … that long the job runs in between */
#define RETRY_PATIENCE_MS	5000
#define RETRY_PATIENCE_FINAL_MS 2000

struct dump {
	struct job *job;
	int fd;
	enum dump_mode mode;
	struct slurm_state state;
	uint32_t generation;
	char dir[PATH_MAX];
	struct cr_manifest m;
	struct capture capture;
	struct binaries binaries;
	struct rollback rollback;
	int64_t frozen_ns, thawed_ns; /* CLOCK_MONOTONIC */
	bool begun;		      /* its directory is ours */
	int64_t queued_ms;	      /* for a token */
	int64_t warned_ms;	      /* for programs that were told, more than a last checkpoint does */
	bool hurry;
	bool committed, resumed;
	bool still;    /* no packets in the job's network */
	bool inflight; /* it failed for a connection that may be over soon */
	bool failed;
	struct cr_error err; /* of what was done while frozen */
};

/* For crinit, which tells it should this be the last that it hears. */
static void doing_tell(const struct dump *d, bool frozen, const char *text)
{
	report_send(d->fd, REPORT_DOING, d->generation, frozen, 0, text);
}

static int text_set(char **field, const char *text, struct cr_error *err)
{
	*field = strdup(text);
	return *field ? 0 : cr_error_sys(err, ENOMEM, "the manifest");
}

/* What does not depend on the moment; before the freeze. */
static int manifest_begin(struct dump *d, const char *reason, struct cr_error *err)
{
	const struct job *job = d->job;
	struct cr_manifest *m = &d->m;
	char version[CRIU_VERSION_TEXT];

	if (criu_version(job->criu, version, err) < 0)
		return -1;
	m->job = job->id;
	m->uid = getuid();
	m->restart = job->restart;
	m->run = job->run;
	m->generation = d->generation;
	m->root_pid = (uint32_t)job->root;
	m->xsave_bytes = cr_processor_xsave();
	if (text_set(&m->part, job->part, err) < 0 || text_set(&m->node, job->node, err) < 0 ||
	    text_set(&m->user, job->user, err) < 0 || text_set(&m->reason, reason, err) < 0 ||
	    text_set(&m->criu, version, err) < 0 || text_set(&m->glibc, gnu_get_libc_version(), err) < 0 ||
	    text_set(&m->net, job->private_net ? "private" : "host", err) < 0 ||
	    cr_groups_own(&m->groups, err) < 0 || text_set(&m->command, job->script, err) < 0 ||
	    text_set(&m->script, job->script, err) < 0 || cr_node_kernel(&m->kernel, err) < 0 ||
	    cr_node_cpu(&m->cpu_model, &m->cpu_flags, err) < 0)
		return -1;
	return 0;
}

/* A checkpoint that does not say what the job runs is still one. */
static void binaries_step(const struct dump *d, int rc, const struct cr_error *err)
{
	if (rc < 0)
		job_log(d->job, 1, "what programs the job runs is not in the checkpoint: %s", err->text);
}

/* Is it to be over soon? The byte stays said. */
static bool hurry_look(struct dump *d)
{
	char byte;

	while (!d->hurry && d->mode == DUMP_RUNNING && recv(d->fd, &byte, 1, MSG_DONTWAIT) == 1)
		d->hurry = byte == WORKER_HURRY;
	return d->hurry;
}

/* Wait until the site lets this job drain; or long enough. Without a token it is slower for all, never wrong. */
static void token_wait(struct dump *d, struct cr_token *token)
{
	int64_t from = cr_time_clock_ns(CLOCK_MONOTONIC);
	const struct job *job = d->job;
	struct cr_error err;
	int rc;

	if (job->drain_jobs < 1)
		return;
	if (cr_token_open(token, *job->token_dir ? job->token_dir : job->dir, (unsigned)job->drain_jobs, job->id,
			  job->part, (uint64_t)(cr_time_clock_ns(CLOCK_MONOTONIC) - job->saved_ns) / 1000000000,
			  &err) < 0) {
		job_log(job, 1, "draining without a token: %s", err.text);
		return;
	}
	/* when Slurm ends the job there is no time for that; what a drain that was given up has left there goes */
	if (d->mode != DUMP_RUNNING)
		token->patience_ms = d->mode == DUMP_TERM ? 0 : TOKEN_PATIENCE_FINAL_MS;
	while ((rc = cr_token_try(token, &err)) == 0 && !cr_token_overdue(token) && !hurry_look(d))
		poll(NULL, 0, CR_TOKEN_POLL_MS);
	if (d->mode == DUMP_RUNNING)
		d->queued_ms = (cr_time_clock_ns(CLOCK_MONOTONIC) - from) / 1000000;
	if (rc == 1)
		return;
	job_log(job, 1, "draining without a token: %s", rc < 0 ? err.text : "none came free in time");
	cr_token_close(token);
}

/* Until the writer has something to say, or is to be told something, or the token's sign of life is due. */
static int capture_look(struct dump *d, struct cr_error *err)
{
	struct pollfd p[] = {{.fd = d->capture.proc.fd, .events = POLLIN},
			     {.fd = d->hurry || d->mode != DUMP_RUNNING ? -1 : d->fd, .events = POLLIN}};

	poll(p, 2, CR_TOKEN_BEAT_MS);
	if (p[1].revents && hurry_look(d) && capture_hurry(&d->capture, err) < 0)
		return -1;
	return capture_wait(&d->capture, 0, err);
}

/* Have the writer write, and wait for it. */
static int capture_write(struct dump *d, struct cr_error *err)
{
	struct capture_progress progress = {0};
	struct cr_token token = {.dir = -1};
	struct cr_error ignored;
	int rc;

	token_wait(d, &token);
	if (rollback_late(&d->rollback, &d->capture, &token, err) < 0) {
		cr_token_close(&token);
		return -1;
	}
	rc = capture_drain(&d->capture, d->mode == DUMP_RUNNING && !hurry_look(d), err);
	while (rc == 0) {
		rc = capture_look(d, err);
		if (rc == 0 && token.held)
			(void)cr_token_beat(&token, &ignored);
		if (rc == 0 && d->mode != DUMP_RUNNING && capture_stalled(&d->capture, &progress))
			rc = cr_error_set(err, ETIMEDOUT,
					  "the storage takes nothing, and the job is not to stand still for that");
	}
	cr_token_close(&token);
	return rc < 0 ? -1 : 0;
}

static int generation_commit(struct dump *d, struct cr_error *err)
{
	struct cr_manifest *m = &d->m;
	cleanup_free char *text = NULL;
	cleanup_free char *seal = NULL;

	if (capture_write(d, err) < 0 || fence_check(d->job, err) < 0 || outputs_sync(m, err) < 0 ||
	    cr_image_record(&d->job->store, m, err) < 0 || cr_manifest_hash_dir(m, d->dir, err) < 0)
		return -1;
	m->image_bytes = d->capture.image_bytes;
	m->stored_bytes = d->capture.pack_bytes + d->capture.index_bytes;
	binaries_step(d, binaries_record(&d->binaries, m, err), err);
	m->drain_ms = d->thawed_ns ? (cr_time_clock_ns(CLOCK_MONOTONIC) - d->thawed_ns) / 1000000 : 0;
	if (cr_manifest_encode(m, &text, err) < 0 ||
	    notary_seal(d->job, d->generation, text, strlen(text), &seal, err) < 0 ||
	    fence_check(d->job, err) < 0 || cr_store_commit(&d->job->store, m, text, seal, err) < 0 ||
	    fence_settle(d->job, d->generation, err) < 0)
		return -1;
	d->committed = true;
	report_send(d->fd, REPORT_PAUSED, d->generation,
		    d->warned_ms + d->queued_ms + (int64_t)d->capture.paused_ms, 0, NULL);
	report_send(d->fd, REPORT_COMMITTED, d->generation, m->freeze_ms, m->image_bytes, m->reason);
	return 0;
}

static int private_record(struct dump *d, struct cr_error *err)
{
	cleanup_close int out = capture_stream(&d->capture, PRIVATE_STREAM, err);

	return out < 0 ? -1 : private_save(d->job, out, err);
}

/* What the library in criu has written; none is the usual thing. */
static char *queues_read(const struct job *job)
{
	char path[PATH_MAX + 32], *text = NULL;
	struct cr_error err;
	size_t size;

	snprintf(path, sizeof(path), "%s/" SHIM_QUEUES, job->home);
	return cr_fs_read(path, SHIM_QUEUES_MAX, &text, &size, &err) < 0 ? NULL : text;
}

static void queues_forget(const struct job *job)
{
	char path[PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/" SHIM_QUEUES, job->home);
	unlink(path);
}

static int identity_record(struct dump *d, struct cr_error *err)
{
	cleanup_free char *queues = queues_read(d->job);
	cleanup_free pid_t *pids = NULL;
	cleanup_free char *text = NULL;
	cleanup_close int out = -1;
	size_t n;

	if (cr_proc_tree(d->job->root, &pids, &n, err) < 0 || identity_take(pids, n, queues, &text, err) < 0)
		return -1;
	out = capture_stream(&d->capture, IDENTITY_STREAM, err);
	return out < 0 ? -1 : cr_fs_write_all(out, text, strlen(text), err);
}

/* The programs that want to know: the file first, then the signal, then some time. */
static void programs_tell(struct dump *d, const char *reason)
{
	int64_t from = cr_time_clock_ns(CLOCK_MONOTONIC), ms;

	if (!d->job->signal_before)
		return;
	info_write(d->job, &(struct info){.event = "checkpoint", .generation = d->generation, .reason = reason});
	notify_before(d->job, d->mode == DUMP_TERM ? CR_SIGNAL_LEAD_END : CR_SIGNAL_LEAD_MAX, d->fd);
	ms = (cr_time_clock_ns(CLOCK_MONOTONIC) - from) / 1000000;
	d->warned_ms = ms > CR_SIGNAL_LEAD_END * 1000 ? ms - CR_SIGNAL_LEAD_END * 1000 : 0;
}

static int clocks_record(struct dump *d, struct cr_error *err)
{
	char when[64];

	/* now, while nothing of the job's runs: no task may see its clock go back after a restore */
	d->m.monotonic_ns = cr_time_clock_ns(CLOCK_MONOTONIC);
	d->m.boottime_ns = cr_time_clock_ns(CLOCK_BOOTTIME);
	d->m.ran_ms = ran_ms(d->job);
	if (text_set(&d->m.time, cr_time_format(cr_time_now_ns(), when, sizeof(when)), err) < 0 ||
	    cr_ns_last_pid_read(&d->m.last_pid, err) < 0)
		return -1;
	return 0;
}

static int connections_check(struct dump *d, struct cr_error *err)
{
	int rc = inflight_look(d->job, err);

	d->inflight = rc < 0 && err->errnum == EAGAIN;
	return rc;
}

static int files_record(struct dump *d, struct cr_error *err)
{
	return outputs_record(d->job, &d->m, &d->capture, err);
}

static int trees_record(struct dump *d, struct cr_error *err)
{
	return rollback_record(&d->rollback, d->job, &d->m, &d->capture, d->mode == DUMP_RUNNING, err);
}

static int programs_record(struct dump *d, struct cr_error *err)
{
	binaries_step(d, binaries_frozen(&d->binaries, d->job->root, err), err);
	return 0;
}

static int barrier_pass(struct dump *d, struct cr_error *err)
{
	return capture_barrier(&d->capture, err);
}

/* Timers before clocks: what expires in between has expired after a restore, and none does early. All but these
 * may wait for storage: dispatch.c gives a worker up that gets nowhere in one of them. */
static int frozen_record(struct dump *d, struct cr_error *err)
{
	static const struct {
		const char *doing;
		int (*record)(struct dump *d, struct cr_error *err);
	} steps[] = {
		{"looking at its connections", connections_check},
		{"reading its limits, priorities and timers", identity_record},
		{"reading the clocks", clocks_record},
		{"copying the files that it has open for writing", files_record},
		{"packing its /tmp and /var/tmp", private_record},
		{"reading the directories of --checkpoint-rollback", trees_record},
		{"looking at its programs and libraries", programs_record},
		{"taking over the images", barrier_pass},
	};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		doing_tell(d, true, steps[i].doing);
		if (steps[i].record(d, err) < 0)
			return -1;
	}
	return 0;
}

/* A final checkpoint is committed and the tree stands still: wait until Slurm ends the job. Returns 0 to let the
 * tree die, -1 when nobody wants that. */
static int hold(struct dump *d)
{
	int64_t end = cr_time_clock_ns(CLOCK_MONOTONIC) + HOLD_PATIENCE_S * INT64_C(1000000000);

	while (d->state.fate != SLURM_ENDING) {
		struct pollfd p = {.fd = d->fd, .events = POLLIN};
		char byte;

		if (poll(&p, 1, HOLD_ASK_MS) > 0 && recv(d->fd, &byte, 1, 0) == 1 && byte == WORKER_RELEASE)
			return 0;
		d->state = slurm_ask(d->job, SLURM_PATIENCE_MS);
		if (d->state.fate == SLURM_CANCELLED)
			return 0;
		/* in its grace time the job will be killed; otherwise it may be that nobody comes */
		if (d->state.fate != SLURM_GRACE && d->state.fate != SLURM_ENDING &&
		    cr_time_clock_ns(CLOCK_MONOTONIC) > end)
			return -1;
	}
	return 0;
}

/* -1 to let the tree run on. */
static int slot_end(struct dump *d)
{
	struct cr_error err;

	if (d->mode != DUMP_LIMIT || handover_requeue(d->job, d->state.lead_ms, &err) == 0)
		return 0;
	job_log(d->job, 0, "the job is not requeued before its time limit, and goes on until then: %s", err.text);
	return -1;
}

static int on_frozen(struct dump *d)
{
	if (frozen_record(d, &d->err) < 0)
		return -1;
	report_send(d->fd, REPORT_FROZEN, d->generation, 0, 0, NULL);
	if (d->mode == DUMP_RUNNING)
		return 0;
	d->m.freeze_ms = (cr_time_clock_ns(CLOCK_MONOTONIC) - d->frozen_ns) / 1000000;
	doing_tell(d, true, "writing the checkpoint");
	if (generation_commit(d, &d->err) < 0)
		return -1;
	moved_note(d->job, d->generation);
	if (slot_end(d) < 0 || hold(d) < 0) {
		d->resumed = true; /* to criu a failure, to us a checkpoint: it gives the tree its life back */
		return -1;
	}
	return 0;
}

/* criu has tried out by then what the kernel can, with a connection of its own. */
static void net_hold(struct dump *d)
{
	struct cr_error err;

	if (!d->job->private_net)
		return;
	d->still = netlock_hold(&err) == 0;
	if (!d->still)
		job_log(d->job, 0, "connections may be torn in this checkpoint: %s", err.text);
}

/* Should it fail, or this process end before, crinit does it. */
static void net_release(struct dump *d)
{
	struct cr_error err;

	if (d->still && netlock_release_surely(&err) < 0)
		job_log(d->job, 0, "%s", err.text);
	d->still = false;
}

static int on_action(const char *action, pid_t caller, void *arg)
{
	struct dump *d = arg;
	int rc;

	(void)caller;
	if (strcmp(action, "pre-dump") == 0) {
		d->frozen_ns = cr_time_clock_ns(CLOCK_MONOTONIC);
		net_hold(d);
	}
	if (strcmp(action, "post-dump") != 0)
		return 0;
	rc = on_frozen(d);
	d->failed = rc < 0 && !d->resumed;
	/* before the thaw: when criu lets go of a connection its ends tell each other where they are */
	if (rc < 0 || d->mode == DUMP_RUNNING)
		net_release(d);
	return rc;
}

static int criu_serve(struct dump *d, int *status, struct cr_error *err)
{
	struct hook hook;
	cleanup_close int pidfd = -1;
	pid_t pid;
	int rc;

	criu_log_forget(d->job, "dump");
	queues_forget(d->job);
	watches_write(d->job);
	if (hook_open(&hook, d->job->hook, err) < 0)
		return -1;
	d->frozen_ns = cr_time_clock_ns(CLOCK_MONOTONIC);
	hook_watch(&hook, d->capture.proc.fd, d->job->capture);
	pid = criu_dump_start(d->job, &hook, d->mode != DUMP_RUNNING, &pidfd, err);
	rc = pid < 0 || capture_criu(&d->capture, pid, err) < 0 || hook_serve(&hook, pidfd, on_action, d, err) < 0;
	if (!rc)
		*status = spawn_wait(pid, err);
	links_remove(d->job);
	watches_remove(d->job);
	return rc ? -1 : 0;
}

/* Run criu under the hook. Returns 0 when it succeeded, or failed only because we held it back. */
static int criu_run(struct dump *d, struct cr_error *err)
{
	int status = 0, rc = criu_serve(d, &status, err);

	net_release(d); /* criu may have ended before the images were done */
	if (rc < 0)
		return -1;
	if (d->mode == DUMP_RUNNING)
		d->thawed_ns = cr_time_clock_ns(CLOCK_MONOTONIC);
	if (status == 0 || d->resumed || (status > 0 && d->committed))
		return 0;
	if (d->failed)
		*err = d->err;
	else
		(void)criu_failure(d->job, "dump", status, err);
	d->inflight = d->inflight || (!d->failed && inflight_said(d->job));
	return -1;
}

/* The newest committed generation, for the next one to refer to; 0: none. One of an earlier run is not taken: the
 * job would have gone on from it if it could be read. */
static uint32_t generation_past(struct dump *d, uint64_t *bytes)
{
	const struct job *job = d->job;
	cleanup_free uint32_t *generations = NULL;
	struct cr_manifest m = {0};
	char dir[PATH_MAX];
	struct cr_error err;
	uint32_t past = 0;
	size_t n = 0;

	if (cr_store_list(&job->store, &generations, &n, NULL) < 0)
		n = 0;
	if (n > 0)
		cr_store_path(&job->store, generations[0], dir);
	if (n > 0 && cr_manifest_read(&m, dir, NULL) == 0 && m.run == job->run) {
		past = generations[0];
		*bytes = m.image_bytes;
	}
	binaries_step(d, binaries_begin(&d->binaries, job->root, &m, &err), &err);
	cr_manifest_clear(&m);
	return past;
}

/* For connections that may be over in a moment. */
static int retry_patience_ms(const struct dump *d)
{
	return d->mode == DUMP_RUNNING ? RETRY_PATIENCE_MS : RETRY_PATIENCE_FINAL_MS;
}

/* One attempt. past: the generation to refer to, of so many bytes. */
static int attempt_run(struct dump *d, const char *reason, uint32_t past, uint64_t past_bytes,
		       struct cr_error *err)
{
	struct job *job = d->job;

	d->inflight = d->failed = false;
	if (rollback_start(&d->rollback, job, d->dir, d->mode == DUMP_RUNNING, err) < 0 ||
	    capture_start(&d->capture, job, d->generation, d->dir, past, past_bytes, d->rollback.bytes, err) < 0)
		return -1;
	if (reason)
		programs_tell(d, reason);
	return criu_run(d, err);
}

/* What there is of the last attempt goes, and the job runs for a moment. */
static int attempt_again(struct dump *d, int n, struct cr_error *err)
{
	doing_tell(d, false, "preparing the checkpoint once more");
	capture_end(&d->capture);
	rollback_end(&d->rollback);
	if (cr_store_abort(&d->job->store, d->generation, err) < 0)
		return -1;
	poll(NULL, 0, n * RETRY_MS);
	return cr_store_begin(&d->job->store, d->generation, d->dir, err);
}

/* Why it failed, in words that help. */
static void failure_explain(struct dump *d, int tries, struct cr_error *err)
{
	struct cr_error why;

	if (!d->failed)
		verdict_after(d->job, err);
	/* both fail when the writer does */
	(void)imgproc_failure(&d->capture.proc, IMGPROC_WORDS_MS, err);
	if (!d->inflight)
		return;
	why = *err;
	cr_error_set(err, EAGAIN, "%.600s; tried %d times", why.text, tries);
}

static int attempts_run(struct dump *d, const char *reason, uint32_t past, uint64_t past_bytes,
			struct cr_error *err)
{
	const int64_t end = cr_time_clock_ns(CLOCK_MONOTONIC) + retry_patience_ms(d) * INT64_C(1000000);

	for (int n = 1;; n++) {
		if (attempt_run(d, n == 1 ? reason : NULL, past, past_bytes, err) == 0)
			return 0;
		if (!d->inflight || n > RETRIES || cr_time_clock_ns(CLOCK_MONOTONIC) > end || hurry_look(d)) {
			failure_explain(d, n, err);
			return -1;
		}
		job_log(d->job, 1, "once more, for it may be over: %s", err->text);
		if (attempt_again(d, n, err) < 0)
			return -1;
	}
}

static int dump_run(struct dump *d, const char *reason, struct cr_error *err)
{
	struct job *job = d->job;
	struct cr_error ignored;
	uint64_t past_bytes = 0;
	uint32_t past;

	if (cr_store_open(&job->store, job->dir, job->id, job->part, getuid(), true, err) < 0 ||
	    fence_check(job, err) < 0 || cr_store_next(&job->store, &d->generation, err) < 0)
		return -1;
	/* what a worker that was given up does last, when storage answers, is to find nothing of ours */
	if (d->generation <= job->lost)
		d->generation = job->lost + 1;
	doing_tell(d, false, "preparing the checkpoint");
	if (cr_store_sweep(&job->store, err) < 0 || cr_store_begin(&job->store, d->generation, d->dir, err) < 0)
		return -1;
	d->begun = true;
	if (verdict_before(job, retry_patience_ms(d), err) < 0 || manifest_begin(d, reason, err) < 0)
		return -1;
	past = generation_past(d, &past_bytes);
	if (attempts_run(d, reason, past, past_bytes, err) < 0)
		return -1;
	if (d->mode == DUMP_RUNNING) {
		d->m.freeze_ms = (d->thawed_ns - d->frozen_ns) / 1000000;
		report_send(d->fd, REPORT_THAWED, d->generation, d->m.freeze_ms, 0, NULL);
		if (generation_commit(d, err) < 0)
			return -1;
	}
	output_remark(job, &d->m, past);
	if (cr_store_prune(&job->store, job->run, job->keep, &ignored) < 0)
		job_log(job, 0, "removing old generations: %s", ignored.text);
	return 0;
}

/* It failed, and leaves nothing behind; unless a newer start owns the store by now: what lies there may be that
 * one's, under the same number. */
static void dump_abandon(const struct dump *d, const char *reason, struct cr_error *err)
{
	const struct job *job = d->job;
	struct cr_error fence = *err, ignored;

	if (err->errnum == FENCE_LOST || (fence_check(job, &fence) < 0 && fence.errnum == FENCE_LOST)) {
		report_send(d->fd, REPORT_FENCED, d->generation, 0, 0, fence.text);
		return;
	}
	criu_log_keep(job, "dump");
	if (d->begun && cr_store_abort(&job->store, d->generation, &ignored) < 0)
		job_log(job, 1, "%s", ignored.text);
	job_journal(job, "failed", d->generation, reason, err->text, -1);
	report_send(d->fd, REPORT_FAILED, d->generation, d->state.fate == SLURM_ENDING, 0, err->text);
	if (d->state.fate == SLURM_ENDING)
		moved_release(job);
}

void dump_work(struct job *job, int fd, enum dump_mode mode, const struct slurm_state *state)
{
	struct dump d = {.job = job, .fd = fd, .mode = mode, .state = *state};
	const char *reason = state->reason;
	struct cr_error err;
	int rc;

	/* before the dump, which Slurm may not wait for: what comes now is nobody's fault */
	if (mode == DUMP_TERM && state->fate != SLURM_UNKNOWN)
		job_journal(job, "stopping", 0, reason, NULL, -1);
	rc = dump_run(&d, reason, &err);
	capture_end(&d.capture);
	rollback_end(&d.rollback);
	if (rc < 0) {
		dump_abandon(&d, reason, &err);
	} else if (d.resumed) {
		report_send(fd, REPORT_RESUMED, d.generation, d.m.freeze_ms, 0, NULL);
	} else if (mode != DUMP_RUNNING) {
		moved_release(job);
		report_send(fd, REPORT_FINISHED, d.generation, d.m.freeze_ms, 0, NULL);
	}
	binaries_clear(&d.binaries);
	cr_manifest_clear(&d.m);
}
