/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "placed.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"
#include "job.h"
#include "shim.h"
#include "shim_placed.h"

#define AREAS_MAX   262144
#define NONE	    (-1) /* no policy */
#define KERNEL_TEXT 62	 /* the kernel cuts a policy there */
#define SETTLE_MAX  (1u << 20)

struct policy {
	int mode;
	char nodes[SHIM_PLACED_TEXT];
};

struct area {
	uint64_t start, end;
	int lock;
	struct policy policy;
};

struct areas {
	struct area *v;
	size_t n, room;
};

static FILE *proc_open(const char *proc, pid_t pid, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%d/%s", proc, (int)pid, name);
	return fopen(path, "re");
}

/* ---- what /proc says ---- */

static struct area *area_add(struct areas *areas)
{
	if (areas->n == areas->room) {
		size_t room = areas->room ? areas->room * 2 : 256;
		struct area *more = room <= AREAS_MAX ? reallocarray(areas->v, room, sizeof(*more)) : NULL;

		if (!more)
			return NULL;
		areas->v = more;
		areas->room = room;
	}
	areas->v[areas->n] = (struct area){.policy = {.mode = NONE, .nodes = "-"}};
	return &areas->v[areas->n++];
}

static void maps_read(const char *proc, pid_t pid, struct areas *areas)
{
	cleanup_fclose FILE *f = proc_open(proc, pid, "maps");
	cleanup_free char *line = NULL;
	size_t room = 0;

	while (f && getline(&line, &room, f) > 0) {
		uint64_t start, end;
		struct area *a;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &start, &end) != 2)
			continue;
		a = area_add(areas);
		if (!a)
			return;
		a->start = start;
		a->end = end;
	}
}

static struct area *area_find(const struct areas *areas, uint64_t start)
{
	size_t low = 0, high = areas->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (areas->v[middle].start < start)
			low = middle + 1;
		else
			high = middle;
	}
	return low < areas->n && areas->v[low].start == start ? &areas->v[low] : NULL;
}

/* Returns what follows the name of the mode, or NULL. */
static const char *mode_parse(const char *text, int *mode)
{
	static const struct {
		const char *name;
		int mode;
	} modes[] = {
		{"prefer (many)", MPOL_PREFERRED_MANY},
		{"prefer", MPOL_PREFERRED},
		{"bind", MPOL_BIND},
		{"interleave", MPOL_INTERLEAVE},
		{"weighted interleave", 6 /* MPOL_WEIGHTED_INTERLEAVE */},
		{"local", MPOL_LOCAL},
	};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		const size_t n = strlen(modes[i].name);

		if (strncmp(text, modes[i].name, n) == 0 && strchr("=: \n", text[n])) {
			*mode = modes[i].mode;
			return text + n;
		}
	}
	return NULL;
}

/* "interleave=static:0-1 " */
static void policy_parse(const char *text, struct policy *policy)
{
	const char *rest;
	size_t n;

	*policy = (struct policy){.mode = NONE, .nodes = "-"};
	rest = mode_parse(text, &policy->mode);
	if (!rest)
		return;
	if (*rest == '=') {
		n = strcspn(rest, ": \n");
		policy->mode |= memmem(rest, n, "static", 6) ? MPOL_F_STATIC_NODES : 0;
		policy->mode |= memmem(rest, n, "relative", 8) ? MPOL_F_RELATIVE_NODES : 0;
		policy->mode |= memmem(rest, n, "balancing", 9) ? MPOL_F_NUMA_BALANCING : 0;
		rest += n;
	}
	if (*rest != ':')
		return;
	rest++;
	n = strcspn(rest, " \n");
	/* what is cut may end in half a number */
	if ((size_t)(rest - text) + n >= KERNEL_TEXT)
		while (n > 0 && rest[n] != ',')
			n--;
	if (n > 0 && n < sizeof(policy->nodes))
		snprintf(policy->nodes, sizeof(policy->nodes), "%.*s", (int)n, rest);
}

/* A line is "7f0123456000 interleave:0-1 file=... N0=3". */
static bool line_parse(const char *line, uint64_t *start, struct policy *policy)
{
	int at = 0;

	if (sscanf(line, "%" SCNx64 " %n", start, &at) != 1 || !at)
		return false;
	policy_parse(line + at, policy);
	return true;
}

static void policies_read(const char *proc, pid_t pid, const struct areas *areas)
{
	cleanup_fclose FILE *f = proc_open(proc, pid, "numa_maps");
	cleanup_free char *line = NULL;
	size_t room = 0;

	while (f && getline(&line, &room, f) > 0) {
		struct policy policy;
		struct area *a;
		uint64_t start;

		if (line_parse(line, &start, &policy) && (a = area_find(areas, start)))
			a->policy = policy;
	}
}

/* An area without a policy of its own shows that of the thread, and nobody gives one to the first, the program's
 * own. No more is read: the kernel counts pages for every line. */
static void thread_read(const char *proc, pid_t pid, pid_t tid, struct policy *policy)
{
	char path[PATH_MAX], line[128];
	cleanup_close int fd = -1;
	uint64_t start;
	ssize_t n;

	*policy = (struct policy){.mode = NONE, .nodes = "-"};
	snprintf(path, sizeof(path), "%s/%d/task/%d/numa_maps", proc, (int)pid, (int)tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
	if (n <= 0)
		return;
	line[n] = '\0';
	(void)line_parse(line, &start, policy);
}

static bool locked_any(const char *proc, pid_t pid)
{
	cleanup_fclose FILE *f = proc_open(proc, pid, "status");
	unsigned long kib = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "VmLck: %lu", &kib) == 1)
			return kib > 0;
	}
	return false;
}

/* criu locks what is locked as it makes it, with all its pages. Where something is locked on fault, it is told to
 * lock nothing of that process, and all of it is locked at the end. */
static void locks_read(const char *proc, pid_t pid, const struct areas *areas)
{
	cleanup_fclose FILE *f = locked_any(proc, pid) ? proc_open(proc, pid, "smaps") : NULL;
	cleanup_free char *line = NULL;
	struct area *a = NULL;
	bool on_fault = false;
	size_t room = 0;

	while (f && getline(&line, &room, f) > 0) {
		uint64_t start, end;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &start, &end) == 2) {
			a = area_find(areas, start);
		} else if (a && strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " lo ")) {
			a->lock = strstr(line, " lf ") ? SHIM_PLACED_ON_FAULT : SHIM_PLACED_LOCKED;
			on_fault = on_fault || a->lock == SHIM_PLACED_ON_FAULT;
		}
	}
	for (size_t i = 0; !on_fault && i < areas->n; i++)
		areas->v[i].lock = 0;
}

static unsigned personality_read(const char *proc, pid_t pid)
{
	cleanup_fclose FILE *f = proc_open(proc, pid, "personality");
	unsigned value;

	return f && fscanf(f, "%x", &value) == 1 ? value : 0;
}

/* ---- taking ---- */

static bool policy_same(const struct policy *a, const struct policy *b)
{
	return a->mode == b->mode && strcmp(a->nodes, b->nodes) == 0;
}

static int placed_add(json_t *list, long *room, pid_t tid, const struct area *a, unsigned personality)
{
	if (*room <= 0) {
		*room = -1;
		return 0;
	}
	--*room;
	return json_array_append_new(list, json_pack("[i, I, I, i, i, s, I]", (int)tid, (json_int_t)a->start,
						     (json_int_t)a->end, a->lock, a->policy.mode, a->policy.nodes,
						     (json_int_t)personality));
}

/* The personality of the first thread is that of all. */
static int threads_take(const char *proc, pid_t pid, long *room, json_t *list)
{
	const unsigned personality = personality_read(proc, pid);
	cleanup_closedir DIR *d = NULL;
	char path[PATH_MAX];
	struct dirent *e;
	int rc = 0;

	snprintf(path, sizeof(path), "%s/%d/task", proc, (int)pid);
	d = opendir(path);
	while (rc == 0 && d && (e = readdir(d))) {
		const pid_t tid = (pid_t)atoi(e->d_name);
		struct area a = {0};

		if (tid <= 0)
			continue;
		thread_read(proc, pid, tid, &a.policy);
		if (personality || a.policy.mode != NONE)
			rc = placed_add(list, room, tid, &a, personality);
	}
	return rc;
}

/* What is alike and side by side is one. */
static int areas_take(const struct areas *areas, pid_t pid, const struct policy *own, long *room, json_t *list)
{
	struct area last = {0};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < areas->n; i++) {
		struct area a = areas->v[i];

		if (policy_same(&a.policy, own))
			a.policy = (struct policy){.mode = NONE, .nodes = "-"};
		if (a.policy.mode == NONE && !a.lock)
			continue;
		if (last.end == a.start && last.lock == a.lock && policy_same(&last.policy, &a.policy)) {
			last.end = a.end;
			continue;
		}
		rc = last.end ? placed_add(list, room, pid, &last, 0) : 0;
		last = a;
	}
	return rc == 0 && last.end ? placed_add(list, room, pid, &last, 0) : rc;
}

int placed_put(const char *proc, pid_t pid, long *room, json_t *process)
{
	json_t *list = json_array();
	struct areas areas = {0};
	struct policy own;
	int rc;

	maps_read(proc, pid, &areas);
	policies_read(proc, pid, &areas);
	locks_read(proc, pid, &areas);
	thread_read(proc, pid, pid, &own);
	rc = list ? threads_take(proc, pid, room, list) : -1;
	if (rc == 0)
		rc = areas_take(&areas, pid, &own, room, list);
	free(areas.v);
	if (rc == 0 && json_array_size(list) > 0)
		return json_object_set_new(process, "placed", list);
	json_decref(list);
	return rc;
}

/* ---- telling ---- */

static bool one_ok(const json_t *one)
{
	unsigned long nodes[SHIM_PLACED_NODES / 8 / sizeof(unsigned long)];
	json_int_t start, end, personality;
	int tid, lock, mode;
	const char *text;

	return json_unpack((json_t *)one, "[i, I, I, i, i, s, I!]", &tid, &start, &end, &lock, &mode, &text,
			   &personality) == 0 &&
	       tid > 0 && start >= 0 && end >= start && lock >= 0 && lock <= SHIM_PLACED_ON_FAULT &&
	       mode >= NONE && strlen(text) < SHIM_PLACED_TEXT && shim_placed_nodes(text, nodes) == 0 &&
	       personality >= 0 && personality <= UINT_MAX;
}

bool placed_ok(const json_t *placed)
{
	size_t i;
	json_t *one;

	if (!placed)
		return true;
	if (!json_is_array(placed) || json_array_size(placed) > SHIM_PLACED_MAX)
		return false;
	json_array_foreach (placed, i, one) {
		if (!one_ok(one))
			return false;
	}
	return true;
}

static void process_write(FILE *f, const json_t *process)
{
	const int pid = (int)json_integer_value(json_object_get(process, "pid"));
	size_t i;
	json_t *one;

	json_array_foreach (json_object_get(process, "placed"), i, one) {
		json_int_t start, end, personality;
		int tid, lock, mode;
		const char *text;

		if (json_unpack(one, "[i, I, I, i, i, s, I!]", &tid, &start, &end, &lock, &mode, &text,
				&personality) == 0)
			fprintf(f, "%d %d %" PRIx64 " %" PRIx64 " %d %d %s %x\n", pid, tid, (uint64_t)start,
				(uint64_t)end, lock, mode, text, (unsigned)personality);
	}
}

int placed_tell(const char *dir, const json_t *processes, struct cr_error *err)
{
	cleanup_free char *text = NULL;
	char path[PATH_MAX];
	size_t size = 0, i;
	json_t *process;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return cr_error_sys(err, errno, "memory policies");
	json_array_foreach ((json_t *)processes, i, process) {
		process_write(f, process);
	}
	if (fclose(f) != 0)
		return cr_error_sys(err, errno, "memory policies");
	if (size == 0)
		return 0;
	snprintf(path, sizeof(path), "%s/" SHIM_PLACED, dir);
	return cr_fs_write_atomic(path, text, size, 0600, err);
}

/* The library writes "THREAD ERRNO" for each. */
static void misplaced_say(const struct job *job, const char *text)
{
	int tid, error, used;
	unsigned n = 0, first = 0;
	int why = 0;

	for (; sscanf(text, "%d %d%n", &tid, &error, &used) == 2; text += used) {
		if (n++)
			continue;
		first = (unsigned)tid;
		why = error;
	}
	if (n)
		job_log(job, 0,
			"not as before: a memory policy, locked memory or the personality of process %u: %s%s",
			first, strerror(why), n > 1 ? " (and others of this kind)" : "");
}

void placed_settle(const struct job *job)
{
	cleanup_free char *text = NULL;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/" SHIM_MISPLACED, job->home);
	if (cr_fs_read(path, SETTLE_MAX, &text, NULL, NULL) == 0)
		misplaced_say(job, text);
	(void)cr_fs_unlink(path, NULL);
	snprintf(path, sizeof(path), "%s/" SHIM_PLACED, job->home);
	(void)cr_fs_unlink(path, NULL);
}
