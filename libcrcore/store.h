/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* store.h - the checkpoints of one part of a job on shared storage
 *
 *   DIR/JOBID/PART/          PART is step and node rank: "batch.0"
 *     000007/                a committed generation: manifest.json, manifest.seal, index
 *     packs/000007.pack      chunks that generation 7 added; later ones refer to them too
 *     000006.bad/            newer than the one that the job was restored from: kept, not used
 *     .000008.tmp/           being written; means nothing to anybody
 *     .000005.del/           being removed
 *     failed/                dump.log and restore.log of the newest failures
 *     journal.jsonl          one JSON object a line: restored, failed, fresh, …
 *     crinit.log
 *
 * A generation exists from the rename of its directory on: every byte in it and in the packs it names was synced
 * before. What is committed is never changed afterwards, only removed as a whole; a pack goes when no generation
 * names it any more. All of it belongs to the job's user.
 */

#ifndef CR_STORE_H
#define CR_STORE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "error.h"
#include "manifest.h"
#include "timefmt.h"

struct cr_store {
	char dir[PATH_MAX]; /* DIR/JOBID/PART */
};

/* Open the part's directory below dir. With create, make what is missing (mode 0700), refuse a directory
 * that is not uid's own, and try that it can be written. Without, uid is not looked at, and a part that does
 * not exist is the error ENOENT; a symbolic link in place of the job's or the part's directory is refused. */
int cr_store_open(struct cr_store *s, const char *dir, uint32_t job, const char *part, uid_t uid, bool create,
		  struct cr_error *err);

/* Absolute path of a committed generation's directory, of its temporary one, or of the pack of what it added. buf
 * has PATH_MAX bytes. */
void cr_store_path(const struct cr_store *s, uint32_t generation, char *buf);
void cr_store_tmp_path(const struct cr_store *s, uint32_t generation, char *buf);
void cr_store_pack_path(const struct cr_store *s, uint32_t generation, char *buf);

/* The committed generations, newest first, into a malloc'ed array that the caller frees. Says nothing of
 * their soundness. */
int cr_store_list(const struct cr_store *s, uint32_t **generations, size_t *n, struct cr_error *err);

/* The next unused generation number: above every one that has a directory, a pack or a line in the journal. */
int cr_store_next(const struct cr_store *s, uint32_t *generation, struct cr_error *err);

/* Make the temporary directory of a generation (mode 0700); buf gets its path. */
int cr_store_begin(const struct cr_store *s, uint32_t generation, char *buf, struct cr_error *err);

/* Write manifest.json and manifest.seal (seal may be NULL: none) into the temporary directory, sync everything in
 * it, move its file "pack", if there is one, to packs/, rename the directory into place; the directories are
 * synced in between. After 0 the generation survives anything; after -1 it is still (or again) a temporary one,
 * for cr_store_abort. */
int cr_store_commit(const struct cr_store *s, const struct cr_manifest *m, const char *text, const char *seal,
		    struct cr_error *err);

/* Remove the temporary directory (fine when there is none), and the pack of that number unless the generation is
 * a committed one. */
int cr_store_abort(const struct cr_store *s, uint32_t generation, struct cr_error *err);

/* Remove all but the newest keep generations among those whose manifest says this run, every NNNNNN.bad that keep
 * of them are newer than, and the packs that nobody refers to then. Generations of other runs, and ones whose
 * manifest cannot be read, are left alone; as long as there is one of the latter, so are all packs. */
int cr_store_prune(const struct cr_store *s, uint32_t run, int keep, struct cr_error *err);

/* Rename every committed generation above generation to NNNNNN.bad: the job went on from an older one, and what
 * they hold is not its past any more. They stay for whoever wants to know why, and count nowhere. */
int cr_store_set_aside(const struct cr_store *s, uint32_t generation, struct cr_error *err);

/* The same of this one alone. */
int cr_store_set_aside_one(const struct cr_store *s, uint32_t generation, struct cr_error *err);

/* Remove what a crash left behind: .tmp and .del directories, and packs as cr_store_prune does. */
int cr_store_sweep(const struct cr_store *s, struct cr_error *err);

/* Call each for the absolute path of everything that cr_store_sweep removes, until it returns -1. */
typedef int (*cr_store_leftover)(const char *path, void *arg, struct cr_error *err);
int cr_store_leftovers(const struct cr_store *s, cr_store_leftover each, void *arg, struct cr_error *err);

/* Remove every checkpoint and all that belongs to one: generations (the oldest first), .bad, .tmp, packs, failed/.
 * The journal and crinit.log stay. */
int cr_store_clear(const struct cr_store *s, struct cr_error *err);

/* Append one event to the journal and sync it. */
struct cr_journal_event {
	const char *event;   /* "start", "restored", "failed", "fresh", "restore-failed", "unable" */
	uint32_t generation; /* 0 when none */
	uint32_t run;
	uint32_t restart;
	const char *node;
	const char *time;   /* RFC 3339 UTC */
	const char *reason; /* may be NULL */
	const char *text;   /* error or remark, may be NULL */
	int64_t ms;	    /* duration of the restore, or -1 */
	int64_t clock_ms;   /* CLOCK_MONOTONIC of who wrote it: within the job's namespaces the job's; 0: not known
			     */
};
int cr_journal_append(const struct cr_store *s, const struct cr_journal_event *event, struct cr_error *err);

/* The reason of a "start" that slurmctld has confirmed: starts of before that were counted higher are over. */
#define CR_JOURNAL_CONFIRMED "confirmed"

/* Call each for every readable line, oldest first; lines torn by a crash are skipped. A return other than 0
 * ends the walk and is returned. No journal is an empty one. The event's strings live until each returns. */
int cr_journal_each(const struct cr_store *s, int (*each)(const struct cr_journal_event *event, void *arg),
		    void *arg, struct cr_error *err);

#endif
