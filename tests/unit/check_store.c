/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "generation.h"
#include "unit.h"

#include "../../libcrcore/cleanup.h"
#include "../../libcrcore/fs.h"
#include "../../libcrcore/store.h"

static struct cr_store store;

static void open_store(void)
{
	struct cr_error err = {0};

	unit_assert_ok(cr_store_open(&store, unit_dir, 4711, "batch.0", geteuid(), true, &err), &err);
}

/* name below the part's directory */
static const char *part_path(const char *name)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "4711/batch.0/%s", name);
	return unit_path(path);
}

static void part_write(const char *name, const char *text)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "4711/batch.0/%s", name);
	unit_write(path, text);
}

/* A generation with a pack of its own, that refers to others as well. */
static void commit_packs(uint32_t generation, uint32_t run, const uint32_t *packs)
{
	struct cr_manifest m = generation_manifest(generation, run);
	cleanup_free char *text = NULL;
	struct cr_error err = {0};
	char dir[PATH_MAX], name[64];

	unit_assert_ok(cr_store_begin(&store, generation, dir, &err), &err);
	for (; packs && *packs; packs++)
		unit_assert_ok(cr_manifest_add_pack(&m, &(struct cr_manifest_pack){.generation = *packs}, &err),
			       &err);
	if (m.n_packs > 0) {
		(void)snprintf(name, sizeof(name), ".%06u.tmp/pack", generation);
		part_write(name, "chunks");
	}
	unit_assert_ok(cr_manifest_encode(&m, &text, &err), &err);
	unit_assert_ok(cr_store_commit(&store, &m, text, "MUNGE:x:", &err), &err);
	free(m.packs);
}
#define PACKS(...) ((const uint32_t[]){__VA_ARGS__, 0})

static void commit(uint32_t generation, uint32_t run)
{
	commit_packs(generation, run, NULL);
}

/* The committed generations as "3 2 1". */
static const char *listed(void)
{
	static char text[256];
	cleanup_free uint32_t *generations = NULL;
	struct cr_error err = {0};
	size_t n = 77;

	unit_assert_ok(cr_store_list(&store, &generations, &n, &err), &err);
	text[0] = '\0';
	for (size_t i = 0; i < n; i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%u", i ? " " : "",
			       generations[i]);
	return text;
}

static bool in_store(const char *name)
{
	struct stat st;

	return lstat(part_path(name), &st) == 0;
}

/* The packs there are, as "000001 000002". */
static const char *packs_there(void)
{
	static char text[256];

	text[0] = '\0';
	for (int i = 1; i < 40; i++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "packs/%06d.pack", i);
		if (in_store(name))
			(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%d", *text ? " " : "",
				       i);
	}
	return text;
}

static void make(const char *name)
{
	char path[256];
	struct cr_error err = {0};

	(void)snprintf(path, sizeof(path), "4711/batch.0/%s", name);
	unit_assert_ok(cr_fs_mkdirs(unit_path(path), 0700, &err), &err);
}

START_TEST(opening)
{
	struct cr_error err = {0};
	struct cr_store s;
	struct stat st;
	char buf[PATH_MAX];

	ck_assert_int_eq(cr_store_open(&s, unit_dir, 4711, "batch.0", geteuid(), false, &err), -1);
	unit_assert_error(&err, ENOENT, "4711");
	open_store();
	ck_assert_str_eq(store.dir, unit_path("4711/batch.0"));
	ck_assert_int_eq(stat(store.dir, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	ck_assert_int_eq(stat(unit_path("4711"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	open_store();
	unit_assert_ok(cr_store_open(&s, unit_dir, 4711, "batch.0", 77, false, &err), &err);
	ck_assert_int_eq(cr_store_open(&s, unit_dir, 4711, "0.0", geteuid(), false, &err), -1);
	unit_assert_error(&err, ENOENT, "0.0");
	cr_store_path(&store, 7, buf);
	ck_assert_str_eq(buf, unit_path("4711/batch.0/000007"));
	cr_store_path(&store, UINT32_MAX, buf);
	ck_assert_str_eq(buf, unit_path("4711/batch.0/4294967295"));
	cr_store_tmp_path(&store, 8, buf);
	ck_assert_str_eq(buf, unit_path("4711/batch.0/.000008.tmp"));
	cr_store_pack_path(&store, 9, buf);
	ck_assert_str_eq(buf, unit_path("4711/batch.0/packs/000009.pack"));
	/* the try left nothing */
	ck_assert_int_eq(rmdir(store.dir), 0);
}
END_TEST

START_TEST(open_refuses)
{
	static const char *const parts[] = {"", "..", ".", "a/b", "/x", "a b"};
	char deep[PATH_MAX];
	struct cr_error err = {0};
	struct cr_store s;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		ck_assert_int_eq(cr_store_open(&s, unit_dir, 1, parts[i], geteuid(), true, &err), -1);
		unit_assert_error(&err, EINVAL, "no name of a part");
	}
	ck_assert_int_eq(cr_store_open(&s, "relative", 1, "x", geteuid(), true, &err), -1);
	unit_assert_error(&err, EINVAL, "absolute");
	ck_assert_int_eq(cr_store_open(&s, "", 1, "x", geteuid(), true, &err), -1);
	memset(deep, 'x', sizeof(deep) - 1);
	deep[0] = '/';
	deep[sizeof(deep) - 1] = '\0';
	ck_assert_int_eq(cr_store_open(&s, deep, 1, "x", geteuid(), true, &err), -1);
	unit_assert_error(&err, ENAMETOOLONG, "xxx");
	deep[sizeof(deep) - 100] = '\0';
	ck_assert_int_eq(cr_store_open(&s, deep, 1, "x", geteuid(), true, &err), -1);
	unit_assert_error(&err, ENAMETOOLONG, "xxx");
	ck_assert_int_eq(cr_store_open(&s, unit_dir, 1, "x", geteuid() + 1, true, &err), -1);
	unit_assert_error(&err, EPERM, "belongs to uid");
	unit_drop_root();
	ck_assert_int_eq(mkdir(unit_path("2"), 0500), 0);
	ck_assert_int_eq(cr_store_open(&s, unit_dir, 2, "x", geteuid(), true, &err), -1);
	unit_assert_error(&err, EACCES, "2/x");
	ck_assert_int_eq(mkdir(unit_path("3"), 0700), 0);
	ck_assert_int_eq(mkdir(unit_path("3/x"), 0500), 0);
	ck_assert_int_eq(cr_store_open(&s, unit_dir, 3, "x", geteuid(), true, &err), -1);
	unit_assert_error(&err, EACCES, "cannot write in");
}
END_TEST

START_TEST(open_planted)
{
	struct cr_error err = {0};
	struct cr_store s;

	ck_assert_int_eq(mkdir(unit_path("victim"), 0700), 0);
	ck_assert_int_eq(mkdir(unit_path("victim/x"), 0700), 0);
	ck_assert_int_eq(symlink("victim", unit_path("1")), 0);
	ck_assert_int_eq(cr_store_open(&s, unit_dir, 1, "x", geteuid(), true, &err), -1);
	unit_assert_error(&err, ELOOP, "symbolic link");
	ck_assert_int_eq(cr_store_open(&s, unit_dir, 1, "x", geteuid(), false, &err), -1);
	ck_assert_int_eq(cr_store_open(&s, unit_dir, 1, "new", geteuid(), true, &err), -1);
	ck_assert(!unit_exists("victim/new"));
	ck_assert_int_eq(mkdir(unit_path("2"), 0700), 0);
	ck_assert_int_eq(symlink("../victim", unit_path("2/x")), 0);
	ck_assert_int_eq(cr_store_open(&s, unit_dir, 2, "x", geteuid(), true, &err), -1);
	ck_assert_int_eq(cr_store_open(&s, unit_dir, 2, "x", geteuid(), false, &err), -1);
	/* someone prepared it, open to himself */
	ck_assert_int_eq(mkdir(unit_path("3"), 0700), 0);
	ck_assert_int_eq(chmod(unit_path("3"), 0777), 0);
	ck_assert_int_eq(cr_store_open(&s, unit_dir, 3, "x", geteuid(), true, &err), -1);
	unit_assert_error(&err, EPERM, "written by others");
	ck_assert(!unit_exists("3/x"));
}
END_TEST

START_TEST(order)
{
	open_store();
	ck_assert_str_eq(listed(), "");
	commit(9, 1);
	commit(2, 1);
	commit(1000000, 1);
	commit(999999, 1);
	commit(10, 1);
	ck_assert_str_eq(listed(), "1000000 999999 10 9 2");
	for (const char *const *name =
		     (const char *const[]){"0", "000000", "7", "00007", "0000007", "-00007", "+00007", " 00007",
					   "000007x", "000007.tmp", ".000007", ".000007.tmp", ".000007.del",
					   "4294967296", "99999999999999999999999", "failed", "0x0007", NULL};
	     *name; name++)
		make(*name);
	unit_write("4711/batch.0/000077", "a file");
	ck_assert_int_eq(symlink("000009", unit_path("4711/batch.0/000078")), 0);
	ck_assert_str_eq(listed(), "1000000 999999 10 9 2");
}
END_TEST

/* Storage that answers with an error for a moment: that is no empty store. */
START_TEST(what_cannot_be_looked_at_is_there)
{
	struct cr_error err = {0};
	uint32_t *generations, generation;
	size_t n;

	open_store();
	commit(1, 1);
	/* its names can be read, and no more */
	ck_assert_int_eq(chmod(unit_dir, 0755), 0);
	ck_assert_int_eq(chmod(unit_path("4711"), 0755), 0);
	ck_assert_int_eq(chmod(store.dir, 0444), 0);
	if (geteuid() == 0)
		ck_assert_int_eq(seteuid(UNIT_NOBODY), 0);
	ck_assert_int_eq(cr_store_list(&store, &generations, &n, &err), -1);
	unit_assert_error(&err, EACCES, "/000001");
	ck_assert_int_eq(cr_store_next(&store, &generation, &err), -1);
	unit_assert_error(&err, EACCES, "/000001");
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(chmod(store.dir, 0700), 0);
	ck_assert_str_eq(listed(), "1");
}
END_TEST

START_TEST(next)
{
	struct cr_journal_event event = {.event = "failed", .generation = 40, .node = "n1", .time = "t", .ms = -1};
	struct cr_error err = {0};
	uint32_t generation = 0;

	open_store();
	unit_assert_ok(cr_store_next(&store, &generation, &err), &err);
	ck_assert_uint_eq(generation, 1);
	commit(3, 1);
	unit_assert_ok(cr_store_next(&store, &generation, &err), &err);
	ck_assert_uint_eq(generation, 4);
	make(".000007.tmp");
	unit_assert_ok(cr_store_next(&store, &generation, &err), &err);
	ck_assert_uint_eq(generation, 8);
	make(".000009.del");
	unit_assert_ok(cr_store_next(&store, &generation, &err), &err);
	ck_assert_uint_eq(generation, 10);
	unit_assert_ok(cr_journal_append(&store, &event, &err), &err);
	event.generation = 0;
	unit_assert_ok(cr_journal_append(&store, &event, &err), &err);
	unit_assert_ok(cr_store_next(&store, &generation, &err), &err);
	ck_assert_uint_eq(generation, 41);
	make("000042.bad");
	unit_assert_ok(cr_store_next(&store, &generation, &err), &err);
	ck_assert_uint_eq(generation, 43);
	make("packs");
	part_write("packs/000044.pack", "x");
	make("packs/000077.pack");
	part_write("packs/78.pack", "x");
	unit_assert_ok(cr_store_next(&store, &generation, &err), &err);
	ck_assert_uint_eq(generation, 45);
	make("4294967295");
	ck_assert_int_eq(cr_store_next(&store, &generation, &err), -1);
	unit_assert_error(&err, EOVERFLOW, "no generation number");
	ck_assert_int_eq(rename(store.dir, unit_path("away")), 0);
	ck_assert_int_eq(cr_store_next(&store, &generation, &err), -1);
	unit_assert_error(&err, ENOENT, "cannot list");
}
END_TEST

START_TEST(begin_and_commit)
{
	struct cr_manifest m = generation_manifest(1, 1);
	cleanup_free char *text = NULL;
	struct cr_error err = {0};
	char dir[PATH_MAX];
	struct stat st;

	open_store();
	unit_assert_ok(cr_store_begin(&store, 1, dir, &err), &err);
	ck_assert_str_eq(dir, unit_path("4711/batch.0/.000001.tmp"));
	ck_assert(in_store(".000001.tmp"));
	ck_assert(!in_store(".000001.tmp/images"));
	ck_assert_int_eq(cr_store_begin(&store, 1, dir, &err), -1);
	unit_assert_error(&err, EEXIST, "000001.tmp");
	part_write(".000001.tmp/index", "x");
	part_write(".000001.tmp/pack", "chunks");
	ck_assert_str_eq(listed(), "");
	unit_assert_ok(cr_store_commit(&store, &m, "text\n", "seal", &err), &err);
	ck_assert(!in_store(".000001.tmp"));
	ck_assert_str_eq(listed(), "1");
	ck_assert(in_store("000001/index"));
	ck_assert(!in_store("000001/pack"));
	unit_assert_ok(cr_fs_read(part_path("packs/000001.pack"), 100, &text, NULL, &err), &err);
	ck_assert_str_eq(text, "chunks");
	free(text);
	text = NULL;
	ck_assert_int_eq(stat(part_path("packs"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	unit_assert_ok(cr_fs_read(unit_path("4711/batch.0/000001/manifest.json"), 100, &text, NULL, &err), &err);
	ck_assert_str_eq(text, "text\n");
	free(text);
	text = NULL;
	unit_assert_ok(cr_fs_read(unit_path("4711/batch.0/000001/manifest.seal"), 100, &text, NULL, &err), &err);
	ck_assert_str_eq(text, "seal");
	m.generation = 2;
	unit_assert_ok(cr_store_begin(&store, 2, dir, &err), &err);
	unit_assert_ok(cr_store_commit(&store, &m, "text\n", NULL, &err), &err);
	ck_assert(!in_store("000002/manifest.seal"));
	ck_assert(!in_store("packs/000002.pack"));
	ck_assert_str_eq(listed(), "2 1");
}
END_TEST

START_TEST(commit_fails)
{
	struct cr_manifest m = generation_manifest(1, 1);
	struct cr_error err = {0};
	char dir[PATH_MAX];

	open_store();
	ck_assert_int_eq(cr_store_commit(&store, &m, "text", NULL, &err), -1);
	unit_assert_error(&err, ENOENT, "manifest.json");
	/* what is committed is never replaced, not even where rename would */
	make("000001");
	unit_assert_ok(cr_store_begin(&store, 1, dir, &err), &err);
	ck_assert_int_eq(cr_store_commit(&store, &m, "text", NULL, &err), -1);
	unit_assert_error(&err, EEXIST, "000001");
	ck_assert(in_store(".000001.tmp"));
	ck_assert(!in_store("000001/manifest.json"));
	/* a link planted for the manifest is not written through */
	m.generation = 2;
	unit_assert_ok(cr_store_begin(&store, 2, dir, &err), &err);
	unit_write("victim", "precious");
	ck_assert_int_eq(symlink(unit_path("victim"), unit_path("4711/batch.0/.000002.tmp/manifest.json")), 0);
	ck_assert_int_eq(cr_store_commit(&store, &m, "text", NULL, &err), -1);
	unit_assert_error(&err, ELOOP, "manifest.json");
	ck_assert_str_eq(listed(), "1");
}
END_TEST

START_TEST(commit_of_pack_fails)
{
	struct cr_manifest m = generation_manifest(1, 1);
	struct cr_error err = {0};
	char dir[PATH_MAX];

	open_store();
	unit_assert_ok(cr_store_begin(&store, 1, dir, &err), &err);
	part_write(".000001.tmp/pack", "new");
	make("packs");
	part_write("packs/000001.pack", "old");
	ck_assert_int_eq(cr_store_commit(&store, &m, "text", NULL, &err), -1);
	unit_assert_error(&err, EEXIST, "packs/000001.pack");
	ck_assert(in_store(".000001.tmp/pack"));
	/* an abort takes the pack along, as long as nobody is committed under the number */
	unit_assert_ok(cr_store_abort(&store, 1, &err), &err);
	ck_assert(!in_store("packs/000001.pack") && !in_store(".000001.tmp"));
	unit_assert_ok(cr_fs_remove_tree(part_path("packs"), &err), &err);
	unit_assert_ok(cr_store_begin(&store, 1, dir, &err), &err);
	part_write(".000001.tmp/pack", "new");
	part_write("packs", "in the way");
	ck_assert_int_eq(cr_store_commit(&store, &m, "text", NULL, &err), -1);
	unit_assert_error(&err, ENOTDIR, "packs");
	ck_assert(in_store(".000001.tmp/pack"));
	ck_assert_int_eq(unlink(part_path("packs")), 0);
	/* neither a link nor a directory can be a pack */
	ck_assert_int_eq(rename(part_path(".000001.tmp/pack"), part_path("p")), 0);
	ck_assert_int_eq(symlink("../p", part_path(".000001.tmp/pack")), 0);
	ck_assert_int_eq(cr_store_commit(&store, &m, "text", NULL, &err), -1);
	unit_assert_error(&err, EINVAL, "not a regular file");
	ck_assert_str_eq(listed(), "");
	ck_assert_int_eq(rename(part_path("p"), part_path(".000001.tmp/pack")), 0);
	unit_assert_ok(cr_store_commit(&store, &m, "text", NULL, &err), &err);
	ck_assert_str_eq(listed(), "1");
}
END_TEST

START_TEST(commit_takes_its_pack_back)
{
	struct cr_manifest m = generation_manifest(1, 1);
	struct cr_error err = {0};
	char dir[PATH_MAX];

	unit_drop_root();
	open_store();
	unit_assert_ok(cr_store_begin(&store, 1, dir, &err), &err);
	part_write(".000001.tmp/pack", "new");
	make("packs");
	ck_assert_int_eq(chmod(store.dir, 0500), 0);
	ck_assert_int_eq(cr_store_commit(&store, &m, "text", NULL, &err), -1);
	unit_assert_error(&err, EACCES, "cannot rename");
	ck_assert(in_store(".000001.tmp/pack"));
	ck_assert(!in_store("packs/000001.pack"));
	ck_assert_int_eq(chmod(store.dir, 0700), 0);
	unit_assert_ok(cr_store_commit(&store, &m, "text", NULL, &err), &err);
	ck_assert(in_store("packs/000001.pack"));
}
END_TEST

START_TEST(aborting)
{
	struct cr_error err = {0};
	char dir[PATH_MAX];

	open_store();
	unit_assert_ok(cr_store_abort(&store, 5, &err), &err);
	unit_assert_ok(cr_store_begin(&store, 5, dir, &err), &err);
	part_write(".000005.tmp/pack", "x");
	make(".000005.tmp/deep/er");
	unit_assert_ok(cr_store_abort(&store, 5, &err), &err);
	ck_assert(!in_store(".000005.tmp"));
	/* never a committed one, nor its pack */
	commit_packs(8, 1, PACKS(8));
	commit_packs(9, 1, PACKS(8, 9));
	unit_assert_ok(cr_store_set_aside(&store, 8, &err), &err);
	unit_assert_ok(cr_store_abort(&store, 8, &err), &err);
	unit_assert_ok(cr_store_abort(&store, 9, &err), &err);
	ck_assert_str_eq(listed(), "8");
	ck_assert_str_eq(packs_there(), "8 9");
	ck_assert(in_store("000009.bad"));
}
END_TEST

START_TEST(pruning)
{
	struct cr_error err = {0};

	open_store();
	commit(1, 1);
	commit(2, 1);
	for (uint32_t generation = 3; generation <= 7; generation++)
		commit(generation, 2);
	make("000008"); /* no manifest */
	make("000009");
	unit_write("4711/batch.0/000009/manifest.json", "{ torn");
	make(".000003.del/old");
	ck_assert_int_eq(cr_store_prune(&store, 2, 0, &err), -1);
	unit_assert_error(&err, EINVAL, "at least one");
	ck_assert_int_eq(cr_store_prune(&store, 2, -1, &err), -1);
	unit_assert_ok(cr_store_prune(&store, 2, 5, &err), &err);
	ck_assert_str_eq(listed(), "9 8 7 6 5 4 3 2 1");
	unit_assert_ok(cr_store_prune(&store, 2, 2, &err), &err);
	ck_assert_str_eq(listed(), "9 8 7 6 2 1");
	ck_assert(!in_store(".000003.del"));
	ck_assert(!in_store(".000005.del"));
	unit_assert_ok(cr_store_prune(&store, 3, 1, &err), &err);
	ck_assert_str_eq(listed(), "9 8 7 6 2 1");
	unit_assert_ok(cr_store_prune(&store, 1, 1, &err), &err);
	ck_assert_str_eq(listed(), "9 8 7 6 2");
}
END_TEST

START_TEST(pruning_packs)
{
	struct cr_error err = {0};

	open_store();
	commit_packs(1, 1, PACKS(1));
	commit_packs(2, 1, PACKS(1, 2));
	commit_packs(3, 1, PACKS(1, 3));
	unit_assert_ok(cr_store_prune(&store, 1, 2, &err), &err);
	ck_assert_str_eq(listed(), "3 2");
	ck_assert_str_eq(packs_there(), "1 2 3"); /* both refer to the first */
	commit_packs(4, 1, PACKS(3, 4));
	unit_assert_ok(cr_store_prune(&store, 1, 2, &err), &err);
	ck_assert_str_eq(packs_there(), "1 3 4");
	commit_packs(5, 1, PACKS(3, 5));
	unit_assert_ok(cr_store_prune(&store, 1, 2, &err), &err);
	ck_assert_str_eq(packs_there(), "3 4 5");
	/* what is being written keeps what it may have put in place; what is no pack is not touched */
	make(".000007.tmp");
	part_write("packs/000007.pack", "x");
	part_write("packs/000008.pack", "x");
	part_write("packs/9.pack", "x");
	part_write("packs/000009.pack.x", "x");
	make("packs/000010.pack");
	unit_assert_ok(cr_store_prune(&store, 1, 2, &err), &err);
	ck_assert_str_eq(packs_there(), "3 4 5 7 10");
	ck_assert(in_store("packs/9.pack") && in_store("packs/000009.pack.x"));
	unit_assert_ok(cr_store_sweep(&store, &err), &err);
	ck_assert_str_eq(packs_there(), "3 4 5 10");
}
END_TEST

/* Whose manifest cannot be read may refer to any pack. */
START_TEST(packs_of_the_unknown)
{
	static const char *const manifests[] = {"{ torn", "", "{\"format\": 3}", NULL};
	static const char *const dirs[] = {"000003", "000003.bad"};
	struct cr_error err = {0};

	open_store();
	commit_packs(1, 1, PACKS(1));
	make("packs");
	for (size_t d = 0; d < 2; d++) {
		for (size_t i = 0; i < 4; i++) {
			char path[64];

			make(dirs[d]);
			(void)snprintf(path, sizeof(path), "%s/manifest.json", dirs[d]);
			if (manifests[i])
				part_write(path, manifests[i]);
			part_write("packs/000002.pack", "x");
			unit_assert_ok(cr_store_sweep(&store, &err), &err);
			unit_assert_ok(cr_store_prune(&store, 1, 1, &err), &err);
			ck_assert_str_eq(packs_there(), "1 2");
			unit_assert_ok(cr_fs_remove_tree(part_path(dirs[d]), &err), &err);
			unit_assert_ok(cr_store_sweep(&store, &err), &err);
			ck_assert_str_eq(packs_there(), "1");
		}
	}
	/* nor is anything done through a link in place of the packs */
	unit_assert_ok(cr_fs_remove_tree(part_path("packs"), &err), &err);
	ck_assert_int_eq(mkdir(unit_path("victim"), 0700), 0);
	unit_write("victim/000002.pack", "precious");
	ck_assert_int_eq(symlink("../../victim", part_path("packs")), 0);
	ck_assert_int_eq(cr_store_sweep(&store, &err), -1);
	ck_assert(unit_exists("victim/000002.pack"));
}
END_TEST

START_TEST(setting_aside)
{
	struct cr_error err = {0};
	uint32_t *list = NULL;
	size_t n = 0;

	open_store();
	for (uint32_t generation = 1; generation <= 3; generation++)
		commit(generation, 1);
	unit_assert_ok(cr_store_set_aside(&store, 3, &err), &err);
	unit_assert_ok(cr_store_set_aside(&store, 1, &err), &err);
	unit_assert_ok(cr_store_list(&store, &list, &n, &err), &err);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(list[0], 1);
	free(list);
	ck_assert(in_store("000002.bad") && in_store("000003.bad"));
	/* once more under the same number: the newer one stays */
	commit(2, 1);
	unit_assert_ok(cr_store_set_aside(&store, 1, &err), &err);
	unit_assert_ok(cr_store_sweep(&store, &err), &err);
	ck_assert(in_store("000002.bad") && !in_store("000002"));
}
END_TEST

START_TEST(pruning_what_was_set_aside)
{
	struct cr_error err = {0};

	open_store();
	commit_packs(1, 1, PACKS(1));
	commit_packs(2, 1, PACKS(1, 2));
	commit_packs(3, 1, PACKS(2, 3));
	unit_assert_ok(cr_store_set_aside(&store, 1, &err), &err);
	unit_assert_ok(cr_store_sweep(&store, &err), &err);
	ck_assert_str_eq(packs_there(), "1 2 3");
	commit_packs(4, 1, PACKS(1, 4));
	unit_assert_ok(cr_store_prune(&store, 1, 2, &err), &err);
	ck_assert(in_store("000002.bad") && in_store("000003.bad"));
	/* of another run: does not count */
	commit_packs(5, 2, PACKS(5));
	unit_assert_ok(cr_store_prune(&store, 1, 2, &err), &err);
	ck_assert(in_store("000002.bad") && in_store("000003.bad"));
	commit_packs(6, 1, PACKS(1, 6));
	unit_assert_ok(cr_store_prune(&store, 1, 2, &err), &err);
	ck_assert(!in_store("000002.bad") && !in_store("000003.bad") && !in_store(".000002.del"));
	ck_assert_str_eq(listed(), "6 5 4");
	ck_assert_str_eq(packs_there(), "1 4 5 6");
}
END_TEST

START_TEST(clearing)
{
	struct cr_journal_event event = {.event = "completed", .generation = 4, .node = "n1", .time = "t"};
	struct cr_error err = {0};

	open_store();
	unit_assert_ok(cr_store_clear(&store, &err), &err);
	commit_packs(1, 1, PACKS(1));
	commit_packs(2, 1, PACKS(1, 2));
	unit_assert_ok(cr_store_set_aside(&store, 1, &err), &err);
	commit_packs(3, 2, PACKS(1, 3));
	make("000004");
	make(".000005.tmp/x");
	make(".000006.del/x");
	make("failed");
	make("packs/x");
	part_write("failed/dump.log", "x");
	part_write("crinit.log", "x");
	unit_assert_ok(cr_journal_append(&store, &event, &err), &err);
	unit_assert_ok(cr_store_clear(&store, &err), &err);
	ck_assert(in_store("journal.jsonl") && in_store("crinit.log"));
	ck_assert_int_eq(unlink(part_path("journal.jsonl")), 0);
	ck_assert_int_eq(unlink(part_path("crinit.log")), 0);
	ck_assert_int_eq(rmdir(store.dir), 0); /* nothing else was left */
	ck_assert_int_eq(cr_store_clear(&store, &err), -1);
	unit_assert_error(&err, ENOENT, "cannot list");
}
END_TEST

START_TEST(sweeping)
{
	struct cr_error err = {0};

	open_store();
	commit(1, 1);
	make(".000002.tmp/images");
	unit_write("4711/batch.0/.000002.tmp/images/pages.img", "half");
	make(".000003.del/images");
	make("failed");
	make(".other.tmp");
	make(".2.tmp");
	unit_write("4711/batch.0/.000004.tmp", "a file");
	ck_assert_int_eq(mkdir(unit_path("victim"), 0700), 0);
	ck_assert_int_eq(symlink("../../victim", unit_path("4711/batch.0/.000005.tmp")), 0);
	unit_assert_ok(cr_store_sweep(&store, &err), &err);
	ck_assert(!in_store(".000002.tmp"));
	ck_assert(!in_store(".000003.del"));
	ck_assert(in_store("failed"));
	ck_assert(in_store(".other.tmp"));
	ck_assert(in_store(".2.tmp"));
	ck_assert(unit_exists("victim"));
	ck_assert_str_eq(listed(), "1");
	unit_assert_ok(cr_store_sweep(&store, &err), &err);
}
END_TEST

static int leftover(const char *path, void *arg, struct cr_error *err)
{
	char *text = arg;

	(void)err;
	(void)snprintf(text + strlen(text), 256 - strlen(text), "%s ", path + strlen(store.dir) + 1);
	return 0;
}

START_TEST(leftovers)
{
	struct cr_error err = {0};
	char text[256] = "";

	open_store();
	commit_packs(1, 1, PACKS(1));
	make(".000002.tmp");
	make("packs");
	part_write("packs/000002.pack", "x");
	unit_assert_ok(cr_store_leftovers(&store, leftover, text, &err), &err);
	ck_assert_str_eq(text, ".000002.tmp packs/000002.pack ");
	/* only told */
	ck_assert(in_store(".000002.tmp"));
	ck_assert_str_eq(packs_there(), "1 2");
}
END_TEST

START_TEST(times)
{
	char buf[32], small[5];
	int64_t now;

	ck_assert_str_eq(cr_time_format(0, buf, sizeof(buf)), "1970-01-01T00:00:00.000Z");
	ck_assert_str_eq(cr_time_format(1772368496789000000, buf, sizeof(buf)), "2026-03-01T12:34:56.789Z");
	ck_assert_str_eq(cr_time_format(999999999, buf, sizeof(buf)), "1970-01-01T00:00:00.999Z");
	ck_assert_str_eq(cr_time_format(-1, buf, sizeof(buf)), "1969-12-31T23:59:59.999Z");
	ck_assert_str_eq(cr_time_format(INT64_MAX, buf, sizeof(buf)), "2262-04-11T23:47:16.854Z");
	ck_assert_str_eq(cr_time_format(INT64_MIN, buf, sizeof(buf)), "1677-09-21T00:12:43.145Z");
	ck_assert_str_eq(cr_time_format(0, small, sizeof(small)), "1970");
	now = cr_time_now_ns();
	ck_assert_int_gt(now, 1700000000000000000);
	ck_assert_int_ge(cr_time_now_ns(), now);
}
END_TEST

UNIT_MAIN("store", {opening, true}, {open_refuses, true}, {open_planted, true}, {order, true},
	  {what_cannot_be_looked_at_is_there, true}, {next, true}, {begin_and_commit, true}, {commit_fails, true},
	  {commit_of_pack_fails, true}, {commit_takes_its_pack_back, true}, {aborting, true}, {pruning, true},
	  {pruning_packs, true}, {packs_of_the_unknown, true}, {setting_aside, true},
	  {pruning_what_was_set_aside, true}, {clearing, true}, {sweeping, true}, {leftovers, true},
	  {times, false})
