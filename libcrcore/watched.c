/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "watched.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"
#include "timefmt.h"

#define WATCHES_MAX 4096
#define SEEDS_MAX   4096
#define QUEUE_MAX   20000  /* directories below them */
#define ENTRIES_MAX 200000 /* of directories */
#define DEPTH_MAX   64	   /* of watched directories within each other */
#define WORDS_MAX   256	   /* of a command line */

struct names {
	char **list;
	size_t n, room;
};

struct search {
	struct cr_watched *w;
	int proc;
	int64_t deadline_ns;
	bool seeding;
	struct names seeds, queue;
	unsigned entries;
};

/* ---- lists ---- */

static int names_add(struct names *names, const char *name, size_t max, struct cr_error *err)
{
	if (names->n >= max)
		return 0;
	if (names->n == names->room) {
		size_t room = names->room ? 2 * names->room : 64;
		char **more = reallocarray(names->list, room, sizeof(*more));

		if (!more)
			return cr_error_sys(err, ENOMEM, "what the job watches");
		names->list = more;
		names->room = room;
	}
	names->list[names->n] = strdup(name);
	if (!names->list[names->n])
		return cr_error_sys(err, ENOMEM, "what the job watches");
	names->n++;
	return 0;
}

static void names_clear(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->list[i]);
	free(names->list);
}

static int name_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void names_sort(struct names *names)
{
	size_t kept = 0;

	if (names->n)
		qsort(names->list, names->n, sizeof(*names->list), name_compare);
	for (size_t i = 0; i < names->n; i++) {
		if (kept && strcmp(names->list[kept - 1], names->list[i]) == 0)
			free(names->list[i]);
		else
			names->list[kept++] = names->list[i];
	}
	names->n = kept;
}

static int watch_compare(const void *a, const void *b)
{
	const struct cr_watch *x = a, *y = b;

	if (x->ino != y->ino)
		return x->ino < y->ino ? -1 : 1;
	return x->device < y->device ? -1 : x->device > y->device;
}

/* Every one once: two may watch the same file. */
static void watches_sort(struct cr_watched *w)
{
	size_t kept = 0;

	if (w->n)
		qsort(w->list, w->n, sizeof(*w->list), watch_compare);
	for (size_t i = 0; i < w->n; i++) {
		if (!kept || watch_compare(&w->list[kept - 1], &w->list[i]) != 0)
			w->list[kept++] = w->list[i];
	}
	w->n = w->missing = kept;
}

/* ---- what is watched ---- */

static int watch_add(struct cr_watched *w, const char *line, struct cr_error *err)
{
	struct cr_watch watch = {0};

	/* the handle is not there when the file system has none: criu does not take it then */
	if (w->n >= WATCHES_MAX || sscanf(line,
					  "inotify wd:%*x ino:%" SCNx64 " sdev:%" SCNx64
					  " mask:%*x ignored_mask:%*x fhandle-bytes:%x fhandle-type:%x "
					  "f_handle:%256[0-9a-f]",
					  &watch.ino, &watch.device, &watch.bytes, &watch.type, watch.handle) != 5)
		return 0;
	if (w->n == w->room) {
		size_t room = w->room ? 2 * w->room : 16;
		struct cr_watch *more = reallocarray(w->list, room, sizeof(*more));

		if (!more)
			return cr_error_sys(err, ENOMEM, "what the job watches");
		w->list = more;
		w->room = room;
	}
	w->list[w->n++] = watch;
	return 0;
}

static int watches_read(struct search *s, pid_t pid, const char *fd, struct cr_error *err)
{
	char path[64], line[512];
	cleanup_fclose FILE *f = NULL;

	snprintf(path, sizeof(path), "%d/fdinfo/%.20s", (int)pid, fd);
	f = cr_fs_fopen_at(s->proc, path, 0);
	while (f && fgets(line, sizeof(line), f)) {
		if (watch_add(s->w, line, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- where that may be ---- */

/* What is at path, or the directory that it is in. */
static int seed_add(struct search *s, const char *path, bool directory, struct cr_error *err)
{
	char dir[PATH_MAX];
	const char *last = strrchr(path, '/');

	if (path[0] != '/' || strncmp(path, "/proc/", 6) == 0 || strncmp(path, "/sys/", 5) == 0)
		return 0;
	snprintf(dir, sizeof(dir), "%.*s", directory ? INT_MAX : last == path ? 1 : (int)(last - path), path);
	return names_add(&s->seeds, dir, SEEDS_MAX, err);
}

static int link_read(const struct search *s, pid_t pid, const char *name, char link[PATH_MAX])
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "%d/%.32s", (int)pid, name);
	n = readlinkat(s->proc, path, link, PATH_MAX - 1);
	link[n > 0 ? n : 0] = '\0';
	return n > 0 ? 0 : -1;
}

/* tail -f FILE, inotifywait DIRECTORY */
static int word_look(struct search *s, const char *cwd, const char *word, struct cr_error *err)
{
	char path[2 * PATH_MAX];
	struct stat st;

	if (word[0] == '/')
		snprintf(path, sizeof(path), "%s", word);
	else
		snprintf(path, sizeof(path), "%s/%s", cwd, word);
	if (strlen(path) >= PATH_MAX || stat(path, &st) < 0 || !realpath(path, path + PATH_MAX) ||
	    (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
		return 0;
	return seed_add(s, path + PATH_MAX, S_ISDIR(st.st_mode), err);
}

static int words_look(struct search *s, pid_t pid, struct cr_error *err)
{
	char path[64], cwd[PATH_MAX];
	cleanup_free char *word = NULL;
	cleanup_fclose FILE *f = NULL;
	size_t room = 0;

	snprintf(path, sizeof(path), "%d/cmdline", (int)pid);
	f = cr_fs_fopen_at(s->proc, path, 0);
	if (link_read(s, pid, "cwd", cwd) < 0)
		return 0;
	for (int i = 0; f && i < WORDS_MAX && getdelim(&word, &room, '\0', f) > 0; i++) {
		if (word_look(s, cwd, word, err) < 0)
			return -1;
	}
	return 0;
}

static int file_look(struct search *s, pid_t pid, const char *name, const char *link, struct cr_error *err)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "%d/%.32s", (int)pid, name);
	if (link[0] != '/' || fstatat(s->proc, path, &st, 0) < 0 || st.st_nlink == 0 ||
	    (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
		return 0;
	return seed_add(s, link, S_ISDIR(st.st_mode), err);
}

/* First what it watches; then, when anybody watches anything, where that may be. */
static int process_look(struct search *s, pid_t pid, struct cr_error *err)
{
	char path[64], name[64], link[PATH_MAX];
	cleanup_closedir DIR *fds = NULL;
	struct dirent *e;
	bool watches = false;

	snprintf(path, sizeof(path), "%d/fd", (int)pid);
	fds = cr_fs_opendir_at(s->proc, path, 0);
	while (fds && (e = readdir(fds))) {
		int rc = 0;

		snprintf(name, sizeof(name), "fd/%.32s", e->d_name);
		if (e->d_name[0] == '.' || link_read(s, pid, name, link) < 0)
			continue;
		if (strcmp(link, "anon_inode:inotify") == 0) {
			watches = true;
			rc = s->seeding ? 0 : watches_read(s, pid, e->d_name, err);
		} else if (s->seeding) {
			rc = file_look(s, pid, name, link, err);
		}
		if (rc < 0)
			return -1;
	}
	if (!s->seeding)
		return 0;
	if (link_read(s, pid, "cwd", link) == 0 && seed_add(s, link, true, err) < 0)
		return -1;
	return watches ? words_look(s, pid, err) : 0;
}

/* ---- looking ---- */

static bool is_over(const struct search *s)
{
	if (s->w->missing == 0 || s->entries > ENTRIES_MAX)
		return true;
	if (s->entries % 256 || s->deadline_ns == 0)
		return false;
	return cr_time_clock_ns(CLOCK_MONOTONIC) > s->deadline_ns;
}

/* The first of those with that inode. */
static size_t watch_at(const struct cr_watched *w, uint64_t ino)
{
	size_t from = 0, to = w->n;

	while (from < to) {
		size_t mid = from + (to - from) / 2;

		if (w->list[mid].ino < ino)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

static bool has_ino(const struct cr_watched *w, uint64_t ino)
{
	size_t at = watch_at(w, ino);

	return at < w->n && w->list[at].ino == ino;
}

/* Returns 1 when that is what somebody watches, 0, -1. A link that is watched itself criu would follow. */
static int match(struct search *s, const struct stat *st, const char *path, struct cr_error *err)
{
	if (S_ISLNK(st->st_mode))
		return 0;
	for (size_t i = watch_at(s->w, st->st_ino); i < s->w->n && s->w->list[i].ino == st->st_ino; i++) {
		struct cr_watch *watch = &s->w->list[i];

		/* what of the kernel's device numbers does not fit is as it encodes them itself */
		if (makedev(watch->device >> 20, watch->device & 0xfffff) != st->st_dev)
			continue;
		if (watch->path)
			return 1;
		watch->path = strdup(path);
		if (!watch->path)
			return cr_error_sys(err, ENOMEM, "what the job watches");
		s->w->missing--;
		return 1;
	}
	return 0;
}

static int directory_look(struct search *s, const char *path, unsigned depth, struct cr_error *err);

static int entry_look(struct search *s, int dir, const char *in, const struct dirent *e, unsigned depth,
		      struct cr_error *err)
{
	char path[PATH_MAX];
	struct stat st;
	int n = snprintf(path, sizeof(path), "%s/%s", strcmp(in, "/") == 0 ? "" : in, e->d_name), rc = 0;
	bool directory = e->d_type == DT_DIR;
	const char *const name = path;

	/* a line each is what the library reads */
	if (n < 0 || (size_t)n >= sizeof(path) || strchr(path, '\n'))
		return 0;
	if (has_ino(s->w, e->d_ino) || e->d_type == DT_UNKNOWN) {
		if (fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return 0;
		directory = S_ISDIR(st.st_mode);
		rc = match(s, &st, path, err);
	}
	if (rc < 0 || !directory || bsearch(&name, s->seeds.list, s->seeds.n, sizeof(name), name_compare))
		return rc < 0 ? -1 : 0;
	return rc && depth < DEPTH_MAX ? directory_look(s, path, depth + 1, err)
				       : names_add(&s->queue, path, QUEUE_MAX, err);
}

static int directory_look(struct search *s, const char *path, unsigned depth, struct cr_error *err)
{
	cleanup_closedir DIR *d = cr_fs_opendir_at(AT_FDCWD, path, O_NOFOLLOW | O_NONBLOCK);
	struct dirent *e;
	struct stat st;

	if (!d)
		return 0;
	if (fstat(dirfd(d), &st) == 0 && !strchr(path, '\n') && match(s, &st, path, err) < 0)
		return -1;
	while (!is_over(s) && (e = readdir(d))) {
		s->entries++;
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
		    entry_look(s, dirfd(d), path, e, depth, err) < 0)
			return -1;
	}
	return 0;
}

static int all_look(struct search *s, struct cr_error *err)
{
	static const char *const always[] = {"/tmp", "/var/tmp", "/dev/shm"};

	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++) {
		if (seed_add(s, always[i], true, err) < 0)
			return -1;
	}
	names_sort(&s->seeds);
	for (size_t i = 0; i < s->seeds.n && !is_over(s); i++) {
		if (directory_look(s, s->seeds.list[i], 0, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < s->queue.n && !is_over(s); i++) {
		if (directory_look(s, s->queue.list[i], 0, err) < 0)
			return -1;
	}
	return 0;
}

static int find(struct search *s, const pid_t *pids, size_t n, struct cr_error *err)
{
	for (size_t i = 0; i < n; i++) {
		if (process_look(s, pids[i], err) < 0)
			return -1;
	}
	watches_sort(s->w);
	s->seeding = true;
	for (size_t i = 0; i < n && s->w->missing; i++) {
		if (process_look(s, pids[i], err) < 0)
			return -1;
	}
	return s->w->missing ? all_look(s, err) : 0;
}

int cr_watched_find(struct cr_watched *w, int proc, const pid_t *pids, size_t n, int64_t deadline_ns,
		    struct cr_error *err)
{
	struct search s = {.w = w, .proc = proc, .deadline_ns = deadline_ns};
	int rc;

	*w = (struct cr_watched){0};
	rc = find(&s, pids, n, err);
	names_clear(&s.seeds);
	names_clear(&s.queue);
	if (rc < 0)
		cr_watched_clear(w);
	return rc;
}

void cr_watched_clear(struct cr_watched *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->list[i].path);
	free(w->list);
	*w = (struct cr_watched){0};
}

const char *cr_watched_path(const struct cr_watched *w, uint64_t device, uint64_t ino)
{
	for (size_t i = watch_at(w, ino); i < w->n && w->list[i].ino == ino; i++) {
		if (w->list[i].device == device)
			return w->list[i].path;
	}
	return NULL;
}

int cr_watched_write(const struct cr_watched *w, FILE *f)
{
	fputc('\n', f);
	for (size_t i = 0; i < w->n; i++) {
		const struct cr_watch *watch = &w->list[i];

		if (watch->path)
			fprintf(f, "%u %u %s %" PRIu64 " %s\n", watch->bytes, watch->type, watch->handle,
				watch->ino, watch->path);
	}
	return ferror(f) ? -1 : 0;
}
