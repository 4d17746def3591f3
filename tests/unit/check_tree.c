/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include <archive.h>
#include <archive_entry.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "../../libcrcore/tree.h"

/* The tree is unit_dir/d, its archive unit_dir/a.tar. */

static void sh(const char *command)
{
	ck_assert_int_eq(setenv("UNIT_DIR", unit_dir, 1), 0);
	ck_assert_msg(system(command) == 0, "%s", command);
}

/* with: a directory for clones, or NULL. Returns whether they were made. */
static int save(const char *with)
{
	struct cr_tree tree;
	struct cr_error err;
	int out = open(unit_path("a.tar"), O_WRONLY | O_CREAT | O_TRUNC, 0600), clones = -1, rc = 0;

	ck_assert_int_ge(out, 0);
	unit_assert_ok(cr_tree_open(&tree, unit_path("d"), getuid(), &err), &err);
	unit_assert_ok(cr_tree_list(&tree, NULL, NULL, &err), &err);
	if (with) {
		ck_assert_int_eq(mkdir(with, 0700), 0);
		clones = open(with, O_RDONLY | O_DIRECTORY);
		rc = cr_tree_clone(&tree, clones, &err);
		ck_assert_int_ge(rc, 0);
	}
	unit_assert_ok(cr_tree_save(&tree, rc ? clones : -1, out, &err), &err);
	cr_tree_close(&tree);
	ck_assert_int_eq(close(out), 0);
	if (clones >= 0)
		close(clones);
	return rc;
}

static int compare_with(struct cr_tree_plan *plan, cr_tree_leave leave, struct cr_error *err)
{
	int in = open(unit_path("a.tar"), O_RDONLY), rc;

	rc = cr_tree_compare(plan, unit_path("d"), getuid(), leave, NULL, in, err);
	close(in);
	return rc;
}

static void expect_plan(size_t remove, size_t change)
{
	struct cr_tree_plan plan;
	struct cr_error err;

	unit_assert_ok(compare_with(&plan, NULL, &err), &err);
	ck_assert_uint_eq(plan.remove, remove);
	ck_assert_uint_eq(plan.change, change);
	cr_tree_plan_clear(&plan);
}

static void restore_with(cr_tree_leave leave)
{
	struct cr_tree_plan plan;
	struct cr_error err;
	int in = open(unit_path("a.tar"), O_RDONLY);

	unit_assert_ok(compare_with(&plan, leave, &err), &err);
	unit_assert_ok(cr_tree_apply(&plan, in, &err), &err);
	close(in);
	cr_tree_plan_clear(&plan);
}

/* As it was: all that tells one tree from another, but the inodes of what was made anew. */
#define SHOW                                                                                                      \
	"(find . -printf '%p %y %m %n %T@ %l ' \\( -type f -printf '%s\\n' -o -printf '\\n' \\); find . -type f " \
	"! -perm 0 -exec sha256sum {} +) | LC_ALL=C sort"

static void remember(void)
{
	sh("cd \"$UNIT_DIR/d\" && " SHOW " >\"$UNIT_DIR/was\"");
}

static void expect_same(void)
{
	sh("cd \"$UNIT_DIR/d\" && " SHOW " | diff \"$UNIT_DIR/was\" - >&2");
}

static void make(void)
{
	sh("cd \"$UNIT_DIR\" && mkdir -p d/sub/deep d/empty d/other && cd d && echo one >one && echo two >sub/two "
	   "&& "
	   "seq 100000 >log && ln one sub/hard && ln -s ../one sub/soft && ln -s nowhere dangling && mkfifo pipe "
	   "&& "
	   "chmod 640 one && chmod 444 sub/two && chmod 750 sub && : >nothing && "
	   "printf x | dd of=holes bs=1 seek=100M 2>/dev/null && truncate -s 200M holes && "
	   "truncate -s 10M allhole && printf y >\"$(printf 'b\\303\\244\\377 \\n:\\t')\" && "
	   "touch -d '2001-02-03 04:05:06.789012345' log sub other one && "
	   "touch -d '1969-12-31 23:59:58.25 UTC' nothing");
	remember();
}

/* ---- there and back ---- */

static enum cr_tree_left leave_keep(void *arg, int dir, const char *name, const struct stat *st)
{
	(void)arg;
	(void)dir;
	(void)st;
	if (strcmp(name, "stream") == 0)
		return CR_TREE_STAYS;
	return strcmp(name, "keep") == 0 ? CR_TREE_LEFT : CR_TREE_TAKEN;
}

START_TEST(unchanged)
{
	make();
	save(NULL);
	expect_plan(0, 0);
	restore_with(NULL);
	expect_same();
}
END_TEST

START_TEST(everything_changed)
{
	struct stat before, after;

	make();
	save(NULL);
	ck_assert_int_eq(stat(unit_path("d/log"), &before), 0);
	sh("cd \"$UNIT_DIR/d\" && echo more >>log && echo ONE >one && rm sub/two && rmdir empty && mkdir new && "
	   "echo n >new/n && ln -sfn /etc sub/soft && chmod 700 sub && mv other renamed && rm pipe && echo p "
	   ">pipe && "
	   "printf z | dd of=holes bs=1 seek=50M conv=notrunc 2>/dev/null && rm dangling && mkdir dangling && "
	   "echo x >dangling/x && rm -r sub/deep && ln -s / sub/deep && echo gone >nothing && chmod 500 new");
	restore_with(NULL);
	expect_same();
	expect_plan(0, 0);
	/* the same file still, for whoever has it open */
	ck_assert_int_eq(stat(unit_path("d/log"), &after), 0);
	ck_assert_uint_eq(before.st_ino, after.st_ino);
	ck_assert_int_eq(stat(unit_path("d/holes"), &after), 0);
	ck_assert_int_lt(after.st_blocks * 512, 10 << 20);
}
END_TEST

START_TEST(all_gone)
{
	make();
	save(NULL);
	sh("cd \"$UNIT_DIR/d\" && find . -mindepth 1 -delete");
	restore_with(NULL);
	expect_same();
}
END_TEST

/* sed -i, and a name that leads to a file outside: neither it nor what is outside is written through it */
START_TEST(replaced)
{
	sh("mkdir \"$UNIT_DIR/d\" && cd \"$UNIT_DIR/d\" && echo a >a && echo b >b && echo c >c && echo mine "
	   ">../mine");
	remember();
	save(NULL);
	sh("cd \"$UNIT_DIR/d\" && sed -i s/a/A/ a && ln -f ../mine b && ln -sf ../mine c");
	restore_with(NULL);
	expect_same();
	sh("[ \"$(cat \"$UNIT_DIR/mine\")\" = mine ]");
}
END_TEST

/* The storage fails in the middle; whoever tries again finishes it. */
START_TEST(interrupted)
{
	struct rlimit limit = {.rlim_cur = 4096, .rlim_max = RLIM_INFINITY};
	struct cr_tree_plan plan;
	struct cr_error err;
	int in;

	make();
	save(NULL);
	sh("cd \"$UNIT_DIR/d\" && echo x >extra && rm one && rm log && echo changed >sub/hard");
	in = open(unit_path("a.tar"), O_RDONLY);
	unit_assert_ok(compare_with(&plan, NULL, &err), &err);
	ck_assert_ptr_ne(signal(SIGXFSZ, SIG_IGN), SIG_ERR);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_lt(cr_tree_apply(&plan, in, &err), 0);
	unit_assert_error(&err, EFBIG, "writing log");
	limit.rlim_cur = RLIM_INFINITY;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_tree_plan_clear(&plan);
	close(in);
	restore_with(NULL);
	expect_same();
}
END_TEST

/* mtime alone is not trusted, either way */
START_TEST(times)
{
	sh("mkdir \"$UNIT_DIR/d\" && cd \"$UNIT_DIR/d\" && echo a >a && echo b >b");
	remember();
	save(NULL);
	sh("cd \"$UNIT_DIR/d\" && touch -r a ../stamp && echo X >a && touch -r ../stamp a && touch -d 2001-01-01 "
	   "b");
	restore_with(NULL);
	expect_same();
}
END_TEST

START_TEST(hard_links)
{
	sh("mkdir \"$UNIT_DIR/d\" && cd \"$UNIT_DIR/d\" && echo a >a && ln a b && ln a c && echo d >d");
	remember();
	save(NULL);
	sh("cd \"$UNIT_DIR/d\" && rm b && echo b >b && echo more >>a && ln d e && rm d");
	restore_with(NULL);
	expect_same();
	sh("cd \"$UNIT_DIR/d\" && [ a -ef b ] && [ a -ef c ]");
	sh("cd \"$UNIT_DIR/d\" && rm a && echo a >a");
	restore_with(NULL);
	sh("cd \"$UNIT_DIR/d\" && [ a -ef b ] && [ a -ef c ]");
}
END_TEST

/* What somebody links to is his, though it has the same content: neither mode nor time of it is ours. */
START_TEST(linked_together)
{
	sh("mkdir \"$UNIT_DIR/d\" && cd \"$UNIT_DIR/d\" && echo x >A && echo x >B && chmod 600 B");
	remember();
	save(NULL);
	sh("cd \"$UNIT_DIR/d\" && ln -f A B");
	restore_with(NULL);
	expect_same();
	sh("cd \"$UNIT_DIR/d\" && [ ! A -ef B ] && ln -f B A");
	restore_with(NULL);
	expect_same();
	sh("cd \"$UNIT_DIR/d\" && [ ! A -ef B ]");
	expect_plan(0, 0);
}
END_TEST

START_TEST(linked_to_outside)
{
	sh("mkdir \"$UNIT_DIR/d\" && cd \"$UNIT_DIR/d\" && echo x >A && ln A B && echo x >../outside && chmod 777 "
	   "../outside && touch -d 2001-01-01 ../outside");
	remember();
	save(NULL);
	sh("cd \"$UNIT_DIR/d\" && ln -f ../outside A && ln -f ../outside B");
	restore_with(NULL);
	expect_same();
	sh("cd \"$UNIT_DIR\" && [ \"$(stat -c '%a %h %y' outside | cut -c-16)\" = '777 1 2001-01-01' ] && [ d/A "
	   "-ef d/B ]");
	expect_plan(0, 0);
}
END_TEST

/* One page of a large file: no other is written. */
START_TEST(little_written)
{
	struct rlimit limit = {.rlim_cur = 65536, .rlim_max = RLIM_INFINITY};

	sh("mkdir \"$UNIT_DIR/d\" && cd \"$UNIT_DIR/d\" && seq 200000 >f");
	remember();
	save(NULL);
	sh("cd \"$UNIT_DIR/d\" && printf changed | dd of=f bs=1 seek=5000 conv=notrunc 2>/dev/null");
	ck_assert_ptr_ne(signal(SIGXFSZ, SIG_IGN), SIG_ERR);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	restore_with(NULL);
	limit.rlim_cur = RLIM_INFINITY;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	expect_same();
}
END_TEST

/* A file of a size that no file system has room for, which is no hole in the archive. */
START_TEST(no_room)
{
	struct cr_tree_plan plan;
	struct cr_error err;

	sh("mkdir \"$UNIT_DIR/d\" && echo a >\"$UNIT_DIR/d/a\" && truncate -s 300M \"$UNIT_DIR/d/f\"");
	ck_assert_int_eq(mkdir(unit_path("small"), 0700), 0);
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", unit_path("small"), "tmpfs", 0, "size=1M") < 0) {
		(void)fprintf(stderr, "SKIP no_room: no file system can be mounted here: %s\n", strerror(errno));
		return;
	}
	sh("head -c 3M /dev/urandom >\"$UNIT_DIR/d/big\"");
	save(NULL);
	sh("rm -r \"$UNIT_DIR/d\" && mkdir \"$UNIT_DIR/small/d\" && echo kept >\"$UNIT_DIR/small/d/kept\"");
	{
		int in = open(unit_path("a.tar"), O_RDONLY);

		ck_assert_int_lt(cr_tree_compare(&plan, unit_path("small/d"), getuid(), NULL, NULL, in, &err), 0);
		close(in);
	}
	unit_assert_error(&err, ENOSPC, "4 MiB have to be written");
	cr_tree_plan_clear(&plan);
	sh("[ -s \"$UNIT_DIR/small/d/kept\" ] && umount \"$UNIT_DIR/small\"");
}
END_TEST

/* ---- any names ---- */

static unsigned int seed;

static unsigned int some(unsigned int n)
{
	seed = seed * 1103515245u + 12345u;
	return (seed >> 8) % n;
}

static void name_make(char *name)
{
	static const unsigned int lengths[] = {1, 5, 20, 95, 99, 100, 101, 140, 155, 156, 200, 254, 255};
	unsigned int n = lengths[some(sizeof(lengths) / sizeof(lengths[0]))];

	for (unsigned int i = 0; i < n; i++) {
		do
			name[i] = (char)(some(3) ? 'a' + (int)some(26) : 1 + (int)some(255));
		while (name[i] == '/' || (n <= 2 && name[i] == '.'));
	}
	name[n] = '\0';
}

static void something_make(int dir, const char *name, unsigned int depth)
{
	static char first[NAME_MAX + 1];
	static int first_dir = -1;
	int fd;

	switch (some(depth < 5 ? 8 : 6)) {
	case 0: /* fails for what came in another directory, which is fine */
		if (first_dir == dir && linkat(dir, first, dir, name, 0) == 0)
			return;
		break;
	case 1:
		ck_assert_int_eq(symlinkat(first, dir, name), first[0] ? 0 : -1);
		return;
	case 2:
		ck_assert_int_eq(mkfifoat(dir, name, 0600), 0);
		return;
	case 6:
	case 7:
		ck_assert_int_eq(mkdirat(dir, name, 0755), 0);
		fd = openat(dir, name, O_RDONLY | O_DIRECTORY);
		ck_assert_int_ge(fd, 0);
		for (unsigned int n = some(12); n > 0; n--) {
			char in[NAME_MAX + 1];
			struct stat st;

			name_make(in);
			if (fstatat(fd, in, &st, AT_SYMLINK_NOFOLLOW) < 0)
				something_make(fd, in, depth + 1);
		}
		close(fd);
		first_dir = -1;
		return;
	default:
		break;
	}
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0640);
	ck_assert_int_ge(fd, 0);
	if (some(2))
		ck_assert_int_eq(pwrite(fd, name, strlen(name), some(3) << 20), (ssize_t)strlen(name));
	if (some(2))
		ck_assert_int_eq(ftruncate(fd, 4 << 20), 0);
	close(fd);
	snprintf(first, sizeof(first), "%s", name);
	first_dir = dir;
}

START_TEST(any_names)
{
	for (unsigned int round = 0; round < 12; round++) {
		struct cr_error err;
		struct cr_tree tree;
		size_t n;
		int fd;

		seed = round * 7919;
		sh("rm -rf \"$UNIT_DIR/d\" && mkdir \"$UNIT_DIR/d\"");
		fd = open(unit_path("d"), O_RDONLY | O_DIRECTORY);
		for (int i = 0; i < 40; i++) {
			char name[NAME_MAX + 1];
			struct stat st;

			name_make(name);
			if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
				something_make(fd, name, 0);
		}
		close(fd);
		unit_assert_ok(cr_tree_open(&tree, unit_path("d"), getuid(), &err), &err);
		unit_assert_ok(cr_tree_list(&tree, NULL, NULL, &err), &err);
		n = tree.n;
		cr_tree_close(&tree);
		ck_assert_uint_gt(n, 30);
		save(NULL);
		expect_plan(0, 0);
		sh("find \"$UNIT_DIR/d\" -mindepth 1 -delete");
		expect_plan(0, n);
		restore_with(NULL);
		expect_plan(0, 0);
	}
}
END_TEST

/* Directories that were closed to their owner since, one in another; a refusal leaves them so. */
START_TEST(closed)
{
	unit_drop_root();
	sh("mkdir -p \"$UNIT_DIR/d/x/y\" && cd \"$UNIT_DIR/d\" && echo a >x/y/a && echo b >b");
	remember();
	save(NULL);
	sh("cd \"$UNIT_DIR/d\" && echo A >x/y/a && echo c >x/y/c && chmod 0 x/y && chmod 0 x && mv b B && chmod 0 "
	   ".");
	expect_plan(2, 5);
	sh("cd \"$UNIT_DIR\" && [ \"$(stat -c %a d)\" = 0 ] && chmod 700 d && [ \"$(stat -c %a d/x)\" = 0 ] && "
	   "chmod 700 d/x && "
	   "[ \"$(stat -c %a d/x/y)\" = 0 ] && chmod 0 d/x d");
	restore_with(NULL);
	expect_same();
}
END_TEST

/* Left from a restore that was killed: not saved, and removed with what is too much. */
START_TEST(temporary)
{
	make();
	save(NULL);
	sh("cp \"$UNIT_DIR/a.tar\" \"$UNIT_DIR/b.tar\" && cd \"$UNIT_DIR/d\" && touch -r . ../at && ln "
	   "one " CR_TREE_TEMPORARY " && touch -r ../at .");
	save(NULL);
	sh("rm \"$UNIT_DIR/d/\"" CR_TREE_TEMPORARY "; touch -r \"$UNIT_DIR/at\" \"$UNIT_DIR/d\"");
	expect_plan(0, 0);
	sh("ln -s /etc/passwd \"$UNIT_DIR/d/\"" CR_TREE_TEMPORARY " && rm \"$UNIT_DIR/d/log\"");
	restore_with(NULL);
	expect_same();
	/* somebody's directory is no such thing */
	sh("mkdir \"$UNIT_DIR/d/\"" CR_TREE_TEMPORARY " && cd \"$UNIT_DIR/d\" && mkdir -p sub/" CR_TREE_TEMPORARY
	   "/keep && touch -d 2001-01-01 sub/two && rm sub/two");
	{
		struct cr_tree_plan plan;
		struct cr_error err;
		int in = open(unit_path("a.tar"), O_RDONLY);

		unit_assert_ok(compare_with(&plan, NULL, &err), &err);
		ck_assert_int_lt(cr_tree_apply(&plan, in, &err), 0);
		unit_assert_error(&err, EEXIST, "is in the way beside");
		close(in);
		cr_tree_plan_clear(&plan);
	}
}
END_TEST

/* Whoever puts something else there after the look keeps it. */
START_TEST(replaced_meanwhile)
{
	struct cr_tree_plan plan;
	struct cr_error err;
	int in;

	for (int i = 0; i < 2; i++) {
		sh("rm -rf \"$UNIT_DIR/d\" && mkdir \"$UNIT_DIR/d\" && echo a >\"$UNIT_DIR/d/a\"");
		save(NULL);
		sh(i ? "cd \"$UNIT_DIR/d\" && : >new && : >keep" : "cd \"$UNIT_DIR/d\" && rm a && : >keep");
		in = open(unit_path("a.tar"), O_RDONLY);
		unit_assert_ok(compare_with(&plan, leave_keep, &err), &err);
		sh(i ? "cd \"$UNIT_DIR/d\" && echo theirs >b && mv b new" : "echo theirs >\"$UNIT_DIR/d/a\"");
		ck_assert_int_lt(cr_tree_apply(&plan, in, &err), 0);
		unit_assert_error(&err, ESTALE, "replaced by somebody meanwhile");
		close(in);
		cr_tree_plan_clear(&plan);
		sh(i ? "[ \"$(cat \"$UNIT_DIR/d/new\")\" = theirs ]"
		     : "[ \"$(cat \"$UNIT_DIR/d/a\")\" = theirs ]");
	}
}
END_TEST

START_TEST(too_many)
{
	struct cr_tree tree;
	struct cr_error err;

	sh("mkdir \"$UNIT_DIR/d\" && cd \"$UNIT_DIR/d\" && touch 1 2 3");
	unit_assert_ok(cr_tree_open(&tree, unit_path("d"), getuid(), &err), &err);
	tree.most = 3;
	ck_assert_int_lt(cr_tree_list(&tree, NULL, NULL, &err), 0);
	unit_assert_error(&err, EFBIG, "more than 3 names");
	cr_tree_close(&tree);
	unit_assert_ok(cr_tree_open(&tree, unit_path("d"), getuid(), &err), &err);
	tree.most = 4;
	unit_assert_ok(cr_tree_list(&tree, NULL, NULL, &err), &err);
	cr_tree_write_back(&tree, INT64_MAX);
	cr_tree_close(&tree);
}
END_TEST

START_TEST(modes)
{
	/* root may do anything */
	unit_drop_root();
	sh("mkdir -p \"$UNIT_DIR/d/ro/in\" && cd \"$UNIT_DIR/d\" && echo a >ro/a && echo b >ro/in/b && "
	   "chmod 444 ro/a && chmod 555 ro/in ro");
	remember();
	save(NULL);
	sh("cd \"$UNIT_DIR/d\" && chmod 755 ro ro/in && rm ro/in/b && chmod 644 ro/a && echo A >>ro/a && "
	   "chmod 400 ro/a && chmod 500 ro ro/in");
	restore_with(NULL);
	expect_same();
	sh("cd \"$UNIT_DIR/d\" && chmod 755 ro && mkdir ro/new && echo x >ro/new/x && chmod 500 ro/new && chmod 0 "
	   "ro/a");
	restore_with(NULL);
	expect_same();
}
END_TEST

/* What its owner has closed is read all the same, and stays closed; but for a directory, which is named. */
START_TEST(unreadable)
{
	struct cr_tree tree;
	struct cr_error err;
	struct stat st;
	int out = open("/dev/null", O_WRONLY);

	unit_drop_root();
	sh("mkdir \"$UNIT_DIR/d\" && echo a >\"$UNIT_DIR/d/a\" && chmod 0 \"$UNIT_DIR/d/a\"");
	unit_assert_ok(cr_tree_open(&tree, unit_path("d"), getuid(), &err), &err);
	unit_assert_ok(cr_tree_list(&tree, NULL, NULL, &err), &err);
	unit_assert_ok(cr_tree_save(&tree, -1, out, &err), &err);
	ck_assert_int_eq(stat(unit_path("d/a"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0);
	cr_tree_close(&tree);
	sh("mkdir -m 0 \"$UNIT_DIR/d/b\"");
	unit_assert_ok(cr_tree_open(&tree, unit_path("d"), getuid(), &err), &err);
	ck_assert_int_lt(cr_tree_list(&tree, NULL, NULL, &err), 0);
	unit_assert_error(&err, EACCES, "b");
	cr_tree_close(&tree);
	close(out);
}
END_TEST

START_TEST(clones)
{
	make();
	/* where the file system cannot, nothing is left of it */
	if (!save(unit_path("c")))
		sh("[ -z \"$(ls \"$UNIT_DIR/c\")\" ]");
	expect_plan(0, 0);
}
END_TEST

/* ---- what is left alone ---- */

static void expect_refused(cr_tree_leave leave, const char *why)
{
	struct cr_tree_plan plan;
	struct cr_error err;

	ck_assert_int_lt(compare_with(&plan, leave, &err), 0);
	ck_assert_msg(strstr(err.text, why) != NULL, "%s", err.text);
	cr_tree_plan_clear(&plan);
}

/* What Slurm has opened for this run, and was another file at the checkpoint, is not put back. */
START_TEST(streams)
{
	sh("mkdir \"$UNIT_DIR/d\" && cd \"$UNIT_DIR/d\" && echo old >stream && echo a >a && echo l >linked");
	save(NULL);
	sh("cd \"$UNIT_DIR/d\" && : >stream && echo A >a");
	restore_with(leave_keep);
	sh("cd \"$UNIT_DIR/d\" && [ ! -s stream ] && [ \"$(cat a)\" = a ]");
	sh("cd \"$UNIT_DIR/d\" && rm stream && ln linked stream");
	save(NULL);
	sh("cd \"$UNIT_DIR/d\" && rm stream && : >stream");
	expect_refused(leave_keep, "the place of stream is taken");
}
END_TEST

/* It stays, and so does the directory that it lies in: nothing else can come there. */
START_TEST(left_in_the_way)
{
	sh("mkdir \"$UNIT_DIR/d\" && cd \"$UNIT_DIR/d\" && echo a >a && ln -s a b");
	save(NULL);
	sh("cd \"$UNIT_DIR/d\" && rm b && mkdir -p b/c && : >b/c/keep && echo A >a");
	expect_refused(leave_keep, "the place of b is taken by a directory with b/c/keep in it");
	sh("cd \"$UNIT_DIR/d\" && rm -r b && mkdir -p b/keep");
	expect_refused(leave_keep, "with b/keep in it");
	sh("cd \"$UNIT_DIR/d\" && [ \"$(cat a)\" = A ] && rmdir b/keep");
	restore_with(leave_keep);
	sh("cd \"$UNIT_DIR/d\" && [ -L b ]");
}
END_TEST

/* A directory that stays for what is left in it keeps its mode. */
START_TEST(stays_closed)
{
	unit_drop_root();
	sh("mkdir \"$UNIT_DIR/d\" && echo a >\"$UNIT_DIR/d/a\"");
	save(NULL);
	sh("cd \"$UNIT_DIR/d\" && mkdir -p x/y && : >x/y/keep && : >x/gone && chmod 500 x/y && chmod 0 x");
	restore_with(leave_keep);
	sh("cd \"$UNIT_DIR/d\" && [ \"$(stat -c %a x)\" = 0 ] && chmod 700 x && [ \"$(stat -c %a x/y)\" = 500 ] "
	   "&& "
	   "[ -e x/y/keep ] && [ ! -e x/gone ]");
}
END_TEST

START_TEST(left_alone)
{
	sh("mkdir -p \"$UNIT_DIR/d/sub\" && cd \"$UNIT_DIR/d\" && echo a >a");
	save(NULL);
	sh("cd \"$UNIT_DIR/d\" && mkdir keep new sub/x && echo k >keep/k && echo k >new/keep && echo x >sub/x/x");
	restore_with(leave_keep);
	sh("cd \"$UNIT_DIR/d\" && [ -s keep/k ] && [ -s new/keep ] && [ ! -e sub/x ]");
}
END_TEST

START_TEST(foreign)
{
	struct cr_tree_plan plan;
	struct cr_error err;

	if (getuid() != 0) {
		(void)fprintf(stderr, "SKIP foreign: only root can give files away\n");
		return;
	}
	sh("mkdir \"$UNIT_DIR/d\" && cd \"$UNIT_DIR/d\" && echo a >a && echo b >b");
	sh("cd \"$UNIT_DIR/d\" && echo theirs >f && chown 65534 f");
	save(NULL);
	sh("cd \"$UNIT_DIR/d\" && echo changed >f && echo g >g && chown 65534 g && echo A >a");
	restore_with(NULL);
	sh("cd \"$UNIT_DIR/d\" && [ \"$(cat a f g)\" = \"$(printf 'a\\nchanged\\ng')\" ]");
	sh("cd \"$UNIT_DIR/d\" && echo A >a && chown 65534 b");
	ck_assert_int_lt(compare_with(&plan, NULL, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "place of b is taken by something"));
	cr_tree_plan_clear(&plan);
	/* nothing was changed */
	sh("[ \"$(cat \"$UNIT_DIR/d/a\")\" = A ]");
}
END_TEST

START_TEST(not_a_directory)
{
	struct cr_tree tree;
	struct cr_error err;

	sh("mkdir \"$UNIT_DIR/d\" \"$UNIT_DIR/e\" && ln -s d \"$UNIT_DIR/l\" && : >\"$UNIT_DIR/f\"");
	ck_assert_int_lt(cr_tree_open(&tree, unit_path("l"), getuid(), &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "symbolic link"));
	cr_tree_close(&tree);
	ck_assert_int_lt(cr_tree_open(&tree, unit_path("f"), getuid(), &err), 0);
	ck_assert_int_eq(err.errnum, ENOTDIR);
	cr_tree_close(&tree);
	/* on the way, too */
	sh("mkdir \"$UNIT_DIR/d/in\"");
	ck_assert_int_lt(cr_tree_open(&tree, unit_path("l/in"), getuid(), &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "a symbolic link leads to"));
	cr_tree_close(&tree);
	ck_assert_int_lt(cr_tree_open(&tree, unit_path("none"), getuid(), &err), 0);
	ck_assert_int_eq(err.errnum, ENOENT);
	cr_tree_close(&tree);
	ck_assert_int_lt(cr_tree_open(&tree, unit_path("e"), getuid() + 1, &err), 0);
	ck_assert_int_eq(err.errnum, EPERM);
	cr_tree_close(&tree);
}
END_TEST

/* What others do to a directory while it is saved is no reason not to have a checkpoint. */
START_TEST(changed_meanwhile)
{
	struct cr_tree tree;
	struct cr_error err;
	int out = open("/dev/null", O_WRONLY);

	sh("mkdir \"$UNIT_DIR/d\" && cd \"$UNIT_DIR/d\" && echo a >a && echo b >b && echo c >c && mkdir e && echo "
	   "f >e/f");
	unit_assert_ok(cr_tree_open(&tree, unit_path("d"), getuid(), &err), &err);
	unit_assert_ok(cr_tree_list(&tree, NULL, NULL, &err), &err);
	/* longer, replaced by one of the same size, another thing, gone */
	sh("cd \"$UNIT_DIR/d\" && echo more >>a && echo B >new && mv new b && rm c && ln -s /etc/passwd c && rm "
	   "-r e");
	unit_assert_ok(cr_tree_save(&tree, -1, out, &err), &err);
	ck_assert_uint_eq(tree.moved, 2);
	ck_assert_uint_eq(cr_tree_find(&tree, "a")->size, 7);
	ck_assert(!cr_tree_find(&tree, "b")->left);
	ck_assert(cr_tree_find(&tree, "c")->left);
	ck_assert(cr_tree_find(&tree, "e/f")->left);
	cr_tree_close(&tree);
	close(out);
}
END_TEST

/* But which of two names has what content must be known. */
START_TEST(changed_with_names)
{
	struct cr_tree tree;
	struct cr_error err;
	int out = open("/dev/null", O_WRONLY);

	sh("mkdir \"$UNIT_DIR/d\" && cd \"$UNIT_DIR/d\" && echo a >a && ln a b");
	unit_assert_ok(cr_tree_open(&tree, unit_path("d"), getuid(), &err), &err);
	unit_assert_ok(cr_tree_list(&tree, NULL, NULL, &err), &err);
	sh("echo more >>\"$UNIT_DIR/d/a\"");
	ck_assert_int_lt(cr_tree_save(&tree, -1, out, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "a was changed by somebody else"));
	sh("rm \"$UNIT_DIR/d/a\"");
	ck_assert_int_lt(cr_tree_save(&tree, -1, out, &err), 0);
	cr_tree_close(&tree);
	close(out);
}
END_TEST

struct vanishing {
	const char *command;
};

static enum cr_tree_left vanish(void *arg, int dir, const char *name, const struct stat *st)
{
	struct vanishing *v = arg;

	(void)dir;
	(void)st;
	if (strcmp(name, "b") == 0 && v->command)
		sh(v->command);
	if (strcmp(name, "b") == 0)
		v->command = NULL;
	return CR_TREE_TAKEN;
}

/* Names were read, and then some of them are gone: those of directories, too. */
START_TEST(gone_meanwhile)
{
	struct vanishing v = {"rm -r \"$UNIT_DIR/d/c\" \"$UNIT_DIR/d/a\""};
	struct cr_tree tree;
	struct cr_error err;
	int out = open("/dev/null", O_WRONLY);

	sh("mkdir -p \"$UNIT_DIR/d/a\" && cd \"$UNIT_DIR/d\" && echo x >a/x && echo b >b && echo c >c && echo d "
	   ">d");
	unit_assert_ok(cr_tree_open(&tree, unit_path("d"), getuid(), &err), &err);
	unit_assert_ok(cr_tree_list(&tree, vanish, &v, &err), &err);
	ck_assert(cr_tree_find(&tree, "a")->left);
	ck_assert_ptr_null(cr_tree_find(&tree, "c"));
	ck_assert_ptr_nonnull(cr_tree_find(&tree, "d"));
	unit_assert_ok(cr_tree_save(&tree, -1, out, &err), &err);
	cr_tree_close(&tree);
	close(out);
}
END_TEST

START_TEST(full)
{
	struct cr_tree tree;
	struct cr_error err;
	int out = open("/dev/full", O_WRONLY);

	make();
	unit_assert_ok(cr_tree_open(&tree, unit_path("d"), getuid(), &err), &err);
	unit_assert_ok(cr_tree_list(&tree, NULL, NULL, &err), &err);
	ck_assert_int_lt(cr_tree_save(&tree, -1, out, &err), 0);
	ck_assert_int_eq(err.errnum, ENOSPC);
	cr_tree_close(&tree);
	close(out);
}
END_TEST

/* ---- bad archives ---- */

struct member {
	const char *path;
	mode_t mode;
	const char *hard, *soft;
};

static void archive_make(const struct member *members, size_t n)
{
	struct archive *a = archive_write_new();
	struct archive_entry *e = archive_entry_new();

	archive_write_set_format_pax(a);
	ck_assert_int_eq(archive_write_open_filename(a, unit_path("a.tar")), ARCHIVE_OK);
	for (size_t i = 0; i < n; i++) {
		archive_entry_clear(e);
		archive_entry_set_pathname(e, members[i].path);
		archive_entry_set_mode(e, members[i].mode);
		archive_entry_set_size(e, 0);
		if (members[i].hard)
			archive_entry_set_hardlink(e, members[i].hard);
		if (members[i].soft)
			archive_entry_set_symlink(e, members[i].soft);
		ck_assert_int_eq(archive_write_header(a, e), ARCHIVE_OK);
	}
	ck_assert_int_eq(archive_write_close(a), ARCHIVE_OK);
	archive_write_free(a);
	archive_entry_free(e);
}

static const struct {
	const char *why;
	struct member members[3];
	size_t n;
} bad[] = {
	{"leads out", {{".", S_IFDIR | 0755, 0, 0}, {"..", S_IFDIR | 0755, 0, 0}}, 2},
	{"leads out", {{".", S_IFDIR | 0755, 0, 0}, {"../x", S_IFREG | 0644, 0, 0}}, 2},
	{"leads out", {{".", S_IFDIR | 0755, 0, 0}, {"a/../../x", S_IFREG | 0644, 0, 0}}, 2},
	{"leads out", {{".", S_IFDIR | 0755, 0, 0}, {"/x", S_IFREG | 0644, 0, 0}}, 2},
	{"leads out", {{".", S_IFDIR | 0755, 0, 0}, {"a//x", S_IFREG | 0644, 0, 0}}, 2},
	{"leads out", {{".", S_IFDIR | 0755, 0, 0}, {"./x", S_IFREG | 0644, 0, 0}}, 2},
	{"leads out", {{".", S_IFDIR | 0755, 0, 0}, {"a/x", S_IFREG | 0644, 0, 0}}, 2},
	{"leads out", {{"x", S_IFREG | 0644, 0, 0}}, 1},
	{"leads out",
	 {{".", S_IFDIR | 0755, 0, 0}, {"l", S_IFLNK | 0777, 0, "/etc"}, {"l/x", S_IFREG | 0644, 0, 0}},
	 3},
	{"leads out",
	 {{".", S_IFDIR | 0755, 0, 0}, {"f", S_IFREG | 0644, 0, 0}, {"f/x", S_IFREG | 0644, 0, 0}},
	 3},
	{"never saved", {{".", S_IFDIR | 0755, 0, 0}, {"dev", S_IFCHR | 0644, 0, 0}}, 2},
	{"never saved", {{".", S_IFDIR | 0755, 0, 0}, {"dev", S_IFBLK | 0644, 0, 0}}, 2},
	{"never saved", {{".", S_IFREG | 0755, 0, 0}}, 1},
	{"another name", {{".", S_IFDIR | 0755, 0, 0}, {"h", S_IFREG | 0644, "/etc/passwd", 0}}, 2},
	{"another name", {{".", S_IFDIR | 0755, 0, 0}, {"h", S_IFREG | 0644, "../x", 0}}, 2},
	{"another name",
	 {{".", S_IFDIR | 0755, 0, 0}, {"l", S_IFLNK | 0777, 0, "/etc"}, {"h", S_IFREG | 0644, "l", 0}},
	 3},
	{"twice", {{".", S_IFDIR | 0755, 0, 0}, {"a", S_IFREG | 0644, 0, 0}, {"a", S_IFREG | 0644, 0, 0}}, 3},
	{"twice", {{".", S_IFDIR | 0755, 0, 0}, {".", S_IFDIR | 0755, 0, 0}}, 2},
	{"empty", {{0}}, 0},
};

START_TEST(bad_archives)
{
	struct cr_tree_plan plan;
	struct cr_error err;

	sh("mkdir \"$UNIT_DIR/d\" && echo kept >\"$UNIT_DIR/d/kept\"");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		archive_make(bad[i].members, bad[i].n);
		ck_assert_msg(compare_with(&plan, NULL, &err) < 0, "number %zu was taken", i);
		unit_assert_error(&err, bad[i].n ? err.errnum : EBADMSG, bad[i].why);
		cr_tree_plan_clear(&plan);
	}
	sh("[ \"$(ls \"$UNIT_DIR/d\")\" = kept ] && [ \"$(cat \"$UNIT_DIR/d/kept\")\" = kept ]");
}
END_TEST

/* What is no archive, one that was cut anywhere, and one with a byte that is not its own. */
START_TEST(damaged_archive)
{
	struct cr_tree_plan plan;
	struct cr_error err;
	struct stat st;

	sh("mkdir \"$UNIT_DIR/d\" && seq 1000 >\"$UNIT_DIR/d/f\" && echo b >\"$UNIT_DIR/d/b\"");
	save(NULL);
	ck_assert_int_eq(stat(unit_path("a.tar"), &st), 0);
	for (off_t size = st.st_size - 1024 - 700; size > 0; size -= 512) {
		ck_assert_int_eq(truncate(unit_path("a.tar"), size), 0);
		if (compare_with(&plan, NULL, &err) == 0)
			/* between two members nothing is missing but the end: the index has the size of it */
			ck_assert_uint_le(plan.then.n, 3);
		cr_tree_plan_clear(&plan);
	}
	unit_write_bytes("a.tar", "no archive at all, but longer than nothing\n", 43);
	ck_assert_int_lt(compare_with(&plan, NULL, &err), 0);
	ck_assert_int_eq(err.errnum, EBADMSG);
	cr_tree_plan_clear(&plan);
}
END_TEST

START_TEST(other_archive)
{
	struct cr_tree_plan plan;
	struct cr_error err;
	int in;

	sh("mkdir \"$UNIT_DIR/d\" && echo a >\"$UNIT_DIR/d/a\"");
	save(NULL);
	sh("echo A >\"$UNIT_DIR/d/a\"");
	unit_assert_ok(compare_with(&plan, NULL, &err), &err);
	sh("echo b >\"$UNIT_DIR/d/b\"");
	save(NULL);
	in = open(unit_path("a.tar"), O_RDONLY);
	ck_assert_int_lt(cr_tree_apply(&plan, in, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "not the one that was compared"));
	close(in);
	cr_tree_plan_clear(&plan);
}
END_TEST

/* An archive of the same tree is the same, and one of a changed tree differs in little. */
START_TEST(stable)
{
	make();
	save(NULL);
	sh("cp \"$UNIT_DIR/a.tar\" \"$UNIT_DIR/b.tar\"");
	save(NULL);
	sh("cmp \"$UNIT_DIR/a.tar\" \"$UNIT_DIR/b.tar\"");
}
END_TEST

UNIT_MAIN("tree", {unchanged, true}, {everything_changed, true}, {all_gone, true}, {replaced, true},
	  {interrupted, true}, {times, true}, {hard_links, true}, {modes, true}, {unreadable, true},
	  {clones, true}, {left_alone, true}, {foreign, true}, {not_a_directory, true}, {changed_meanwhile, true},
	  {changed_with_names, true}, {gone_meanwhile, true}, {linked_together, true}, {linked_to_outside, true},
	  {little_written, true}, {no_room, true}, {any_names, true}, {closed, true}, {temporary, true},
	  {replaced_meanwhile, true}, {too_many, true}, {streams, true}, {left_in_the_way, true},
	  {stays_closed, true}, {full, true}, {bad_archives, true}, {damaged_archive, true}, {other_archive, true},
	  {stable, true})
