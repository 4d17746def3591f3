/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* store_remove.c - what goes, and in which order, so that no crash leaves half of it under its name
 *
 * A generation goes first, durably; then the packs that no generation names any more.
 */

#include "store.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "fs.h"
#include "store_entry.h"

static void clear_manifest(struct cr_manifest *m)
{
	cr_manifest_clear(m);
}
#define cleanup_manifest __attribute__((cleanup(clear_manifest)))

static void free_numbers(const struct cr_store_numbers *numbers)
{
	free(numbers->items);
}
#define cleanup_numbers __attribute__((cleanup(free_numbers)))

static bool entry_exists(const struct cr_store *s, enum cr_store_entry kind, uint32_t generation)
{
	char path[PATH_MAX];
	struct stat st;

	cr_store_entry_path(s, kind, generation, path);
	/* when in doubt it does */
	return lstat(path, &st) == 0 || errno != ENOENT;
}

/* Out of sight durably, then gone. kind: ENTRY_COMMITTED or ENTRY_BAD. */
static int remove_generation(const struct cr_store *s, enum cr_store_entry kind, uint32_t generation,
			     struct cr_error *err)
{
	char path[PATH_MAX], del[PATH_MAX];

	cr_store_entry_path(s, kind, generation, path);
	cr_store_entry_path(s, ENTRY_DEL, generation, del);
	if (cr_fs_remove_tree(del, err) < 0) /* of an earlier try */
		return -1;
	if (cr_fs_rename(path, del, err) < 0 || cr_fs_sync_dir(s->dir, err) < 0)
		return -1;
	return cr_fs_remove_tree(del, err);
}

/* ---- packs ---- */

struct packs {
	const struct cr_store *s;
	bool tmp_goes;		      /* what is being written is not: it is left by a crash */
	struct cr_store_numbers kept; /* named by a manifest, or the own pack of what is there */
	bool unknown;		      /* somebody's manifest cannot be read */
	cr_store_leftover each;
	void *arg;
};

static int packs_keep(enum cr_store_entry kind, uint32_t generation, void *arg, struct cr_error *err)
{
	cleanup_manifest struct cr_manifest m = {0};
	struct packs *packs = arg;
	char path[PATH_MAX];

	if (kind == ENTRY_DEL || (kind == ENTRY_TMP && packs->tmp_goes))
		return 0;
	if (cr_store_numbers_add(&packs->kept, generation, err) < 0)
		return -1;
	if (kind == ENTRY_TMP)
		return 0;
	cr_store_entry_path(packs->s, kind, generation, path);
	if (cr_manifest_read(&m, path, NULL) < 0) {
		packs->unknown = true;
		return 0;
	}
	for (size_t i = 0; i < m.n_packs; i++) {
		uint32_t number = m.packs[i].generation;

		if (!cr_store_numbers_have(&packs->kept, number) &&
		    cr_store_numbers_add(&packs->kept, number, err) < 0)
			return -1;
	}
	return 0;
}

static int packs_drop(enum cr_store_entry kind, uint32_t generation, void *arg, struct cr_error *err)
{
	const struct packs *packs = arg;
	char path[PATH_MAX];

	if (cr_store_numbers_have(&packs->kept, generation))
		return 0;
	cr_store_entry_path(packs->s, kind, generation, path);
	return packs->each(path, packs->arg, err);
}

/* Call each for the packs that nobody refers to. While a manifest cannot be read (damaged, or of a later
 * version's), what it refers to is not known, and none of them is to go. */
static int packs_each(const struct cr_store *s, bool tmp_goes, cr_store_leftover each, void *arg,
		      struct cr_error *err)
{
	struct packs packs = {.s = s, .tmp_goes = tmp_goes, .each = each, .arg = arg};
	int rc = cr_store_scan(s, packs_keep, &packs, err);

	if (rc == 0 && !packs.unknown)
		rc = cr_store_scan_packs(s, packs_drop, &packs, err);
	free(packs.kept.items);
	return rc;
}

static int leftover_remove(const char *path, void *arg, struct cr_error *err)
{
	(void)arg;
	return cr_fs_remove_tree(path, err);
}

/* ---- one that failed ---- */

int cr_store_abort(const struct cr_store *s, uint32_t generation, struct cr_error *err)
{
	char tmp[PATH_MAX], pack[PATH_MAX];

	cr_store_tmp_path(s, generation, tmp);
	if (cr_fs_remove_tree(tmp, err) < 0)
		return -1;
	if (entry_exists(s, ENTRY_COMMITTED, generation) || entry_exists(s, ENTRY_BAD, generation))
		return 0;
	/* a commit that failed half-way, and could not move it back */
	cr_store_pack_path(s, generation, pack);
	return cr_fs_unlink(pack, err);
}

/* ---- what is old ---- */

/* Does its manifest say this run? One that cannot be read may be of any run. */
static bool is_of_run(const struct cr_store *s, uint32_t generation, uint32_t run)
{
	cleanup_manifest struct cr_manifest m = {0};
	char path[PATH_MAX];

	cr_store_path(s, generation, path);
	return cr_manifest_read(&m, path, NULL) == 0 && m.run == run;
}

static int bad_add(enum cr_store_entry kind, uint32_t generation, void *arg, struct cr_error *err)
{
	return kind == ENTRY_BAD ? cr_store_numbers_add(arg, generation, err) : 0;
}

/* Remove every NNNNNN.bad below oldest: as many good ones as are kept are newer. */
static int prune_bad(const struct cr_store *s, uint32_t oldest, struct cr_error *err)
{
	cleanup_numbers struct cr_store_numbers bad = {0};

	if (cr_store_scan(s, bad_add, &bad, err) < 0)
		return -1;
	for (size_t i = 0; i < bad.n; i++)
		if (bad.items[i] < oldest && remove_generation(s, ENTRY_BAD, bad.items[i], err) < 0)
			return -1;
	return 0;
}

int cr_store_prune(const struct cr_store *s, uint32_t run, int keep, struct cr_error *err)
{
	cleanup_free uint32_t *generations = NULL;
	uint32_t oldest = 0; /* of those kept */
	size_t n = 0;

	if (keep < 1)
		return cr_error_set(err, EINVAL, "at least one checkpoint must be kept, not %d", keep);
	if (cr_store_list(s, &generations, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (!is_of_run(s, generations[i], run))
			continue;
		if (keep > 0) {
			if (--keep == 0)
				oldest = generations[i];
			continue;
		}
		if (remove_generation(s, ENTRY_COMMITTED, generations[i], err) < 0)
			return -1;
	}
	if (prune_bad(s, oldest, err) < 0)
		return -1;
	return packs_each(s, false, leftover_remove, NULL, err);
}

int cr_store_set_aside_one(const struct cr_store *s, uint32_t generation, struct cr_error *err)
{
	char from[PATH_MAX], to[PATH_MAX];

	cr_store_path(s, generation, from);
	cr_store_entry_path(s, ENTRY_BAD, generation, to);
	if (cr_fs_remove_tree(to, err) < 0)
		return -1;
	return cr_fs_rename(from, to, err);
}

int cr_store_set_aside(const struct cr_store *s, uint32_t generation, struct cr_error *err)
{
	cleanup_free uint32_t *list = NULL;
	size_t n = 0;

	if (cr_store_list(s, &list, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n && list[i] > generation; i++) {
		if (cr_store_set_aside_one(s, list[i], err) < 0)
			return -1;
	}
	return cr_fs_sync_dir(s->dir, err);
}

/* ---- what a crash left ---- */

struct leftovers {
	const struct cr_store *s;
	cr_store_leftover each;
	void *arg;
};

static int leftover_entry(enum cr_store_entry kind, uint32_t generation, void *arg, struct cr_error *err)
{
	const struct leftovers *l = arg;
	char path[PATH_MAX];

	if (kind != ENTRY_TMP && kind != ENTRY_DEL)
		return 0;
	cr_store_entry_path(l->s, kind, generation, path);
	return l->each(path, l->arg, err);
}

static int leftover_dirs(const struct cr_store *s, cr_store_leftover each, void *arg, struct cr_error *err)
{
	struct leftovers l = {.s = s, .each = each, .arg = arg};

	return cr_store_scan(s, leftover_entry, &l, err);
}

int cr_store_leftovers(const struct cr_store *s, cr_store_leftover each, void *arg, struct cr_error *err)
{
	if (leftover_dirs(s, each, arg, err) < 0)
		return -1;
	return packs_each(s, true, each, arg, err);
}

int cr_store_sweep(const struct cr_store *s, struct cr_error *err)
{
	return cr_store_leftovers(s, leftover_remove, NULL, err);
}

/* ---- everything ---- */

static int clear_generations(const struct cr_store *s, struct cr_error *err)
{
	cleanup_numbers struct cr_store_numbers bad = {0};
	cleanup_free uint32_t *generations = NULL;
	size_t n = 0;

	if (cr_store_scan(s, bad_add, &bad, err) < 0 || cr_store_list(s, &generations, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < bad.n; i++)
		if (remove_generation(s, ENTRY_BAD, bad.items[i], err) < 0)
			return -1;
	/* the oldest first: if this is cut short, what is left is the best */
	while (n-- > 0)
		if (remove_generation(s, ENTRY_COMMITTED, generations[n], err) < 0)
			return -1;
	return 0;
}

int cr_store_clear(const struct cr_store *s, struct cr_error *err)
{
	static const char *const rest[] = {"packs", "failed"};
	char path[PATH_MAX + 8];

	if (clear_generations(s, err) < 0 || leftover_dirs(s, leftover_remove, NULL, err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", s->dir, rest[i]);
		if (cr_fs_remove_tree(path, err) < 0)
			return -1;
	}
	return cr_fs_sync_dir(s->dir, err);
}
