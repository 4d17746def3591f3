/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* Files as a job has them open: recorded from this very process, changed, put back. */

#include "unit.h"

#include <sys/mman.h>

#include "../../libcrcore/cleanup.h"
#include "../../libcrcore/content.h"
#include "../../spank_cr/init/output_record.h"
#include "../../spank_cr/init/output_restore.h"
#include "../../spank_cr/init/output_set.h"
#include "../../spank_cr/init/place.h"
#include "../../spank_cr/init/private.h"

/* The one of private.c has /tmp, where these tests are. */
bool private_has(const char *path)
{
	return strstr(path, "/private") != NULL;
}

static const struct job job = {.id = 4711, .log = -1, .wire = -1, .log_level = -1, .file_limit = 1 << 20};

static char *read_all(const char *name, size_t *size)
{
	static char data[1 << 20];
	FILE *f = fopen(unit_path(name), "r");

	ck_assert_msg(f != NULL, "%s", name);
	*size = fread(data, 1, sizeof(data) - 1, f);
	data[*size] = '\0';
	(void)fclose(f);
	return data;
}

#define ck_assert_content(name, text)                                                                             \
	do {                                                                                                      \
		size_t size_;                                                                                     \
		const char *data_ = read_all(name, &size_);                                                       \
                                                                                                                  \
		ck_assert_str_eq(data_, text);                                                                    \
		ck_assert_uint_eq(size_, strlen(text));                                                           \
	} while (0)

static int opened(const char *name, int flags)
{
	int fd = open(unit_path(name), flags | O_CLOEXEC, 0640);

	ck_assert_msg(fd >= 0, "%s: %s", name, strerror(errno));
	return fd;
}

static struct stat stat_of(const char *name)
{
	struct stat st;

	ck_assert_msg(lstat(unit_path(name), &st) == 0, "%s", name);
	return st;
}

/* ---- one checkpoint of this process ---- */

struct record {
	struct cr_manifest m;
	struct directories d;
	int copies;
};

static const struct cr_manifest_output *output_of(const struct record *r, const char *name)
{
	const char *path = unit_path(name);

	for (size_t i = 0; i < r->m.n_outputs; i++) {
		if (strcmp(r->m.outputs[i].path, path) == 0)
			return &r->m.outputs[i];
	}
	return NULL;
}

static void record_take(struct record *r)
{
	struct cr_error err = {0};
	const pid_t self = getpid();
	size_t kept = 0;

	*r = (struct record){.copies = -1};
	unit_assert_ok(output_collect(&r->m, &self, 1, &err), &err);
	/* Check's own */
	for (size_t i = 0; i < r->m.n_outputs; i++) {
		ck_assert_int_ne(strncmp(r->m.outputs[i].path, "/proc/", 6), 0);
		if (strncmp(r->m.outputs[i].path, unit_dir, strlen(unit_dir)) == 0)
			r->m.outputs[kept++] = r->m.outputs[i];
		else
			free(r->m.outputs[i].path);
	}
	r->m.n_outputs = kept;
	ck_assert_int_ge(r->copies = memfd_create("copies", MFD_CLOEXEC), 0);
	unit_assert_ok(output_copy(&r->m, job.file_limit, r->copies, &err), &err);
	unit_assert_ok(directories_record(&r->d, &r->m, &self, 1, &err), &err);
}

static void record_clear(struct record *r)
{
	close(r->copies);
	directories_clear(&r->d);
	cr_manifest_clear(&r->m);
}

static int record_check(const struct record *r, int files, struct cr_error *err)
{
	struct job as = job;
	struct output_restore files_restore;
	int rc;

	as.files = files;
	unit_assert_ok(output_restore_open(&files_restore, &as, &r->m, &r->d, err), err);
	rc = files == CR_FILES_COPY ? directories_check(&r->d, NULL, err) : 0;
	if (rc == 0)
		rc = output_check(&files_restore, err);
	output_restore_close(&files_restore);
	return rc;
}

static int record_restore(struct record *r, int files, struct cr_error *err)
{
	struct job as = job;
	struct output_restore restore;
	int rc;

	as.files = files;
	as.node = "n1";
	as.log_level = 1;
	ck_assert_int_ge(as.log = open(unit_path("log"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), 0);
	unit_assert_ok(output_restore_open(&restore, &as, &r->m, &r->d, err), err);
	rc = files == CR_FILES_COPY ? directories_check(&r->d, NULL, err) : 0;
	if (rc == 0)
		rc = output_check(&restore, err);
	if (rc == 0 && files == CR_FILES_COPY)
		rc = directories_make(&r->d, err);
	ck_assert_int_eq(lseek(r->copies, 0, SEEK_SET), 0);
	if (rc == 0)
		rc = output_change(&restore, files == CR_FILES_COPY ? r->copies : -1, err);
	if (rc == 0 && files == CR_FILES_COPY)
		rc = directories_finish(&r->d, err);
	close(as.log);
	output_restore_close(&restore);
	return rc;
}

#define assert_restored(r)                                                                                        \
	do {                                                                                                      \
		struct cr_error err_ = {0};                                                                       \
                                                                                                                  \
		ck_assert_msg(record_restore(r, CR_FILES_COPY, &err_) == 0, "%s", err_.text);                     \
	} while (0)

/* ---- recording ---- */

START_TEST(collected)
{
	const struct cr_manifest_output *o;
	char above[PATH_MAX];
	struct record r;
	struct stat st;
	int fd;
	void *map;

	unit_write("log", "0123456789");
	unit_write("mapped", "abcdefgh");
	ck_assert_int_ge(open("/proc/self/comm", O_RDWR | O_CLOEXEC), 0);
	unit_write("read", "r");
	unit_write("private", "p");
	unit_write("gone", "g");
	ck_assert_int_eq(symlink("log", unit_path("link")), 0);
	ck_assert_int_eq(link(unit_path("log"), unit_path("second")), 0);
	ck_assert_int_eq(lseek(opened("link", O_WRONLY), 4, SEEK_SET), 4);
	opened("log", O_WRONLY | O_APPEND);
	opened("second", O_RDWR);
	opened("read", O_RDONLY);
	opened("private", O_RDWR);
	opened("gone", O_RDWR);
	ck_assert_int_eq(unlink(unit_path("gone")), 0);
	fd = opened("mapped", O_RDWR);
	map = mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(map, MAP_FAILED);
	ck_assert_ptr_ne(mmap(NULL, 1, PROT_READ, MAP_SHARED, opened("read", O_RDONLY), 0), MAP_FAILED);
	close(fd);
	unit_write("both", "b");
	ck_assert_ptr_ne(mmap(NULL, 1, PROT_WRITE | PROT_READ, MAP_SHARED, opened("both", O_RDWR), 0), MAP_FAILED);
	record_take(&r);
	ck_assert_uint_eq(r.m.n_outputs, 4);
	ck_assert_ptr_nonnull(o = output_of(&r, "both"));
	ck_assert_uint_eq(o->mapped, 1);
	o = output_of(&r, "log");
	st = stat_of("log");
	ck_assert_ptr_nonnull(o);
	ck_assert_uint_eq(o->size, 10);
	ck_assert_uint_eq(o->ino, st.st_ino);
	ck_assert_uint_eq(o->links, 2);
	ck_assert_uint_eq(o->uid, geteuid());
	ck_assert_uint_eq(o->offset, 4);
	ck_assert_uint_eq(o->flags & O_ACCMODE, O_WRONLY);
	ck_assert_uint_eq(o->mapped, 0);
	ck_assert_int_eq(o->mtime_ns, (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec);
	ck_assert_str_eq(o->saved, OUTPUT_STREAM);
	ck_assert_ptr_nonnull(o = output_of(&r, "second"));
	/* the content once, with the first name */
	ck_assert_ptr_null(o->saved);
	ck_assert_ptr_nonnull(o = output_of(&r, "mapped"));
	ck_assert_uint_eq(o->mapped, 1);
	ck_assert_str_eq(o->saved, OUTPUT_STREAM);
	ck_assert(directories_have(&r.d, unit_dir));
	(void)snprintf(above, sizeof(above), "%.*s", (int)(strrchr(unit_dir, '/') - unit_dir), unit_dir);
	ck_assert(directories_have(&r.d, above));
	ck_assert(!directories_have(&r.d, unit_path("log")));
	record_clear(&r);
}
END_TEST

START_TEST(above_the_limit)
{
	struct cr_error err = {0};
	struct record r;
	int fd = opened("large", O_RDWR | O_CREAT), sparse = opened("sparse", O_RDWR | O_CREAT);

	ck_assert_int_eq(posix_fallocate(fd, 0, (1 << 20) + 1), 0);
	for (int i = 0; i < 17; i++) {
		static char block[65536] = "x";

		ck_assert_int_eq(write(fd, block, sizeof(block)), sizeof(block));
	}
	ck_assert_int_eq(pwrite(sparse, "end", 3, INT64_C(1) << 33), 3);
	record_take(&r);
	ck_assert_ptr_null(output_of(&r, "large")->saved);
	/* what counts is what is in it */
	ck_assert_str_eq(output_of(&r, "sparse")->saved, OUTPUT_STREAM);
	ck_assert_int_eq(write(fd, "more", 4), 4);
	ck_assert_int_eq(ftruncate(sparse, 0), 0);
	assert_restored(&r);
	ck_assert_int_eq(stat_of("large").st_size, 17 * 65536);
	ck_assert_int_eq(stat_of("sparse").st_size, (INT64_C(1) << 33) + 3);
	ck_assert_int_lt(stat_of("sparse").st_blocks, 2048);
	/* nothing to make it anew of */
	ck_assert_int_eq(ftruncate(fd, 5), 0);
	ck_assert_int_eq(record_restore(&r, CR_FILES_COPY, &err), -1);
	unit_assert_error(&err, EIO, "/large has 5 bytes");
	ck_assert_int_eq(unlink(unit_path("large")), 0);
	ck_assert_int_eq(record_restore(&r, CR_FILES_COPY, &err), -1);
	unit_assert_error(&err, ENOENT, "/large was removed");
	unit_write("large", "another");
	ck_assert_int_eq(record_restore(&r, CR_FILES_COPY, &err), -1);
	unit_assert_error(&err, ENOENT, "/large was replaced");
	ck_assert_content("large", "another");
	record_clear(&r);
}
END_TEST

START_TEST(many)
{
	struct cr_manifest m = {0};
	struct output_set set = {0};
	struct cr_error err = {0};

	for (uint64_t i = 0; i < 20000; i++) {
		char path[32];
		const struct cr_manifest_output o = {.path = path, .dev = i % 3, .ino = i / 2};

		(void)snprintf(path, sizeof(path), "/f%d", (int)i);
		unit_assert_ok(cr_manifest_add_output(&m, &o, &err), &err);
		unit_assert_ok(output_set_update(&set, &m, &err), &err);
	}
	for (uint64_t i = 0; i < 20000; i++) {
		ck_assert_uint_eq(output_set_find(&set, &m, i % 3, i / 2, m.outputs[i].path), i);
		ck_assert_uint_eq(output_set_find(&set, &m, i % 3, i / 2, "/no"), OUTPUT_NONE);
	}
	ck_assert_uint_eq(output_set_find(&set, &m, 5, 0, NULL), OUTPUT_NONE);
	output_set_clear(&set);
	cr_manifest_clear(&m);
}
END_TEST

/* ---- content ---- */

START_TEST(only_what_differs)
{
	static char page[4096], big[3 * 65536];
	struct cr_error err = {0};
	struct cr_content c;
	struct stat st;
	int fd = opened("f", O_RDWR | O_CREAT);

	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i / 4096 + 1);
	ck_assert_int_eq(write(fd, big, sizeof(big)), sizeof(big));
	ck_assert_int_eq(pwrite(fd, "?", 1, 5 * 4096 + 17), 1);
	ck_assert_int_eq(pwrite(fd, "?", 1, sizeof(big) - 1), 1);
	unit_assert_ok(cr_content_open(&c, fd, &err), &err);
	unit_assert_ok(cr_content_put(&c, 0, big, sizeof(big), &err), &err);
	unit_assert_ok(cr_content_end(&c, sizeof(big), &err), &err);
	ck_assert_uint_eq(c.written, 2 * 4096);
	cr_content_close(&c);
	/* a hole where there was data, data where there was a hole, a shorter end */
	ck_assert_int_eq(ftruncate(fd, 1 << 20), 0);
	unit_assert_ok(cr_content_open(&c, fd, &err), &err);
	unit_assert_ok(cr_content_put(&c, 4096, big + 4096, 4096, &err), &err);
	unit_assert_ok(cr_content_put(&c, 500000, "xyz", 3, &err), &err);
	unit_assert_ok(cr_content_end(&c, 600000, &err), &err);
	cr_content_close(&c);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(st.st_size, 600000);
	ck_assert_int_eq(pread(fd, page, 4096, 0), 4096);
	for (int i = 0; i < 4096; i++)
		ck_assert_int_eq(page[i], 0);
	ck_assert_int_eq(pread(fd, page, 4096, 4096), 4096);
	ck_assert_int_eq(memcmp(page, big + 4096, 4096), 0);
	ck_assert_int_eq(pread(fd, page, 4096, 8192), 4096);
	ck_assert_int_eq(page[0], 0);
	ck_assert_int_eq(pread(fd, page, 4, 499999), 4);
	ck_assert_int_eq(memcmp(page, "\0xyz", 4), 0);
	/* a hole at the end */
	ck_assert_int_eq(pwrite(fd, big, sizeof(big), 0), sizeof(big));
	unit_assert_ok(cr_content_open(&c, fd, &err), &err);
	unit_assert_ok(cr_content_put(&c, 0, big, 10, &err), &err);
	unit_assert_ok(cr_content_end(&c, 5000, &err), &err);
	cr_content_close(&c);
	ck_assert_int_eq(pread(fd, page, 20, 0), 20);
	ck_assert_int_eq(memcmp(page, big, 10), 0);
	ck_assert_int_eq(page[10], 0);
	ck_assert_int_eq(pread(fd, page, 4096, 4990), 10);
	ck_assert_int_eq(page[9], 0);
	/* no way back, and not beyond the end */
	unit_assert_ok(cr_content_open(&c, fd, &err), &err);
	unit_assert_ok(cr_content_put(&c, 100, "a", 1, &err), &err);
	ck_assert_int_eq(cr_content_put(&c, 100, "a", 1, &err), -1);
	ck_assert_int_eq(err.errnum, EBADMSG);
	ck_assert_int_eq(cr_content_end(&c, 100, &err), -1);
	ck_assert_int_eq(err.errnum, EBADMSG);
	cr_content_close(&c);
}
END_TEST

/* ---- restoring ---- */

START_TEST(appended_rewritten_shortened)
{
	struct record r;
	struct stat before, after;
	int a, b, c;

	unit_write("a", "append");
	unit_write("b", "rewrite me");
	unit_write("c", "shorten me");
	a = opened("a", O_WRONLY | O_APPEND);
	b = opened("b", O_RDWR);
	c = opened("c", O_RDWR);
	opened("empty", O_RDWR | O_CREAT);
	before = stat_of("b");
	record_take(&r);
	ck_assert_int_eq(write(a, " more", 5), 5);
	ck_assert_int_eq(pwrite(b, "REW", 3, 0), 3);
	ck_assert_int_eq(futimens(b, NULL), 0);
	ck_assert_int_eq(fchmod(b, 0600), 0);
	ck_assert_int_eq(ftruncate(c, 3), 0);
	unit_write("empty", "not any more");
	assert_restored(&r);
	ck_assert_content("a", "append");
	ck_assert_content("b", "rewrite me");
	ck_assert_content("c", "shorten me");
	ck_assert_content("empty", "");
	after = stat_of("b");
	ck_assert_uint_eq(after.st_ino, before.st_ino);
	ck_assert_uint_eq(after.st_mode, before.st_mode);
	ck_assert_int_eq(after.st_mtim.tv_sec, before.st_mtim.tv_sec);
	ck_assert_int_eq(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
	/* and once more, from there */
	assert_restored(&r);
	ck_assert_content("b", "rewrite me");
	record_clear(&r);
}
END_TEST

START_TEST(truncate_alone)
{
	struct cr_error err = {0};
	struct record r;
	int a;

	unit_write("a", "append");
	a = opened("a", O_RDWR);
	record_take(&r);
	ck_assert_int_eq(pwrite(a, "APP", 3, 0), 3);
	ck_assert_int_eq(pwrite(a, " more", 5, 6), 5);
	ck_assert_int_eq(record_restore(&r, CR_FILES_TRUNCATE, &err), 0);
	ck_assert_content("a", "APPend");
	ck_assert_int_eq(ftruncate(a, 2), 0);
	ck_assert_int_eq(record_restore(&r, CR_FILES_TRUNCATE, &err), -1);
	unit_assert_error(&err, EIO, "/a has 2 bytes");
	ck_assert_content("a", "AP");
	ck_assert_int_eq(unlink(unit_path("a")), 0);
	ck_assert_int_eq(record_restore(&r, CR_FILES_TRUNCATE, &err), -1);
	unit_assert_error(&err, ENOENT, "/a was removed");
	record_clear(&r);
}
END_TEST

START_TEST(kept)
{
	struct cr_error err = {0};
	struct record r;

	unit_write("a", "append");
	opened("a", O_RDWR);
	record_take(&r);
	unit_write("a", "x");
	unit_assert_ok(record_restore(&r, CR_FILES_KEEP, &err), &err);
	ck_assert_content("a", "x");
	ck_assert_int_eq(rename(unit_path("a"), unit_path("b")), 0);
	ck_assert_int_eq(record_restore(&r, CR_FILES_KEEP, &err), -1);
	unit_assert_error(&err, ENOENT, "/a was removed");
	ck_assert_int_eq(symlink("b", unit_path("a")), 0);
	ck_assert_int_eq(record_restore(&r, CR_FILES_KEEP, &err), -1);
	unit_assert_error(&err, ELOOP, "/a is now a symbolic link");
	record_clear(&r);
}
END_TEST

START_TEST(removed_and_replaced)
{
	struct record r;

	unit_write("removed", "removed");
	unit_write("rotated", "rotated");
	unit_write("renamed", "renamed");
	ck_assert_int_eq(chmod(unit_path("removed"), 0751), 0);
	ck_assert_int_eq(mkdir(unit_path("d"), 0755), 0);
	ck_assert_int_eq(mkdir(unit_path("d/e"), 0755), 0);
	unit_write("d/e/deep", "deep");
	ck_assert_int_eq(chmod(unit_path("d/e"), 02570), 0);
	opened("removed", O_RDWR);
	opened("rotated", O_RDWR);
	opened("renamed", O_RDWR);
	opened("d/e/deep", O_RDWR);
	record_take(&r);
	ck_assert_int_eq(unlink(unit_path("removed")), 0);
	ck_assert_int_eq(rename(unit_path("rotated"), unit_path("rotated.1")), 0);
	unit_write("rotated", "a new one");
	ck_assert_int_eq(rename(unit_path("renamed"), unit_path("elsewhere")), 0);
	ck_assert_int_eq(chmod(unit_path("d/e"), 0700), 0);
	ck_assert_int_eq(unlink(unit_path("d/e/deep")), 0);
	ck_assert_int_eq(rmdir(unit_path("d/e")), 0);
	ck_assert_int_eq(rmdir(unit_path("d")), 0);
	/* left by an attempt that was killed */
	unit_write(".spank_cr.4711.0", "half");
	assert_restored(&r);
	ck_assert_content("removed", "removed");
	ck_assert_int_eq(stat_of("removed").st_mode & 07777, 0751);
	ck_assert_content("rotated", "rotated");
	ck_assert_content("rotated.1", "rotated");
	ck_assert_content("renamed", "renamed");
	ck_assert_content("elsewhere", "renamed");
	ck_assert_content("d/e/deep", "deep");
	ck_assert_int_eq(stat_of("d/e").st_mode & 07777, 02570);
	ck_assert(!unit_exists(".spank_cr.4711.0"));
	record_clear(&r);
}
END_TEST

START_TEST(hard_links)
{
	struct record r;
	struct stat st;
	size_t n;

	for (int i = 0; i < 4; i++) {
		char a[8] = "a0", b[8] = "b0";

		a[1] = b[1] = (char)('0' + i);
		unit_write(a, "linked");
		ck_assert_int_eq(link(unit_path(a), unit_path(b)), 0);
		opened(a, O_RDWR);
		opened(b, O_RDWR);
	}
	unit_write("f", "foreign");
	opened("f", O_RDWR);
	/* one that was there at the checkpoint, where the job does not know it */
	unit_write("g", "one file");
	ck_assert_int_eq(link(unit_path("g"), unit_path("unknown")), 0);
	opened("g", O_RDWR);
	record_take(&r);
	unit_write("g", "one file and more");
	unit_write("a0", "LINKED, and longer");
	ck_assert_int_eq(unlink(unit_path("a1")), 0);
	unit_write("b1", "LINKED");
	ck_assert_int_eq(unlink(unit_path("a2")), 0);
	ck_assert_int_eq(unlink(unit_path("b2")), 0);
	ck_assert_int_eq(unlink(unit_path("b3")), 0);
	unit_write("b3", "another");
	/* what somebody keeps under another name stays as it is */
	unit_write("f", "foreign and more");
	ck_assert_int_eq(link(unit_path("f"), unit_path("snapshot")), 0);
	assert_restored(&r);
	for (int i = 0; i < 4; i++) {
		char a[8] = "a0", b[8] = "b0";

		a[1] = b[1] = (char)('0' + i);
		ck_assert_content(a, "linked");
		st = stat_of(a);
		ck_assert_uint_eq(stat_of(b).st_ino, st.st_ino);
		ck_assert_uint_eq(st.st_nlink, 2);
	}
	ck_assert_content("f", "foreign");
	ck_assert_content("snapshot", "foreign and more");
	ck_assert_content("unknown", "one file");
	ck_assert_uint_eq(stat_of("g").st_ino, stat_of("unknown").st_ino);
	/* not unseen */
	ck_assert_ptr_nonnull(strstr(read_all("log", &n), "/g has names that the job does not have open"));
	ck_assert_ptr_null(strstr(read_all("log", &n), "/a0 has names"));
	ck_assert_ptr_null(strstr(read_all("log", &n), "/f has names"));
	record_clear(&r);
}
END_TEST

/* Each of these is found before anything is changed, and named. */
static void nothing_changes(const struct record *r, int errnum, const char *text)
{
	struct cr_error err = {0};

	ck_assert_int_eq(record_check(r, CR_FILES_COPY, &err), -1);
	unit_assert_error(&err, errnum, text);
	ck_assert_int_eq(record_restore((struct record *)(uintptr_t)r, CR_FILES_COPY, &err), -1);
	unit_assert_error(&err, errnum, text);
	ck_assert_content("first", "first, and more");
}

/* What its owner has protected since, and nobody has written, is as it should be. */
START_TEST(protected)
{
	struct cr_error err = {0};
	struct record r;

	unit_drop_root();
	unit_write("first", "first");
	opened("first", O_RDWR);
	record_take(&r);
	ck_assert_int_eq(chmod(unit_path("first"), 0444), 0);
	unit_assert_ok(record_check(&r, CR_FILES_COPY, &err), &err);
	unit_assert_ok(record_restore(&r, CR_FILES_COPY, &err), &err);
	ck_assert_content("first", "first");
	ck_assert_uint_eq(stat_of("first").st_mode & 07777, 0444);
	record_clear(&r);
}
END_TEST

START_TEST(somebody_elses)
{
	struct record r;

	unit_drop_root();
	unit_write("first", "first");
	ck_assert_int_eq(mkdir(unit_path("d"), 0755), 0);
	unit_write("d/f", "f");
	unit_write("victim", "victim");
	opened("first", O_RDWR);
	opened("d/f", O_RDWR);
	record_take(&r);
	unit_write("first", "first, and more");
	/* read-only now, and not what it was */
	unit_write("d/f", "f, and more");
	ck_assert_int_eq(chmod(unit_path("d/f"), 0444), 0);
	nothing_changes(&r, EACCES, "/d/f may not be written any more");
	ck_assert_int_eq(unlink(unit_path("d/f")), 0);
	/* a link, a directory, a fifo, a directory where nothing can be made */
	ck_assert_int_eq(symlink("../victim", unit_path("d/f")), 0);
	nothing_changes(&r, ELOOP, "/d/f is now a symbolic link");
	ck_assert_int_eq(unlink(unit_path("d/f")), 0);
	ck_assert_int_eq(mkdir(unit_path("d/f"), 0755), 0);
	nothing_changes(&r, EINVAL, "/d/f is now a directory");
	ck_assert_int_eq(rmdir(unit_path("d/f")), 0);
	ck_assert_int_eq(mkfifo(unit_path("d/f"), 0600), 0);
	nothing_changes(&r, EINVAL, "/d/f is now a fifo");
	ck_assert_int_eq(unlink(unit_path("d/f")), 0);
	ck_assert_int_eq(chmod(unit_path("d"), 0555), 0);
	nothing_changes(&r, EACCES, "the directory of ");
	ck_assert_int_eq(chmod(unit_path("d"), 0755), 0);
	/* the way there */
	ck_assert_int_eq(rmdir(unit_path("d")), 0);
	ck_assert_int_eq(mkdir(unit_path("e"), 0755), 0);
	unit_write("e/f", "victim");
	ck_assert_int_eq(symlink("e", unit_path("d")), 0);
	nothing_changes(&r, ELOOP, "a symbolic link leads to ");
	ck_assert_content("e/f", "victim");
	ck_assert_int_eq(unlink(unit_path("d")), 0);
	ck_assert_int_eq(symlink("nowhere", unit_path("d")), 0);
	nothing_changes(&r, ENOTDIR, "/d, which was a directory, is now a symbolic link");
	ck_assert_int_eq(unlink(unit_path("d")), 0);
	unit_write("d", "file");
	nothing_changes(&r, ENOTDIR, "/d, which was a directory, is now a file");
	ck_assert_content("victim", "victim");
	/* and at last it can be made again */
	ck_assert_int_eq(unlink(unit_path("d")), 0);
	assert_restored(&r);
	ck_assert_content("first", "first");
	ck_assert_content("d/f", "f");
	record_clear(&r);
}
END_TEST

START_TEST(another_owner)
{
	struct cr_error err = {0};
	struct record r, again;
	struct place p;
	int fd;

	if (geteuid() != 0) {
		(void)fprintf(stderr, "SKIP another_owner: needs root, to give a file away\n");
		return;
	}
	unit_write("first", "first");
	unit_write("f", "f");
	unit_write("shared", "shared");
	ck_assert_int_eq(chown(unit_path("shared"), 1, 1), 0);
	opened("first", O_RDWR);
	opened("f", O_RDWR);
	opened("shared", O_RDWR);
	record_take(&r);
	/* not changed: it is not looked at any further */
	assert_restored(&r);
	unit_write("first", "first, and more");
	unit_write("shared", "shared, and more");
	nothing_changes(&r, EPERM, "/shared belongs to user 1 and was changed");
	ck_assert_content("shared", "shared, and more");
	record_take(&again);
	ck_assert_int_eq(unlink(unit_path("f")), 0);
	unit_write("f", "theirs");
	ck_assert_int_eq(chown(unit_path("f"), 1, 1), 0);
	nothing_changes(&again, EPERM, "/f was replaced by a file of user 1");
	/* nor what has the temporary name */
	unit_assert_ok(place_open(&p, unit_path("f"), &err), &err);
	ck_assert_int_eq(place_new(&p, "shared", &fd, &err), -1);
	unit_assert_error(&err, EEXIST, "shared is in the way");
	place_close(&p);
	ck_assert_content("f", "theirs");
	record_clear(&r);
	record_clear(&again);
}
END_TEST

/* ---- where things are ---- */

START_TEST(places)
{
	struct cr_error err = {0};
	struct place p;
	struct stat st;
	int fd;

	unit_write("f", "f");
	ck_assert_int_eq(mkdir(unit_path("d"), 0755), 0);
	ck_assert_int_eq(symlink("d", unit_path("l")), 0);
	ck_assert_int_eq(place_open(&p, "relative", &err), -1);
	unit_assert_error(&err, EINVAL, "no path");
	ck_assert_int_eq(place_open(&p, "/", &err), -1);
	ck_assert_int_eq(place_open(&p, unit_path(".."), &err), -1);
	ck_assert_int_eq(err.errnum, EINVAL);
	ck_assert_int_eq(place_open(&p, unit_path("l/f"), &err), -1);
	unit_assert_error(&err, ELOOP, "/l/f");
	ck_assert_int_eq(place_open(&p, unit_path("no/f"), &err), -1);
	ck_assert_int_eq(err.errnum, ENOENT);
	ck_assert_int_eq(place_open(&p, unit_path("f/f"), &err), -1);
	ck_assert_int_eq(err.errnum, ENOTDIR);
	unit_assert_ok(place_open(&p, unit_path("f"), &err), &err);
	ck_assert_int_eq(place_look(&p, &st, &err), 1);
	ck_assert_int_eq(place_file(&p, O_RDWR, st.st_ino + 1, &err), -1);
	ck_assert_int_eq(err.errnum, ESTALE);
	ck_assert_int_ge(fd = place_file(&p, O_RDWR, st.st_ino, &err), 0);
	close(fd);
	/* what is in the way and not a file of ours stays */
	ck_assert_int_eq(mkdir(unit_path("temp"), 0755), 0);
	ck_assert_int_eq(place_new(&p, "temp", &fd, &err), -1);
	unit_assert_error(&err, EEXIST, "temp is in the way");
	place_close(&p);
	ck_assert_int_eq(place_directory("/", &err), 1);
	ck_assert_int_eq(place_directory(unit_path("d"), &err), 1);
	ck_assert_int_eq(place_directory(unit_path("no/no"), &err), 0);
	ck_assert_int_eq(place_directory(unit_path("l"), &err), 1);
	ck_assert_int_eq(place_directory(unit_path("f"), &err), -1);
	unit_assert_error(&err, ENOTDIR, "/f, which was a directory, is now a file");
	ck_assert_int_eq(place_directory(unit_path("f/f"), &err), -1);
	unit_assert_error(&err, ENOTDIR, "/f/f, which was a directory");
}
END_TEST

/* Below a directory of --checkpoint-rollback: -1 as refused, 0 as to be put back or left. */
static int rolled_check(const struct record *r, bool rolled, bool *leave, struct cr_error *err)
{
	struct job as = job;
	struct output_restore restore;
	int rc;

	as.files = CR_FILES_TRUNCATE;
	unit_assert_ok(output_restore_open(&restore, &as, &r->m, &r->d, err), err);
	restore.rolled = rolled;
	rc = output_check(&restore, err);
	*leave = restore.fates[0].leave;
	output_restore_close(&restore);
	return rc;
}

START_TEST(goes_back)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};
	struct cr_error err = {0};
	struct record r;
	bool leave;
	char *end;

	ck_assert_int_eq(mkdir(unit_path("d"), 0755), 0);
	unit_write("d/f", "0123456789");
	opened("d/f", O_WRONLY);
	record_take(&r);
	times[1] = stat_of("d/f").st_mtim;
	ck_assert_int_eq(unlink(unit_path("d/f")), 0);
	/* one whose name only begins so is another */
	unit_assert_ok(cr_manifest_add_rollback(&r.m, unit_path("dd"), "rollback/0", &err), &err);
	end = &r.m.rollbacks[0].path[strlen(r.m.rollbacks[0].path) - 1];
	ck_assert_int_eq(rolled_check(&r, false, &leave, &err), -1);
	*end = '\0';
	ck_assert_int_eq(rolled_check(&r, false, &leave, &err), 0);
	/* somebody else's does not come back with it */
	r.m.outputs[0].uid++;
	ck_assert_int_eq(rolled_check(&r, false, &leave, &err), -1);
	r.m.outputs[0].uid--;
	/* it should be there by now */
	ck_assert_int_eq(rolled_check(&r, true, &leave, &err), -1);
	unit_assert_error(&err, ENOENT, "was removed since");
	/* another inode: the old one is open still. Time tells that it came from somewhere else */
	unit_write("d/f", "0123456789");
	ck_assert_int_eq(rolled_check(&r, true, &leave, &err), -1);
	ck_assert(!leave);
	ck_assert_int_eq(utimensat(AT_FDCWD, unit_path("d/f"), times, 0), 0);
	unit_assert_ok(rolled_check(&r, true, &leave, &err), &err);
	ck_assert(leave);
	record_clear(&r);
}
END_TEST

START_TEST(directories_damaged)
{
	static const struct {
		const char *text;
		size_t size;
	} bad[] = {{"0755 /a", 7}, {"755 /a", 7}, {"0755 a", 7}, {"0755/a", 7}, {"0758 /a", 8}, {"", 1}};
	struct cr_error err = {0};
	struct directories d;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int fd = open(unit_write_bytes("list", bad[i].text, bad[i].size), O_RDONLY | O_CLOEXEC);

		ck_assert_int_ge(fd, 0);
		ck_assert_msg(directories_read(&d, fd, &err) == -1, "%s", bad[i].text);
		ck_assert_int_eq(err.errnum, EBADMSG);
		directories_clear(&d);
	}
	unit_write_bytes("list", "0755 /b\0000700 /a\n b\0", 19);
	unit_assert_ok(directories_read(&d, open(unit_path("list"), O_RDONLY | O_CLOEXEC), &err), &err);
	ck_assert_uint_eq(d.n, 2);
	ck_assert_str_eq(d.list[0].path, "/a\n b");
	ck_assert_uint_eq(d.list[0].mode, 0700);
	directories_clear(&d);
}
END_TEST

UNIT_MAIN("output", {collected, true}, {above_the_limit, true}, {many, false}, {only_what_differs, true},
	  {appended_rewritten_shortened, true}, {truncate_alone, true}, {kept, true}, {removed_and_replaced, true},
	  {hard_links, true}, {protected, true}, {somebody_elses, true}, {another_owner, true}, {places, true},
	  {goes_back, true}, {directories_damaged, true})
