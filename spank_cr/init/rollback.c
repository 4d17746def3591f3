/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "rollback.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"
#include "pathlist.h"
#include "store.h"
#include "tree.h"

#define CLONES	"clones"
#define OPTION	"--checkpoint-rollback"
#define PROCESS "the process that looks after it (crrollback)"

#define SYNC_MS 3000 /* to have pages written back before the freeze */

enum { PHASE_COMPARE, PHASE_APPLY };

/* The process's state; what it is to work on is there before the fork. */
struct keeper {
	const struct job *job;
	const char *dir;	     /* saving: the generation's temporary directory */
	const struct cr_manifest *m; /* restoring */
	char *paths[ROLLBACK_MOST];
	size_t n;
	bool running;		/* saving: the job will go on */
	struct stat streams[2]; /* the job's stdout and stderr */
	struct stat stores[2];	/* where its checkpoints are, and the site's directory for all of the user's */
	struct cr_tree trees[ROLLBACK_MOST];
	struct cr_tree_plan plans[ROLLBACK_MOST];
};

/* ---- what is not part of a directory, wherever it lies ---- */

static bool is_one_of(const struct stat *st, const struct stat two[2])
{
	return (st->st_ino == two[0].st_ino && st->st_dev == two[0].st_dev) ||
	       (st->st_ino == two[1].st_ino && st->st_dev == two[1].st_dev);
}

/* The checkpoints of some job: JOBID/batch.0 with a journal. */
static bool is_store(int dir, const char *name)
{
	char path[NAME_MAX + 32];
	struct stat st;

	if (strspn(name, "0123456789") != strlen(name))
		return false;
	snprintf(path, sizeof(path), "%s/batch.0/journal.jsonl", name);
	return fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* stdout and stderr where they were at the checkpoint: Slurm may have other ones now. */
static bool was_stream(const struct cr_manifest *m, const char *name, const struct stat *st)
{
	for (size_t i = 0; m && i < m->n_outputs; i++) {
		const struct cr_manifest_output *o = &m->outputs[i];
		const char *slash = strrchr(o->path, '/');

		if (o->saved && (strcmp(o->saved, "files/stdout") == 0 || strcmp(o->saved, "files/stderr") == 0) &&
		    o->ino == st->st_ino && slash && strcmp(slash + 1, name) == 0)
			return true;
	}
	return false;
}

static enum cr_tree_left leave(void *arg, int dir, const char *name, const struct stat *st)
{
	const struct keeper *k = arg;

	if (S_ISDIR(st->st_mode))
		return is_one_of(st, k->stores) || is_store(dir, name) ? CR_TREE_LEFT : CR_TREE_TAKEN;
	/* what NFS makes of a file that is removed while it is open: to criu a file without a name */
	if (strncmp(name, ".nfs0", 5) == 0)
		return CR_TREE_LEFT;
	/* what Slurm has opened for this run may have been another run's (%N), and so be in the archive */
	return is_one_of(st, k->streams) || was_stream(k->m, name, st) ? CR_TREE_STAYS : CR_TREE_TAKEN;
}

static void keeper_init(struct keeper *k, const struct job *job)
{
	memset(k, 0, sizeof(*k));
	k->job = job;
	/* one that is not there stays zero, which is no file's inode */
	for (int i = 0; i < 2; i++)
		(void)fstat(i + 1, &k->streams[i]);
	(void)stat(job->dir, &k->stores[0]);
	(void)stat(job->site_dir, &k->stores[1]);
	for (size_t i = 0; i < ROLLBACK_MOST; i++) {
		k->trees[i] = CR_TREE_NONE;
		k->plans[i] = CR_TREE_PLAN_NONE;
	}
}

static int path_add(struct keeper *k, const char *path, struct cr_error *err)
{
	if (k->n == ROLLBACK_MOST)
		return cr_error_set(err, E2BIG, OPTION ": more than %d directories", ROLLBACK_MOST);
	k->paths[k->n] = strdup(path);
	return k->paths[k->n++] ? 0 : cr_error_sys(err, ENOMEM, OPTION);
}

static void keeper_clear(struct keeper *k)
{
	for (size_t i = 0; i < k->n; i++)
		free(k->paths[i]);
}

static int number_check(const struct keeper *k, uint64_t i, struct cr_error *err)
{
	return i < k->n ? 0 : cr_error_set(err, EPROTO, OPTION ": there is no directory %" PRIu64, i);
}

/* ---- saving, in the process ---- */

/* How many names directory i may have. */
static size_t names_left(const struct keeper *k, size_t i)
{
	size_t sum = 0;

	for (size_t n = 0; n < k->n; n++)
		sum += n == i ? 0 : k->trees[n].n;
	return sum < ROLLBACK_NAMES ? ROLLBACK_NAMES - sum : 1;
}

static int tree_list(struct keeper *k, size_t i, struct cr_error *err)
{
	struct cr_tree *tree = &k->trees[i];

	cr_tree_close(tree);
	if (cr_tree_open(tree, k->paths[i], getuid(), err) < 0)
		return cr_error_prefix(err, OPTION);
	tree->most = names_left(k, i);
	if (cr_tree_list(tree, leave, k, err) < 0) {
		if (err->errnum == EFBIG)
			cr_error_set(err, EFBIG, "more than %d names%s", ROLLBACK_NAMES,
				     k->n > 1 ? ", with the other directories" : "");
		return cr_error_prefix(err, OPTION ": %s", k->paths[i]);
	}
	if (tree->entries[0].left)
		return cr_error_set(err, EINVAL, OPTION ": %s is where the checkpoints are kept", k->paths[i]);
	return 0;
}

/* Of all that have been listed. */
static int limit_check(const struct keeper *k, struct cr_error *err)
{
	uint64_t limit = k->job->rollback_limit, sum = 0;

	for (size_t i = 0; i < k->n; i++)
		sum += k->trees[i].bytes;
	if (limit == 0 || sum <= limit)
		return 0;
	return cr_error_set(err, EFBIG,
			    OPTION ": %s%s hold%s %" PRIu64 " MiB, and the site allows %" PRIu64
				   " MiB (rollback_limit)",
			    k->paths[0], k->n > 1 ? " and the others" : "", k->n > 1 ? "" : "s",
			    (sum + (1u << 20) - 1) >> 20, limit >> 20);
}

static int clones_path(const struct keeper *k, size_t i, char *path, struct cr_error *err)
{
	if (snprintf(path, PATH_MAX, "%s/" CLONES "/%zu", k->dir, i) >= PATH_MAX)
		return cr_error_sys(err, ENAMETOOLONG, "%s", k->dir);
	return 0;
}

/* Not durable: after a crash they are of no use. */
static int clones_make(const struct keeper *k, const char *path, struct cr_error *err)
{
	char all[PATH_MAX];

	snprintf(all, sizeof(all), "%s/" CLONES, k->dir);
	if ((mkdir(all, 0700) < 0 && errno != EEXIST) || mkdir(path, 0700) < 0)
		return cr_error_sys(err, errno, "%s", path);
	return 0;
}

static int clones_remove(const struct keeper *k, const char *path, struct cr_error *err)
{
	char all[PATH_MAX];

	if (cr_fs_remove_tree(path, err) < 0)
		return -1;
	snprintf(all, sizeof(all), "%s/" CLONES, k->dir);
	(void)rmdir(all); /* with the last */
	return 0;
}

/* Returns 1, 0 when that cannot be done here, -1. */
static int tree_clone(struct keeper *k, size_t i, struct cr_error *err)
{
	char path[PATH_MAX];
	cleanup_close int clones = -1;
	int rc;

	if (clones_path(k, i, path, err) < 0 || clones_make(k, path, err) < 0)
		return -1;
	clones = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (clones < 0)
		return cr_error_sys(err, errno, "%s", path);
	rc = cr_tree_clone(&k->trees[i], clones, err);
	return rc == 0 && clones_remove(k, path, err) < 0 ? -1 : rc;
}

static int list_serve(struct keeper *k, const struct imgproc_message *m, struct imgproc_message *answer,
		      struct cr_error *err)
{
	size_t i = (size_t)m->value[0];
	int cloned = 0;

	if (number_check(k, m->value[0], err) < 0 || tree_list(k, i, err) < 0 || limit_check(k, err) < 0)
		return -1;
	if (m->value[1])
		cloned = tree_clone(k, i, err);
	if (cloned < 0)
		return cr_error_prefix(err, OPTION ": %s", k->paths[i]);
	answer->type = IMGPROC_LISTED;
	answer->value[0] = k->trees[i].n;
	answer->value[1] = k->trees[i].bytes;
	answer->value[2] = (uint64_t)cloned;
	return 0;
}

/* value[1]: from the clones, which go then. */
static int save_serve(struct keeper *k, const struct imgproc_message *m, int out, struct imgproc_message *answer,
		      struct cr_error *err)
{
	size_t i = (size_t)m->value[0];
	cleanup_close int clones = -1;
	char path[PATH_MAX];

	if (number_check(k, m->value[0], err) < 0 || clones_path(k, i, path, err) < 0)
		return -1;
	if (m->value[1]) {
		clones = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (clones < 0)
			return cr_error_sys(err, errno, "%s", path);
	}
	if (cr_tree_save(&k->trees[i], clones, out, err) < 0)
		return cr_error_prefix(err, OPTION ": %s", k->paths[i]);
	answer->value[0] = k->trees[i].moved;
	cr_tree_close(&k->trees[i]);
	if (m->value[1] && clones_remove(k, path, err) < 0)
		return -1;
	answer->type = IMGPROC_STREAMED;
	return 0;
}

/* ---- restoring, in the process ---- */

static int restore_serve(struct keeper *k, const struct imgproc_message *m, int in, struct imgproc_message *answer,
			 struct cr_error *err)
{
	size_t i = (size_t)m->value[0];
	struct cr_tree_plan *plan;
	int rc;

	if (number_check(k, m->value[0], err) < 0)
		return -1;
	plan = &k->plans[i];
	rc = m->value[1] == PHASE_COMPARE ? cr_tree_compare(plan, k->paths[i], getuid(), leave, k, in, err)
					  : cr_tree_apply(plan, in, err);
	if (rc < 0)
		return cr_error_prefix(err, OPTION ": %s", k->paths[i]);
	answer->type = IMGPROC_STREAMED;
	answer->value[0] = plan->remove;
	answer->value[1] = plan->change;
	return 0;
}

/* ---- the process ---- */

static int request_serve(struct keeper *k, int control, struct cr_error *err)
{
	struct imgproc_message m, answer = {0};
	cleanup_close int fd = -1;

	if (imgproc_receive(control, &m, &fd, -1, err) < 0)
		_exit(0); /* the worker is gone */
	if (m.type == IMGPROC_LIST) {
		if (list_serve(k, &m, &answer, err) < 0)
			return -1;
	} else if (m.type != IMGPROC_STREAM || fd < 0) {
		return cr_error_set(err, EPROTO, "the worker said %u", m.type);
	} else if ((k->m ? restore_serve : save_serve)(k, &m, fd, &answer, err) < 0) {
		return -1;
	}
	/* whoever reads what was written is to see its end before the answer */
	if (fd >= 0)
		close(fd);
	fd = -1;
	return imgproc_send(control, &answer, -1, err);
}

static void keeper_main(int control, void *arg)
{
	struct imgproc_message ready = {.type = IMGPROC_READY};
	struct keeper *k = arg;
	struct cr_error err;
	int64_t until;
	int rc = 0;

	(void)prctl(PR_SET_NAME, "crrollback"); /* for ps and top */
	for (size_t i = 0; !k->m && rc == 0 && i < k->n; i++)
		rc = tree_list(k, i, &err);
	for (size_t i = 0; i < k->n; i++)
		ready.value[0] += k->trees[i].bytes;
	if (rc == 0 && !k->m)
		rc = limit_check(k, &err);
	until = cr_time_clock_ns(CLOCK_MONOTONIC) + SYNC_MS * INT64_C(1000000);
	for (size_t i = 0; k->running && rc == 0 && i < k->n; i++)
		cr_tree_write_back(&k->trees[i], until);
	if (rc == 0)
		rc = imgproc_send(control, &ready, -1, &err);
	while (rc == 0)
		rc = request_serve(k, control, &err);
	imgproc_fail(control, &err);
	_exit(0);
}

/* ---- the worker's side ---- */

/* What the process says, or its end, is the reason, and not what others saw of it; unless it was the writer that
 * left it alone. capture may be NULL. Returns -1. */
static int keeper_failed(struct rollback *r, const char *path, struct capture *capture, struct cr_error *err)
{
	int own = imgproc_failure(&r->proc, IMGPROC_WORDS_MS, err);

	if (capture && (!own || err->errnum == EPIPE) && imgproc_failure(&capture->proc, IMGPROC_WORDS_MS, err))
		return -1;
	if (!own && err->errnum == EPIPE)
		cr_error_set(err, EPIPE, PROCESS " ended without a word");
	if ((own || err->errnum == EPIPE) && strncmp(err->text, OPTION, sizeof(OPTION) - 1) != 0)
		return cr_error_prefix(err, OPTION ": %s", path);
	return -1;
}

static int keeper_start(struct rollback *r, struct keeper *k, struct cr_error *err)
{
	struct imgproc_message m;

	if (imgproc_start(&r->proc, -1, keeper_main, k, err) < 0)
		return -1;
	r->proc.what = PROCESS;
	if (imgproc_expect(&r->proc, IMGPROC_READY, &m, err) < 0)
		return keeper_failed(r, k->paths[0], NULL, err);
	r->bytes = m.value[0];
	return imgproc_untraced(&r->proc, err);
}

int rollback_start(struct rollback *r, const struct job *job, const char *dir, bool running, struct cr_error *err)
{
	cleanup_free struct keeper *k = calloc(1, sizeof(*k));
	const char *at = job->rollback;
	char path[PATH_MAX];
	int rc;

	*r = (struct rollback){.proc.fd = -1, .job = job, .list = job->rollback};
	if (!*at)
		return 0;
	if (!k)
		return cr_error_sys(err, ENOMEM, OPTION);
	keeper_init(k, job);
	k->dir = dir;
	k->running = running;
	while ((rc = cr_pathlist_next(&at, path, sizeof(path), err)) > 0 && (rc = path_add(k, path, err)) == 0)
		;
	if (rc == 0)
		rc = keeper_start(r, k, err);
	keeper_clear(k);
	return rc;
}

/* Have the process write directory i to a stream. token may be NULL. */
static int stream_save(struct rollback *r, size_t i, bool cloned, struct capture *capture, struct cr_token *token,
		       struct cr_error *err)
{
	struct imgproc_message m = {.type = IMGPROC_STREAM, .value = {i, cloned}};
	char name[sizeof(ROLLBACK_STREAMS) + 16];
	cleanup_close int out = -1;
	int rc;

	snprintf(name, sizeof(name), ROLLBACK_STREAMS "%zu", i);
	out = capture_stream(capture, name, err);
	if (out < 0 || imgproc_send(r->proc.fd, &m, out, err) < 0)
		return -1;
	close(out);
	out = -1;
	while ((rc = imgproc_receive(r->proc.fd, &m, NULL, CR_TOKEN_BEAT_MS, err)) == 0) {
		if (token && token->held)
			(void)cr_token_beat(token, NULL);
	}
	if (rc < 0 || imgproc_want(&m, IMGPROC_STREAMED, err) < 0)
		return -1;
	if (m.value[0] > 0)
		job_log(r->job, 1,
			"rollback: somebody outside of the job wrote %" PRIu64
			" files of directory %zu while they were saved",
			m.value[0], i);
	return 0;
}

static int dir_record(struct rollback *r, const struct job *job, size_t i, const char *path,
		      struct capture *capture, bool clones, struct cr_error *err)
{
	int64_t from = cr_time_clock_ns(CLOCK_MONOTONIC);
	struct imgproc_message m = {.type = IMGPROC_LIST, .value = {i, clones}};
	bool cloned;

	if (imgproc_send(r->proc.fd, &m, -1, err) < 0 || imgproc_expect(&r->proc, IMGPROC_LISTED, &m, err) < 0)
		return -1;
	cloned = m.value[2] != 0;
	if (cloned)
		r->late |= UINT32_C(1) << i;
	else if (stream_save(r, i, false, capture, NULL, err) < 0)
		return -1;
	job_log(job, 1,
		"rollback: %s: %" PRIu64 " names, %" PRIu64 " bytes, %s in %" PRId64
		" ms while the job stood still",
		path, m.value[0], m.value[1], cloned ? "cloned" : "read",
		(cr_time_clock_ns(CLOCK_MONOTONIC) - from) / 1000000);
	return 0;
}

int rollback_record(struct rollback *r, const struct job *job, struct cr_manifest *m, struct capture *capture,
		    bool clones, struct cr_error *err)
{
	const char *at = job->rollback;
	char path[PATH_MAX], name[sizeof(ROLLBACK_STREAMS) + 16];
	int rc;

	for (size_t i = 0; (rc = cr_pathlist_next(&at, path, sizeof(path), err)) > 0; i++) {
		snprintf(name, sizeof(name), ROLLBACK_STREAMS "%zu", i);
		if (dir_record(r, job, i, path, capture, clones, err) < 0)
			return keeper_failed(r, path, capture, err);
		if (cr_manifest_add_rollback(m, path, name, err) < 0)
			return -1;
	}
	return rc;
}

int rollback_late(struct rollback *r, struct capture *capture, struct cr_token *token, struct cr_error *err)
{
	char path[PATH_MAX] = "";
	const char *at = r->list;
	int rc;

	if (!r->late)
		return 0;
	rc = capture_late(capture, true, err);
	for (size_t i = 0; rc == 0 && cr_pathlist_next(&at, path, sizeof(path), NULL) > 0; i++) {
		if (r->late & UINT32_C(1) << i)
			rc = stream_save(r, i, true, capture, token, err);
	}
	r->late = 0;
	return rc == 0 ? capture_barrier(capture, err) : keeper_failed(r, path, capture, err);
}

void rollback_end(struct rollback *r)
{
	imgproc_end(&r->proc);
}

/* ---- restore ---- */

/* Let the process read directory i's archive once. */
static int stream_read(struct rollback *r, const struct cr_manifest *m, size_t i, int phase, struct source *source,
		       struct imgproc_message *answer, struct cr_error *err)
{
	const struct imgproc_message request = {.type = IMGPROC_STREAM, .value = {i, (uint64_t)phase}};
	cleanup_close int in = source_stream(source, m->rollbacks[i].stream, err);

	if (in < 0)
		return -1;
	if (imgproc_send(r->proc.fd, &request, in, err) < 0)
		return keeper_failed(r, m->rollbacks[i].path, NULL, err);
	close(in);
	in = -1;
	if (imgproc_expect(&r->proc, IMGPROC_STREAMED, answer, err) < 0)
		return keeper_failed(r, m->rollbacks[i].path, NULL, err);
	return source_streamed(source, err);
}

static int dirs_compare(struct rollback *r, const struct job *job, const struct cr_manifest *m,
			struct source *source, struct cr_error *err)
{
	struct imgproc_message answer;

	for (size_t i = 0; i < m->n_rollbacks; i++) {
		if (stream_read(r, m, i, PHASE_COMPARE, source, &answer, err) < 0)
			return -1;
		if (answer.value[0] > 0 || answer.value[1] > 0)
			r->differs |= UINT32_C(1) << i;
		job_log(job, 1, "rollback: %s: %" PRIu64 " names to remove, %" PRIu64 " to put back",
			m->rollbacks[i].path, answer.value[0], answer.value[1]);
	}
	return 0;
}

int rollback_compare(struct rollback *r, const struct job *job, const struct cr_manifest *m, struct source *source,
		     struct cr_error *err)
{
	cleanup_free struct keeper *k = NULL;
	int rc = 0;

	*r = (struct rollback){.proc.fd = -1};
	if (m->n_rollbacks == 0)
		return 0;
	k = calloc(1, sizeof(*k));
	if (!k)
		return cr_error_sys(err, ENOMEM, OPTION);
	keeper_init(k, job);
	k->m = m;
	for (size_t i = 0; rc == 0 && i < m->n_rollbacks; i++)
		rc = path_add(k, m->rollbacks[i].path, err);
	if (rc == 0)
		rc = keeper_start(r, k, err);
	keeper_clear(k);
	return rc < 0 ? -1 : dirs_compare(r, job, m, source, err);
}

int rollback_apply(struct rollback *r, const struct cr_manifest *m, struct source *source, struct cr_error *err)
{
	struct imgproc_message answer;

	for (size_t i = 0; i < m->n_rollbacks; i++) {
		if ((r->differs & UINT32_C(1) << i) && stream_read(r, m, i, PHASE_APPLY, source, &answer, err) < 0)
			return -1;
	}
	return 0;
}
