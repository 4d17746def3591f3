/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cleanup.h"

#define FORKED 0x40 /* PF_FORKNOEXEC, of the flags in /proc/PID/stat */

struct entry {
	pid_t pid, parent;
	bool in;
};

/* What follows the name in /proc/PID/stat, in line; NULL when pid is gone. The name may hold blanks, parentheses
 * and newlines: read all of it and look from the end. */
static const char *stat_tail(pid_t pid, char *line, size_t size)
{
	cleanup_close int fd = -1;
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd >= 0 ? read(fd, line, size - 1) : -1;
	if (n <= 0)
		return NULL;
	line[n] = '\0';
	return strrchr(line, ')');
}

/* State and parent of pid; -1 when it is gone. */
static int stat_read(pid_t pid, char *state, int *parent)
{
	char line[1024];
	const char *tail = stat_tail(pid, line, sizeof(line));

	return tail && sscanf(tail, ") %c %d", state, parent) == 2 ? 0 : -1;
}

int cr_proc_descriptor(pid_t pid, int fd)
{
	cleanup_close int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	return pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
}

char cr_proc_state(pid_t pid)
{
	char state;
	int parent;

	return stat_read(pid, &state, &parent) < 0 ? 0 : state;
}

bool cr_proc_gone(pid_t pid)
{
	char state = cr_proc_state(pid);

	return state == 0 || state == 'Z' || state == 'X';
}

/* The kernel shows those who may not know it a 0; a link that is there for each process tells whether we are one.
 */
static bool status_shown(pid_t pid)
{
	char path[64], link[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	return readlink(path, link, sizeof(link)) >= 0 || errno != EACCES;
}

/* The last field: how it has ended, or by which signal it is stopped until its parent has taken note. */
static bool code_read(pid_t pid, char *state, int *code)
{
	char line[1024];
	const char *tail = stat_tail(pid, line, sizeof(line));

	return tail && sscanf(tail, ") %c", state) == 1 && sscanf(strrchr(tail, ' '), "%d", code) == 1;
}

int cr_proc_ended(pid_t pid, int *status)
{
	char state;

	if (!code_read(pid, &state, status) || state != 'Z')
		return 0;
	return status_shown(pid) ? 1 : -1;
}

int cr_proc_stop_untold(pid_t pid, int *sig)
{
	char state;

	return code_read(pid, &state, sig) && (state == 'T' || state == 't') && *sig >= SIGSTOP && *sig <= SIGTTOU;
}

static int entries_read(struct entry **entries, size_t *n, struct cr_error *err)
{
	cleanup_closedir DIR *d = opendir("/proc");
	size_t room = 0;
	struct dirent *e;

	*entries = NULL;
	*n = 0;
	if (!d)
		return cr_error_sys(err, errno, "/proc");
	while ((e = readdir(d))) {
		pid_t pid = (pid_t)atoi(e->d_name);
		int parent;
		char state;

		if (pid <= 0 || stat_read(pid, &state, &parent) < 0)
			continue;
		if (*n == room) {
			struct entry *more = realloc(*entries, (room = room ? 2 * room : 256) * sizeof(*more));

			if (!more) {
				free(*entries);
				*entries = NULL;
				return cr_error_sys(err, ENOMEM, "the list of processes");
			}
			*entries = more;
		}
		(*entries)[(*n)++] = (struct entry){.pid = pid, .parent = parent};
	}
	return 0;
}

int cr_proc_tree(pid_t root, pid_t **pids, size_t *n, struct cr_error *err)
{
	cleanup_free struct entry *entries = NULL;
	size_t total;
	bool grown = true;

	*pids = NULL;
	*n = 0;
	if (entries_read(&entries, &total, err) < 0)
		return -1;
	*pids = calloc(total + 1, sizeof(**pids));
	if (!*pids)
		return cr_error_sys(err, ENOMEM, "the list of processes");
	for (size_t i = 0; i < total; i++) {
		if (entries[i].pid == root) {
			entries[i].in = true;
			(*pids)[(*n)++] = root;
		}
	}
	while (grown) {
		grown = false;
		for (size_t i = 0; i < total; i++) {
			for (size_t k = 0; k < *n && !entries[i].in; k++) {
				if (entries[i].parent != (*pids)[k])
					continue;
				entries[i].in = grown = true;
				(*pids)[(*n)++] = entries[i].pid;
			}
		}
	}
	return 0;
}

bool cr_proc_deleted(const char *link)
{
	static const char mark[] = " (deleted)";
	size_t length = strlen(link);

	return length >= sizeof(mark) - 1 && strcmp(link + length - (sizeof(mark) - 1), mark) == 0;
}

/* Its own processor time, and that of its children; zeros when it is gone. */
static void cpu_read(pid_t pid, uint64_t *own, uint64_t *children)
{
	uint64_t user = 0, system = 0, user_children = 0, system_children = 0;
	char line[1024];
	const char *tail = stat_tail(pid, line, sizeof(line));

	if (!tail ||
	    sscanf(tail,
		   ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
		   &user, &system, &user_children, &system_children) != 4)
		user = system = user_children = system_children = 0;
	*own = user + system;
	*children = user_children + system_children;
}

uint64_t cr_proc_cpu(pid_t pid)
{
	uint64_t own, children;

	cpu_read(pid, &own, &children);
	return own;
}

uint64_t cr_proc_cpu_family(pid_t pid)
{
	uint64_t own, children;

	cpu_read(pid, &own, &children);
	return own + children;
}

bool cr_proc_birth(pid_t pid, uint64_t *start, bool *executed)
{
	unsigned flags = 0;
	char line[1024];
	const char *tail = stat_tail(pid, line, sizeof(line));

	if (!tail ||
	    sscanf(tail, ") %*c %*d %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %" SCNu64,
		   &flags, start) != 2)
		return false;
	*executed = !(flags & FORKED);
	return true;
}

bool cr_proc_status(pid_t pid, const char *tid, const char *key, int base, uint64_t *value)
{
	char path[96], line[256];
	cleanup_fclose FILE *f = NULL;
	size_t n = strlen(key);

	if (tid)
		snprintf(path, sizeof(path), "/proc/%d/task/%.16s/status", (int)pid, tid);
	else
		snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		char *end;

		if (strncmp(line, key, n) != 0 || line[n] != ':')
			continue;
		*value = strtoull(line + n + 1, &end, base);
		return end != line + n + 1;
	}
	return false;
}

uint64_t cr_proc_memory(pid_t pid)
{
	char path[64], line[256];
	cleanup_fclose FILE *f = NULL;
	uint64_t sum = 0, kib;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "RssAnon: %" SCNu64, &kib) == 1 ||
		    sscanf(line, "RssShmem: %" SCNu64, &kib) == 1 || sscanf(line, "VmSwap: %" SCNu64, &kib) == 1)
			sum += kib << 10;
	}
	return sum;
}

int cr_node_kernel(char **text, struct cr_error *err)
{
	struct utsname u;

	if (uname(&u) < 0)
		return cr_error_sys(err, errno, "uname");
	if (asprintf(text, "%s %s", u.release, u.machine) < 0)
		return cr_error_sys(err, ENOMEM, "uname");
	return 0;
}

int cr_node_cpu(char **model, char **flags, struct cr_error *err)
{
	cleanup_fclose FILE *f = fopen("/proc/cpuinfo", "re");
	cleanup_free char *line = NULL;
	size_t room = 0;

	*model = *flags = NULL;
	while (f && getline(&line, &room, f) > 0 && !(*model && *flags)) {
		char *value = strstr(line, ": "), **field = NULL;

		if (!value)
			continue;
		value[strcspn(value, "\n")] = '\0';
		if (strncmp(line, "model name", 10) == 0)
			field = model;
		else if (strncmp(line, "flags", 5) == 0 || strncmp(line, "Features", 8) == 0)
			field = flags;
		if (field && !*field)
			*field = strdup(value + 2);
	}
	if (!*model)
		*model = strdup("unknown");
	if (!*flags)
		*flags = strdup("");
	if (!*model || !*flags)
		return cr_error_sys(err, ENOMEM, "/proc/cpuinfo");
	return 0;
}
