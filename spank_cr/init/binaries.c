/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "binaries.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buildid.h"
#include "cleanup.h"
#include "imgproc.h"
#include "ns.h"
#include "proc.h"

#define MOST	    16384 /* files; a job with more has something else in its mind */
#define PATIENCE_MS 30000

/* Processes of one job map much the same files in the same order: look where the last one was found first. */
static struct binary *binary_find(struct binaries *b, const char *path)
{
	for (size_t i = 0; i < b->n; i++) {
		size_t at = (b->hint + i) % b->n;

		if (strcmp(b->list[at].path, path) == 0) {
			b->hint = at + 1;
			return &b->list[at];
		}
	}
	return NULL;
}

static struct binary *binary_add(struct binaries *b, const char *path, struct cr_error *err)
{
	struct binary *own;

	if (b->n == b->room) {
		size_t more = b->room ? 2 * b->room : 64;
		struct binary *list = reallocarray(b->list, more, sizeof(*list));

		if (!list) {
			cr_error_sys(err, ENOMEM, "the list of programs");
			return NULL;
		}
		b->list = list;
		b->room = more;
	}
	own = &b->list[b->n];
	*own = (struct binary){.path = strdup(path)};
	if (!own->path) {
		cr_error_sys(err, ENOMEM, "the list of programs");
		return NULL;
	}
	b->n++;
	return own;
}

/* A file that a process runs, by the name it had when it was opened. */
static int file_seen(struct binaries *b, const char *path, bool frozen, struct cr_error *err)
{
	struct binary *own = binary_find(b, path);
	struct stat st;
	int64_t mtime_ns;

	if (!own) {
		/* no such file here: deleted since, or no file at all (a memfd, System V shared memory) */
		if (cr_ns_private(path) || lstat(path, &st) < 0 || !S_ISREG(st.st_mode))
			return 0;
		if (b->n == MOST) {
			b->more++;
			return 0;
		}
		own = binary_add(b, path, err);
		if (!own)
			return -1;
	} else if (own->used || lstat(path, &st) < 0) {
		return 0;
	}
	mtime_ns = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
	mtime_ns = mtime_ns < 0 ? 0 : mtime_ns;
	if (own->size != (uint64_t)st.st_size || own->mtime_ns != mtime_ns) {
		free(own->build_id);
		own->build_id = NULL;
	}
	own->size = (uint64_t)st.st_size;
	own->mtime_ns = mtime_ns;
	own->used = frozen;
	return 0;
}

/* A process that has gone meanwhile, or may not be looked at, has nothing. */
static int process_scan(struct binaries *b, pid_t pid, bool frozen, struct cr_error *err)
{
	char link[64], path[PATH_MAX];
	cleanup_free char *buffer = NULL;
	cleanup_fclose FILE *maps = NULL;
	size_t room = 0;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/maps", (int)pid);
	maps = fopen(link, "re");
	while (maps && (n = getline(&buffer, &room, maps)) > 0) {
		char perms[5] = "", *file;

		buffer[strcspn(buffer, "\n")] = '\0';
		if (sscanf(buffer, "%*s %4s", perms) != 1 || perms[2] != 'x')
			continue;
		file = strchr(buffer, '/');
		if (file && !cr_proc_deleted(file) && file_seen(b, file, frozen, err) < 0)
			return -1;
	}
	snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return 0;
	path[n] = '\0';
	return path[0] == '/' && !cr_proc_deleted(path) ? file_seen(b, path, frozen, err) : 0;
}

static int tree_scan(struct binaries *b, pid_t root, bool frozen, struct cr_error *err)
{
	cleanup_free pid_t *pids = NULL;
	size_t n;

	if (cr_proc_tree(root, &pids, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (process_scan(b, pids[i], frozen, err) < 0)
			return -1;
	return 0;
}

/* ---- looking into them: in a process without a capability, for they are the user's files ---- */

static void look_run(int fd, void *arg)
{
	const struct binaries *b = arg;

	for (size_t i = 0; i < b->n; i++) {
		struct imgproc_message m = {.type = IMGPROC_REMARK, .value = {i}};
		struct cr_fit_file file;

		if (b->list[i].build_id)
			continue;
		buildid_file(b->list[i].path, &file, NULL);
		/* exchanged since it was seen: not what the job runs, and nobody can tell any more */
		m.value[1] = file.found && file.size == b->list[i].size && file.mtime_ns == b->list[i].mtime_ns;
		snprintf(m.text, sizeof(m.text), "%s", file.build_id);
		if (imgproc_send(fd, &m, -1, NULL) < 0)
			return;
	}
}

static bool look_needed(const struct binaries *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (!b->list[i].build_id)
			return true;
	return false;
}

static int binaries_look(struct binaries *b, struct cr_error *err)
{
	struct imgproc_message m;
	struct imgproc proc;
	int rc = 0;

	if (!look_needed(b))
		return 0;
	if (imgproc_start(&proc, -1, look_run, b, err) < 0)
		return -1;
	for (size_t i = 0; i < b->n && rc == 0; i++) {
		if (b->list[i].build_id)
			continue;
		rc = imgproc_receive(proc.fd, &m, NULL, PATIENCE_MS, err);
		if (rc == 0)
			rc = cr_error_set(err, ETIMEDOUT, "%s cannot be read in time", b->list[i].path);
		else if (rc == 1)
			rc = m.value[0] == i ? 0 : cr_error_set(err, EPROTO, "%s: %s", b->list[i].path, m.text);
		if (rc == 0 && m.value[1] && !(b->list[i].build_id = strdup(m.text)))
			rc = cr_error_sys(err, ENOMEM, "build id");
	}
	imgproc_end(&proc);
	return rc;
}

static int past_use(struct binaries *b, const struct cr_manifest *past, struct cr_error *err)
{
	for (size_t i = 0; i < past->n_binaries; i++) {
		const struct cr_manifest_binary *known = &past->binaries[i];
		struct binary *own = binary_find(b, known->path);

		if (!own || own->build_id || own->size != known->size || own->mtime_ns != known->mtime_ns)
			continue;
		own->build_id = strdup(known->build_id);
		if (!own->build_id)
			return cr_error_sys(err, ENOMEM, "build id");
	}
	return 0;
}

/* ---- the steps ---- */

int binaries_begin(struct binaries *b, pid_t root, const struct cr_manifest *past, struct cr_error *err)
{
	if (tree_scan(b, root, false, err) < 0 || past_use(b, past, err) < 0)
		return -1;
	return binaries_look(b, err);
}

int binaries_frozen(struct binaries *b, pid_t root, struct cr_error *err)
{
	return tree_scan(b, root, true, err);
}

int binaries_record(struct binaries *b, struct cr_manifest *m, struct cr_error *err)
{
	if (binaries_look(b, err) < 0)
		return -1;
	for (size_t i = 0; i < b->n; i++) {
		const struct binary *own = &b->list[i];

		if (!own->used || !own->build_id)
			continue;
		if (cr_manifest_add_binary(m,
					   &(struct cr_manifest_binary){.path = own->path,
									.size = own->size,
									.mtime_ns = own->mtime_ns,
									.build_id = own->build_id},
					   err) < 0)
			return -1;
	}
	if (b->more)
		return cr_error_set(err, E2BIG, "of more than %d programs and libraries the rest", MOST);
	return 0;
}

void binaries_clear(struct binaries *b)
{
	for (size_t i = 0; i < b->n; i++) {
		free(b->list[i].path);
		free(b->list[i].build_id);
	}
	free(b->list);
	*b = (struct binaries){0};
}
