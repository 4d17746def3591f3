/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "token.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include "cleanup.h"
#include "fs.h"
#include "ticket.h"
#include "timefmt.h"

#define DRAIN	      ".drain"
#define DRAIN_MODE    01777
#define MAKE_TRIES    20 /* of 50 ms, for who made the directory to open it to all */
#define RANDOM_LENGTH 16
#define GC_LEASES     10
#define GC_TICKET     "w-0000000000-4294967295-gc"

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS	"0123456789"

#define NUMBER_WIDTH 10

static uint64_t monotonic_ms(void)
{
	return (uint64_t)cr_time_clock_ns(CLOCK_MONOTONIC) / 1000000;
}

static bool part_valid(const char *part, size_t length)
{
	return length > 0 && length <= CR_TICKET_PART_LENGTH && strspn(part, LETTERS DIGITS "._") >= length;
}

/* Is it a ticket's name? Anybody can put anything there. */
static bool name_valid(const char *name)
{
	const char *dash;

	if ((name[0] != CR_TICKET_WAITS && name[0] != CR_TICKET_HOLDS) || name[1] != '-')
		return false;
	if (strspn(name + CR_TICKET_UNSAVED, DIGITS) != NUMBER_WIDTH || name[CR_TICKET_JOB - 1] != '-')
		return false;
	if (strspn(name + CR_TICKET_JOB, DIGITS) != NUMBER_WIDTH || name[CR_TICKET_PART - 1] != '-')
		return false;
	dash = strchr(name + CR_TICKET_PART, '-');
	return dash && part_valid(name + CR_TICKET_PART, (size_t)(dash - (name + CR_TICKET_PART))) &&
	       strspn(dash + 1, DIGITS "abcdef") == RANDOM_LENGTH && dash[1 + RANDOM_LENGTH] == '\0';
}

/* The time of modification in ms; ENOENT when it is gone, EINVAL when it is no file. Network file systems keep
 * attributes for a while; a heartbeat must not look old because of that. */
static int modified(int dir, const char *name, int64_t *ms, uid_t *owner)
{
	struct statx st;

	if (statx(dir, name, AT_SYMLINK_NOFOLLOW | AT_STATX_FORCE_SYNC, STATX_TYPE | STATX_MTIME | STATX_UID,
		  &st) < 0) {
		if (errno == ESTALE)
			errno = ENOENT;
		return -1;
	}
	if (!S_ISREG(st.stx_mode)) {
		errno = EINVAL;
		return -1;
	}
	*ms = (int64_t)st.stx_mtime.tv_sec * 1000 + st.stx_mtime.tv_nsec / 1000000;
	if (owner)
		*owner = st.stx_uid;
	return 0;
}

/* A ticket dated in the future is no more alive than an old one. */
static bool alive(int64_t theirs, int64_t mine, uint64_t lease_ms)
{
	uint64_t apart = theirs > mine ? (uint64_t)theirs - (uint64_t)mine : (uint64_t)mine - (uint64_t)theirs;

	return apart <= lease_ms;
}

/* Read the directory from the start, as it is on the server now. */
static DIR *drain_read(int dir, struct cr_error *err)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statx st;
	DIR *d;

	if (fd < 0) {
		cr_error_sys(err, errno, "reading " DRAIN);
		return NULL;
	}
	/* only to have the cached listing compared; what it says is of no interest, nor is a failure */
	(void)statx(fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_MTIME, &st);
	d = fdopendir(fd);
	if (!d) {
		cr_error_sys(err, errno, "reading " DRAIN);
		close(fd);
	}
	return d;
}

/* How many live holders there are beside me, and (with waiters) live waiters before me; stops counting at the
 * limit, so that a look costs few requests however many wait. */
static int others_count(const struct cr_token *token, bool waiters, unsigned int *n, struct cr_error *err)
{
	cleanup_closedir DIR *d = drain_read(token->dir, err);
	struct dirent *e;
	int64_t mine, theirs;

	*n = 0;
	if (!d)
		return -1;
	if (modified(token->dir, token->name, &mine, NULL) < 0)
		return cr_error_sys(err, errno, "the drain ticket %s", token->name);
	while (*n < token->limit && (errno = 0, e = readdir(d))) {
		if (!name_valid(e->d_name) || strcmp(e->d_name + 1, token->name + 1) == 0)
			continue;
		if (!cr_ticket_in_way(e->d_name, token->name, waiters))
			continue;
		if (modified(token->dir, e->d_name, &theirs, NULL) == 0) {
			if (alive(theirs, mine, token->lease_ms))
				(*n)++;
		} else if (errno != ENOENT && errno != EINVAL) {
			return cr_error_sys(err, errno, "the drain ticket %s", e->d_name);
		}
	}
	/* what could not be read might be a holder */
	return errno && *n < token->limit ? cr_error_sys(err, errno, "reading " DRAIN) : 0;
}

/* Both name the same job, and the same part of it. */
static bool name_same_part(const char *a, const char *b)
{
	return strncmp(a + CR_TICKET_JOB, b + CR_TICKET_JOB, strlen(b + CR_TICKET_JOB) - RANDOM_LENGTH) == 0;
}

/* Remove tickets of our user that are of no use any more: all those that are dead by now; or, with a ticket of
 * ours, those of its job alone, and then also what an earlier drainer of the same part has left, which is no more.
 */
static int dead_remove(int dir, int64_t now, uint64_t lease_ms, const char *mine, struct cr_error *err)
{
	cleanup_closedir DIR *d = drain_read(dir, err);
	struct dirent *e;
	int64_t theirs;
	int removed = 0;
	uid_t owner;

	if (!d)
		return -1;
	while ((errno = 0, e = readdir(d))) {
		if (!name_valid(e->d_name) || (mine && strcmp(e->d_name, mine) == 0) ||
		    (mine && strncmp(e->d_name + CR_TICKET_JOB, mine + CR_TICKET_JOB, NUMBER_WIDTH) != 0))
			continue;
		if (modified(dir, e->d_name, &theirs, &owner) < 0 || owner != geteuid())
			continue;
		if (alive(theirs, now, lease_ms) && !(mine && name_same_part(e->d_name, mine)))
			continue;
		if (unlinkat(dir, e->d_name, 0) == 0)
			removed++;
		else if (errno != ENOENT)
			return cr_error_sys(err, errno, "removing the drain ticket %s", e->d_name);
	}
	return errno ? cr_error_sys(err, errno, "reading " DRAIN) : removed;
}

/* Open DIR/.drain; with make, make it first if nobody has. Returns the descriptor or -1. */
static int drain_open(const char *dir, bool make, struct cr_error *err)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	cleanup_close int site = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	bool made = false;
	int fd;

	if (site < 0)
		return cr_error_sys(err, errno, "%s", dir);
	fd = openat(site, DRAIN, flags);
	if (fd < 0 && errno == ENOENT && make) {
		made = mkdirat(site, DRAIN, DRAIN_MODE) == 0;
		if (!made && errno != EEXIST)
			return cr_error_sys(err, errno, "making %s/" DRAIN, dir);
		fd = openat(site, DRAIN, flags);
	}
	if (fd < 0)
		return cr_error_sys(err, errno, "%s/" DRAIN, dir);
	/* the umask has taken some */
	if (made && fchmod(fd, DRAIN_MODE) < 0) {
		cr_error_sys(err, errno, "changing the mode of %s/" DRAIN, dir);
		close(fd);
		return -1;
	}
	return fd;
}

/* A file of a new name that begins with prefix. */
static int ticket_make(struct cr_token *token, const char *prefix, struct cr_error *err)
{
	const struct timespec moment = {.tv_nsec = 50 * 1000 * 1000};
	char name[CR_TOKEN_NAME];
	uint64_t random;
	int fd = -1;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return cr_error_sys(err, errno, "getrandom");
	(void)snprintf(name, sizeof(name), "%s-%016" PRIx64, prefix, random);
	for (int i = 0; fd < 0 && i < MAKE_TRIES; i++) {
		if (i > 0)
			(void)nanosleep(&moment, NULL);
		fd = openat(token->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
		if (fd < 0 && errno != EACCES)
			break;
	}
	if (fd < 0)
		return cr_error_sys(err, errno, "making the drain ticket " DRAIN "/%s", name);
	memcpy(token->name, name, sizeof(name));
	if (close(fd) < 0)
		return cr_error_sys(err, errno, "making the drain ticket " DRAIN "/%s", name);
	return 0;
}

static int token_begin(struct cr_token *token, const char *dir, uint32_t job, const char *part, uint64_t unsaved_s,
		       struct cr_error *err)
{
	char prefix[CR_TOKEN_NAME - 1 - RANDOM_LENGTH];
	int64_t now;

	token->dir = drain_open(dir, true, err);
	if (token->dir < 0)
		return -1;
	cr_ticket_prefix(prefix, sizeof(prefix), unsaved_s, job, part);
	if (ticket_make(token, prefix, err) < 0 || cr_token_beat(token, err) < 0)
		return -1;
	if (modified(token->dir, token->name, &now, NULL) < 0)
		return cr_error_sys(err, errno, "the drain ticket %s", token->name);
	return dead_remove(token->dir, now, token->lease_ms, token->name, err) < 0 ? -1 : 0;
}

int cr_token_open(struct cr_token *token, const char *dir, unsigned int limit, uint32_t job, const char *part,
		  uint64_t unsaved_s, struct cr_error *err)
{
	*token = (struct cr_token){.dir = -1,
				   .limit = limit,
				   .lease_ms = CR_TOKEN_LEASE_MS,
				   .patience_ms = CR_TOKEN_PATIENCE_MS,
				   .began_ms = monotonic_ms()};
	if (limit == 0)
		return cr_error_set(err, EINVAL, "no job may drain: the limit is 0");
	if (!part_valid(part, strlen(part)))
		return cr_error_set(err, EINVAL, "\"%.64s\" cannot be part of a drain ticket's name", part);
	if (token_begin(token, dir, job, part, unsaved_s, err) < 0) {
		cr_token_close(token);
		return -1;
	}
	return 0;
}

int cr_token_beat(struct cr_token *token, struct cr_error *err)
{
	/* NULL, not our own time: on a network file system the server sets its own */
	if (utimensat(token->dir, token->name, NULL, AT_SYMLINK_NOFOLLOW) < 0)
		return cr_error_sys(err, errno, "touching the drain ticket " DRAIN "/%s", token->name);
	return 0;
}

static int state_set(struct cr_token *token, char state, struct cr_error *err)
{
	char from[64 + CR_TOKEN_NAME], to[64 + CR_TOKEN_NAME];

	(void)snprintf(from, sizeof(from), "/proc/self/fd/%d/%s", token->dir, token->name);
	(void)snprintf(to, sizeof(to), "/proc/self/fd/%d/%c%s", token->dir, state, token->name + 1);
	if (cr_fs_rename(from, to, err) < 0)
		return cr_error_prefix(err, "the drain ticket");
	token->name[0] = state;
	return 0;
}

int cr_token_try(struct cr_token *token, struct cr_error *err)
{
	unsigned int others;

	if (cr_token_beat(token, err) < 0)
		return -1;
	if (token->held)
		return 1;
	if (others_count(token, true, &others, err) < 0)
		return -1;
	if (others >= token->limit)
		return 0;
	if (state_set(token, CR_TICKET_HOLDS, err) < 0)
		return -1;
	/* All of those who took one before this second look are in it. Whoever finds too many goes back, whatever
	 * his place: another may have had his look before my rename, and be at work. */
	if (others_count(token, false, &others, err) < 0) {
		(void)state_set(token, CR_TICKET_WAITS, NULL); /* the first error is the one to tell */
		return -1;
	}
	token->held = others < token->limit;
	return token->held ? 1 : state_set(token, CR_TICKET_WAITS, err);
}

bool cr_token_overdue(const struct cr_token *token)
{
	return !token->held && monotonic_ms() - token->began_ms >= token->patience_ms;
}

void cr_token_close(struct cr_token *token)
{
	/* one that cannot be removed is soon a dead one */
	if (token->name[0] != '\0')
		(void)unlinkat(token->dir, token->name, 0);
	token->name[0] = '\0';
	token->held = false;
	if (token->dir >= 0)
		close(token->dir);
	token->dir = -1;
}

int cr_token_gc(const char *dir, struct cr_error *err)
{
	struct cr_token probe = {.dir = -1};
	struct cr_error why = {0};
	int64_t now;
	int removed = -1;

	probe.dir = drain_open(dir, false, &why);
	if (probe.dir < 0)
		return why.errnum == ENOENT ? 0 : cr_error_set(err, why.errnum, "%s", why.text);
	/* a ticket only to learn the file system's time from: the last of all, and removed by the next if need be
	 */
	if (ticket_make(&probe, GC_TICKET, err) == 0 && cr_token_beat(&probe, err) == 0) {
		if (modified(probe.dir, probe.name, &now, NULL) < 0)
			cr_error_sys(err, errno, "%s/" DRAIN, dir);
		else
			removed = dead_remove(probe.dir, now, (uint64_t)GC_LEASES * CR_TOKEN_LEASE_MS, NULL, err);
	}
	cr_token_close(&probe);
	return removed;
}
