/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include <dirent.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "../../libcrcore/token.h"

#define DEAD "w-0000000900-%010u-batch.0-%016x"

static void nap_ms(long ms)
{
	const struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	ck_assert_int_eq(nanosleep(&ts, NULL), 0);
}

static void nap_us(long us)
{
	const struct timespec ts = {.tv_nsec = us * 1000};

	ck_assert_int_eq(nanosleep(&ts, NULL), 0);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &ts), 0);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static struct cr_token opened(unsigned int limit, uint32_t job, uint64_t unsaved)
{
	struct cr_error err = {0};
	struct cr_token token;

	unit_assert_ok(cr_token_open(&token, unit_dir, limit, job, "batch.0", unsaved, &err), &err);
	return token;
}

static int try(struct cr_token *token)
{
	struct cr_error err = {0};
	int rc = cr_token_try(token, &err);

	ck_assert_msg(rc >= 0, "%s", err.text);
	return rc;
}

static int tickets(void)
{
	DIR *d = opendir(unit_path(".drain"));
	struct dirent *e;
	int n = 0;

	ck_assert_ptr_nonnull(d);
	while ((e = readdir(d)))
		n += e->d_name[0] == 'w' || e->d_name[0] == 'h';
	ck_assert_int_eq(closedir(d), 0);
	return n;
}

/* A file in the directory, aged (or, if negative, dated ahead). */
static const char *plant(const char *name, long age_s)
{
	struct timespec times[2] = {{0}};
	char path[PATH_MAX];
	const char *made;

	(void)snprintf(path, sizeof(path), ".drain/%s", name);
	made = unit_write(path, "");
	ck_assert_int_eq(clock_gettime(CLOCK_REALTIME, &times[0]), 0);
	times[0].tv_sec -= age_s;
	times[1] = times[0];
	ck_assert_int_eq(utimensat(AT_FDCWD, made, times, 0), 0);
	return made;
}

START_TEST(directory_and_ticket)
{
	struct cr_token token;
	struct stat st;
	char path[PATH_MAX];

	(void)umask(077);
	token = opened(1, 1234, 600);
	ck_assert_int_eq(stat(unit_path(".drain"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 01777);
	ck_assert_int_eq(strncmp(token.name, "w-0000000600-0000001234-batch.0-", 32), 0);
	ck_assert_uint_eq(strlen(token.name), 48);
	(void)snprintf(path, sizeof(path), ".drain/%s", token.name);
	ck_assert(unit_exists(path));
	ck_assert_int_eq(try(&token), 1);
	ck_assert(!unit_exists(path));
	ck_assert_int_eq(token.name[0], 'h');
	ck_assert_int_eq(try(&token), 1);
	ck_assert_int_eq(tickets(), 1);
	cr_token_close(&token);
	cr_token_close(&token);
	ck_assert_int_eq(tickets(), 0);
	/* an existing one is used as it is */
	ck_assert_int_eq(chmod(unit_path(".drain"), 0700), 0);
	token = opened(1, 1, UINT64_MAX);
	ck_assert_int_eq(strncmp(token.name, "w-9999999999-0000000001-", 24), 0);
	ck_assert_int_eq(stat(unit_path(".drain"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	cr_token_close(&token);
}
END_TEST

START_TEST(order)
{
	struct cr_token little = opened(1, 7, 10), most = opened(1, 9, 1000), much = opened(1, 8, 200);
	struct cr_token equal = opened(1, 10, 1000);

	ck_assert_int_eq(try(&little), 0);
	ck_assert_int_eq(try(&much), 0);
	ck_assert_int_eq(try(&equal), 0); /* the smaller job number first */
	ck_assert_int_eq(try(&most), 1);
	ck_assert_int_eq(try(&equal), 0);
	cr_token_close(&most);
	ck_assert_int_eq(try(&much), 0);
	ck_assert_int_eq(try(&equal), 1);
	cr_token_close(&equal);
	ck_assert_int_eq(try(&much), 1);
	ck_assert_int_eq(try(&little), 0);
	/* who holds keeps it */
	most = opened(1, 9, 5000);
	ck_assert_int_eq(try(&most), 0);
	ck_assert_int_eq(try(&much), 1);
	/* nor does one that left without holding leave anything behind */
	cr_token_close(&most);
	cr_token_close(&much);
	ck_assert_int_eq(try(&little), 1);
	cr_token_close(&little);
	ck_assert_int_eq(tickets(), 0);
}
END_TEST

START_TEST(two_at_once)
{
	struct cr_token a = opened(2, 1, 30), b = opened(2, 2, 20), c = opened(2, 3, 10);

	ck_assert_int_eq(try(&c), 0);
	ck_assert_int_eq(try(&b), 1); /* second of two free: no need to wait for the first */
	ck_assert_int_eq(try(&c), 0);
	ck_assert_int_eq(try(&a), 1);
	ck_assert_int_eq(try(&c), 0);
	cr_token_close(&b);
	ck_assert_int_eq(try(&c), 1);
	cr_token_close(&a);
	cr_token_close(&c);
}
END_TEST

struct shared {
	atomic_int inside, most, entered;
};

#define CONTEST_ROUNDS 150

/* Drain a few times, with hardly a pause, so that looks and renames of several meet. */
static int contend(struct shared *s, unsigned int limit, unsigned int seed)
{
	struct cr_error err = {0};

	for (int round = 0; round < CONTEST_ROUNDS; round++) {
		struct cr_token token;
		int rc, now, most;

		if (cr_token_open(&token, unit_dir, limit, seed, "batch.0", (uint64_t)rand_r(&seed) % 3, &err) < 0)
			return 1;
		while ((rc = cr_token_try(&token, &err)) == 0)
			nap_us(rand_r(&seed) % 300);
		if (rc < 0) {
			(void)fprintf(stderr, "%s\n", err.text);
			return 2;
		}
		now = atomic_fetch_add(&s->inside, 1) + 1;
		atomic_fetch_add(&s->entered, 1);
		most = atomic_load(&s->most);
		while (now > most && !atomic_compare_exchange_weak(&s->most, &most, now))
			;
		nap_us(rand_r(&seed) % 300);
		atomic_fetch_sub(&s->inside, 1);
		cr_token_close(&token);
	}
	return 0;
}

static void contest(unsigned int limit)
{
	struct shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pids[5];
	int status;

	ck_assert_ptr_ne(s, MAP_FAILED);
	for (unsigned int i = 0; i < 5; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			_exit(contend(s, limit, i + 1));
	}
	for (unsigned int i = 0; i < 5; i++) {
		ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
		ck_assert_int_eq(status, 0);
	}
	ck_assert_int_eq(s->entered, 5 * CONTEST_ROUNDS);
	ck_assert_int_ge(s->most, 1);
	ck_assert_msg(s->most <= (int)limit, "%d at once, limit %u", s->most, limit);
	ck_assert_int_eq(tickets(), 0);
}

START_TEST(one_of_many_processes)
{
	contest(1);
}
END_TEST

START_TEST(two_of_many_processes)
{
	contest(2);
}
END_TEST

/* In a child: take the token and keep it alive until killed. */
static void hold(int ready)
{
	struct cr_error err = {0};
	struct cr_token token;

	if (cr_token_open(&token, unit_dir, 1, 99, "batch.0", 5, &err) < 0 || cr_token_try(&token, &err) != 1 ||
	    write(ready, "r", 1) != 1)
		_exit(1);
	for (;;) {
		nap_ms(100);
		if (cr_token_beat(&token, &err) < 0)
			_exit(2);
	}
}

START_TEST(a_killed_holder)
{
	struct cr_token token = opened(1, 1, 0);
	uint64_t killed;
	int ready[2], status;
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	if (pid == 0)
		hold(ready[1]);
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	token.lease_ms = 1000;
	/* longer than a lease, but it beats */
	for (int i = 0; i < 15; i++) {
		ck_assert_int_eq(try(&token), 0);
		nap_ms(100);
	}
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	killed = now_ms();
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	while (try(&token) == 0) {
		ck_assert_uint_lt(now_ms() - killed, 60000);
		nap_ms(50);
	}
	ck_assert_uint_ge(now_ms() - killed, 700);
	/* its ticket is there still: others' are not touched */
	ck_assert_int_eq(tickets(), 2);
	cr_token_close(&token);
	ck_assert_int_eq(tickets(), 1);
}
END_TEST

START_TEST(what_does_not_count)
{
	static const char *const garbage[] = {
		"h",
		"h-",
		"README",
		"h-0000000900-0000000001-batch.0-0123456789abcde",   /* short */
		"h-0000000900-0000000001-batch.0-0123456789abcdef0", /* long */
		"h-0000000900-0000000001-batch.0-0123456789ABCDEF",
		"h-0000000900-0000000001--0123456789abcdef",
		"h-0000000900-0000000001-a b-0123456789abcdef",
		"h-0000000900-000000001-batch.0-0123456789abcdef",
		"h-00000000900-0000000001-batch.0-0123456789abcdef",
		"x-0000000900-0000000001-batch.0-0123456789abcdef",
		"h-0000000900-0000000001-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-0123456789abcdef",
	};
	struct cr_token token = opened(1, 2, 5);

	for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++)
		plant(garbage[i], 0);
	ck_assert_int_eq(mkdir(unit_path(".drain/h-0000000900-0000000001-batch.0-0123456789abcdef"), 0700), 0);
	ck_assert_int_eq(symlink(".", unit_path(".drain/h-0000000900-0000000001-batch.0-0123456789abcde0")), 0);
	plant("h-0000000900-0000000001-batch.0-0123456789abcde1", 31);
	plant("w-0000000900-0000000001-batch.0-0123456789abcde2", 31);
	plant("h-0000000900-0000000001-batch.0-0123456789abcde3", -100000);
	/* what does count, to see that the others were not refused for a common reason */
	plant("h-0000000900-0000000001-batch.0-0123456789abcde4", 1);
	ck_assert_int_eq(try(&token), 0);
	ck_assert_int_eq(unlink(unit_path(".drain/h-0000000900-0000000001-batch.0-0123456789abcde4")), 0);
	plant("w-0000000006-0000000001-batch.0-0123456789abcde4", 1);
	ck_assert_int_eq(try(&token), 0);
	plant("w-0000000006-0000000001-batch.0-0123456789abcde4", 40);
	ck_assert_int_eq(try(&token), 1);
	cr_token_close(&token);
}
END_TEST

START_TEST(patience)
{
	struct cr_token holder = opened(1, 1, 5), token = opened(1, 2, 5);

	ck_assert_int_eq(try(&holder), 1);
	ck_assert_int_eq(try(&token), 0);
	ck_assert(!cr_token_overdue(&token));
	token.patience_ms = holder.patience_ms = 50;
	nap_ms(60);
	ck_assert(cr_token_overdue(&token));
	ck_assert(!cr_token_overdue(&holder));
	cr_token_close(&token);
	cr_token_close(&holder);
}
END_TEST

START_TEST(a_removed_ticket)
{
	struct cr_token token = opened(1, 1, 5);
	struct cr_error err = {0};
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), ".drain/%s", token.name);
	ck_assert_int_eq(unlink(unit_path(path)), 0);
	ck_assert_int_eq(cr_token_beat(&token, &err), -1);
	unit_assert_error(&err, ENOENT, "drain ticket");
	ck_assert_int_eq(cr_token_try(&token, &err), -1);
	unit_assert_error(&err, ENOENT, "drain ticket");
	cr_token_close(&token);
}
END_TEST

START_TEST(no_use)
{
	struct cr_error err = {0};
	struct cr_token token;

	ck_assert_int_eq(cr_token_open(&token, unit_path("none"), 1, 1, "batch.0", 1, &err), -1);
	unit_assert_error(&err, ENOENT, "none");
	cr_token_close(&token);
	ck_assert_int_eq(cr_token_open(&token, unit_dir, 0, 1, "batch.0", 1, &err), -1);
	unit_assert_error(&err, EINVAL, "limit is 0");
	ck_assert_int_eq(cr_token_open(&token, unit_dir, 1, 1, "a-b", 1, &err), -1);
	unit_assert_error(&err, EINVAL, "a-b");
	ck_assert_int_eq(cr_token_open(&token, unit_dir, 1, 1, "../x", 1, &err), -1);
	unit_assert_error(&err, EINVAL, "../x");
	ck_assert_int_eq(cr_token_open(&token, unit_dir, 1, 1, "", 1, &err), -1);
	unit_assert_error(&err, EINVAL, "\"\"");
	ck_assert(!unit_exists(".drain"));
	/* a link is not followed */
	ck_assert_int_eq(mkdir(unit_path("elsewhere"), 0777), 0);
	ck_assert_int_eq(symlink("elsewhere", unit_path(".drain")), 0);
	ck_assert_int_eq(cr_token_open(&token, unit_dir, 1, 1, "batch.0", 1, &err), -1);
	unit_assert_error(&err, ENOTDIR, ".drain");
	ck_assert_int_eq(cr_token_gc(unit_dir, &err), -1);
	unit_assert_error(&err, ENOTDIR, ".drain");
	ck_assert_int_eq(rmdir(unit_path("elsewhere")), 0);
	ck_assert_int_eq(unlink(unit_path(".drain")), 0);
	unit_drop_root();
	ck_assert_int_eq(mkdir(unit_path(".drain"), 0500), 0);
	ck_assert_int_eq(cr_token_open(&token, unit_dir, 1, 1, "batch.0", 1, &err), -1);
	unit_assert_error(&err, EACCES, "making the drain ticket");
	ck_assert_int_eq(rmdir(unit_path(".drain")), 0);
	ck_assert_int_eq(chmod(unit_dir, 0500), 0);
	ck_assert_int_eq(cr_token_open(&token, unit_dir, 1, 1, "batch.0", 1, &err), -1);
	unit_assert_error(&err, EACCES, "making");
	cr_token_close(&token);
}
END_TEST

START_TEST(own_dead)
{
	struct cr_error err = {0};
	struct cr_token token;
	char same[64], other[64], lively[64];

	ck_assert_int_eq(cr_token_gc(unit_dir, &err), 0);
	ck_assert_int_eq(cr_token_gc(unit_path("none"), &err), 0);
	ck_assert_int_eq(mkdir(unit_path(".drain"), 01777), 0);
	(void)snprintf(same, sizeof(same), DEAD, 5u, 1u);
	(void)snprintf(other, sizeof(other), DEAD, 6u, 2u);
	(void)snprintf(lively, sizeof(lively), DEAD, 5u, 3u);
	plant(same, 60);
	plant(other, 60);
	plant(lively, 2);
	token = opened(1, 5, 1);
	ck_assert_int_eq(tickets(), 3); /* one of the same job is gone */
	cr_token_close(&token);
	/* not dead for long enough */
	ck_assert_int_eq(cr_token_gc(unit_dir, &err), 0);
	ck_assert_int_eq(tickets(), 2);
	plant(other, 1000);
	plant("keep-me", 100000);
	ck_assert_int_eq(cr_token_gc(unit_dir, &err), 1);
	ck_assert_int_eq(tickets(), 1);
	ck_assert(unit_exists(".drain/keep-me"));
	if (geteuid() != 0) {
		(void)fprintf(stderr, "SKIP own_dead, the others': needs root\n");
		return;
	}
	/* somebody else's stay */
	ck_assert_int_eq(chown(plant(other, 1000), 12345, 12345), 0);
	ck_assert_int_eq(cr_token_gc(unit_dir, &err), 0);
	ck_assert_int_eq(tickets(), 2);
}
END_TEST

UNIT_MAIN("token", {directory_and_ticket, true}, {order, true}, {two_at_once, true}, {one_of_many_processes, true},
	  {two_of_many_processes, true}, {a_killed_holder, true}, {what_does_not_count, true}, {patience, true},
	  {a_removed_ticket, true}, {no_use, true}, {own_dead, true})
