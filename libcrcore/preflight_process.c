/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* preflight_process.c - processes that criu cannot seize or bring back, whatever they have open */

#include "preflight_part.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"

#define LANDLOCK_SCOPES 6

static const char *const namespaces[CR_PREFLIGHT_NAMESPACES] = {"user", "pid", "mnt",	 "net",
								"ipc",	"uts", "cgroup", "time"};

/* Are these the job's supplementary groups? The kernel keeps them sorted. */
static bool groups_same(const struct preflight *p, const char *list)
{
	char *end = NULL;

	for (size_t i = 0; i < p->n_groups; i++, list = end) {
		unsigned long gid = strtoul(list, &end, 10);

		if (end == list || gid != p->groups[i])
			return false;
	}
	return list[strspn(list, " \t")] == '\0';
}

static void status_line(const struct preflight *p, struct preflight_process *s, char *line)
{
	uint64_t pending;

	line[strcspn(line, "\n")] = '\0';
	if (strncmp(line, "Groups:", 7) == 0)
		s->groups = !groups_same(p, line + 7);
	if (sscanf(line, "SigPnd: %" SCNx64, &pending) == 1 || sscanf(line, "ShdPnd: %" SCNx64, &pending) == 1)
		s->pending |= pending;
	if (strncmp(line, "Name:\t", 6) == 0)
		snprintf(s->name, sizeof(s->name), "%.15s", line + 6);
	if (sscanf(line, "State: %c", &s->state) == 1 || sscanf(line, "PPid: %d", &s->parent) == 1 ||
	    sscanf(line, "TracerPid: %d", &s->tracer) == 1 || sscanf(line, "NSsid: %d", &s->sid) == 1 ||
	    sscanf(line, "Threads: %u", &s->threads) == 1 || sscanf(line, "Seccomp: %d", &s->seccomp) == 1 ||
	    sscanf(line, "NoNewPrivs: %d", &s->no_new_privs) == 1 ||
	    sscanf(line, "CapPrm: %" SCNx64, &s->caps) == 1 || sscanf(line, "VmSize: %" SCNu64, &s->memory) == 1 ||
	    sscanf(line, "VmLck: %" SCNu64, &s->locked) == 1 ||
	    sscanf(line, "RssAnon: %" SCNu64, &s->anonymous) == 1 ||
	    sscanf(line, "Uid: %u %u %u %u", &s->uid[0], &s->uid[1], &s->uid[2], &s->uid[3]) == 4)
		return;
	(void)sscanf(line, "Gid: %u %u %u %u", &s->gid[0], &s->gid[1], &s->gid[2], &s->gid[3]);
}

/* Returns 0, or -1 when it is gone. */
static int status_read(const struct preflight *p, struct preflight_process *s, FILE *f)
{
	cleanup_free char *line = NULL;
	size_t room = 0;

	s->state = 0;
	while (f && getline(&line, &room, f) > 0)
		status_line(p, s, line);
	return s->state ? 0 : -1;
}

static int process_add(struct preflight *p, size_t *room, const char *name, struct cr_error *err)
{
	cleanup_fclose FILE *f = preflight_open(p, "%.20s/status", name);
	struct preflight_process s = {.pid = (pid_t)atoi(name)};

	if (s.pid <= 0 || status_read(p, &s, f) < 0)
		return 0;
	if (p->n == *room) {
		struct preflight_process *more =
			realloc(p->processes, (*room = *room ? 2 * *room : 256) * sizeof(*more));

		if (!more)
			return cr_error_sys(err, ENOMEM, "the list of processes");
		p->processes = more;
	}
	p->processes[p->n++] = s;
	return 0;
}

static int pid_compare(const void *a, const void *b)
{
	const struct preflight_process *x = a, *y = b;

	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

/* They are sorted. */
const struct preflight_process *preflight_process_find(const struct preflight *p, pid_t pid)
{
	const struct preflight_process key = {.pid = pid};

	return p->n ? bsearch(&key, p->processes, p->n, sizeof(key), pid_compare) : NULL;
}

/* The name of the file that it was executed from, in link; NULL when that is not known. */
static const char *program_name(const struct preflight *p, const struct preflight_process *process,
				char link[PATH_MAX])
{
	char path[64], *base;
	ssize_t n;

	snprintf(path, sizeof(path), "%d/exe", (int)process->pid);
	n = readlinkat(p->proc, path, link, PATH_MAX - 1);
	if (n <= 0)
		return NULL;
	link[n] = '\0';
	base = strrchr(link, '/');
	return base ? base + 1 : "";
}

/* A program of that name, not a script that is called so. */
static bool is_program(const struct preflight *p, const struct preflight_process *process, const char *name)
{
	char link[PATH_MAX];
	const char *base;

	if (strcmp(process->name, name) != 0)
		return false;
	base = program_name(p, process, link);
	return !base || strncmp(base, name, strlen(name)) == 0;
}

/* Whatever it is called by: xzcat and others are links to them. */
static bool is_xz(const struct preflight *p, const struct preflight_process *process)
{
	static const char *const names[] = {"xz", "xzdec", "lzmadec"};
	char link[PATH_MAX];
	const char *base = program_name(p, process, link);
	size_t n;

	base = base ? base : process->name;
	n = strcspn(base, " "); /* of " (deleted)" */
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (n == strlen(names[i]) && strncmp(base, names[i], n) == 0)
			return true;
	return false;
}

/* The link of its program cannot be made again: PR_SET_MM_EXE_FILE wants a file that nobody can write. */
static bool is_memfd(const struct preflight *p, const struct preflight_process *process)
{
	static const char memfd[] = "/memfd:";
	char path[64], link[sizeof(memfd)];

	snprintf(path, sizeof(path), "%d/exe", (int)process->pid);
	return readlinkat(p->proc, path, link, sizeof(link)) >= (ssize_t)sizeof(memfd) - 1 &&
	       memcmp(link, memfd, sizeof(memfd) - 1) == 0;
}

/* Mark the tree below the root, and one srun of those that are each other's children. */
static void tree_mark(struct preflight *p)
{
	const struct preflight_process *root = preflight_process_find(p, p->job->root), *parent;
	bool grown = root != NULL;

	if (root)
		p->processes[root - p->processes].in = true;
	while (grown) {
		grown = false;
		for (size_t i = 0; i < p->n; i++) {
			struct preflight_process *s = &p->processes[i];

			parent = s->in ? NULL : preflight_process_find(p, s->parent);
			if (parent && parent->in)
				s->in = grown = true;
		}
	}
	for (size_t i = 0; i < p->n; i++)
		p->processes[i].srun = p->processes[i].in && is_program(p, &p->processes[i], "srun");
	for (size_t i = 0; i < p->n; i++) {
		parent = preflight_process_find(p, p->processes[i].parent);
		if (p->processes[i].srun && !(parent && parent->srun))
			preflight_add(p, CR_PREFLIGHT_SRUN, &p->processes[i], -1, "%s", "");
	}
}

uint64_t preflight_inode(const char *link)
{
	const char *at = strchr(link, '[');

	return at ? strtoull(at + 1, NULL, 10) : 0;
}

static uint64_t namespace_read(const struct preflight *p, pid_t pid, const char *name)
{
	char path[64], link[64];
	ssize_t n;

	snprintf(path, sizeof(path), "%d/ns/%s", (int)pid, name);
	n = readlinkat(p->proc, path, link, sizeof(link) - 1);
	link[n > 0 ? n : 0] = '\0';
	return preflight_inode(link);
}

bool preflight_namespace_known(const struct preflight *p, uint64_t ino)
{
	for (int i = 0; i < CR_PREFLIGHT_NAMESPACES; i++)
		if (p->namespaces[i] == ino)
			return true;
	return false;
}

static int groups_read(struct preflight *p, struct cr_error *err)
{
	int n = getgroups(0, NULL);

	p->groups = calloc(n > 0 ? (size_t)n : 1, sizeof(*p->groups));
	if (!p->groups)
		return cr_error_sys(err, ENOMEM, "the list of groups");
	n = n > 0 ? getgroups(n, p->groups) : n;
	if (n < 0)
		return cr_error_sys(err, errno, "getgroups");
	p->n_groups = (size_t)n;
	return 0;
}

static bool loginuid_read(const struct preflight *p, const char *pid, uint32_t *id)
{
	cleanup_fclose FILE *f = preflight_open(p, "%s/loginuid", pid);

	return f && fscanf(f, "%" SCNu32, id) == 1;
}

int preflight_processes(struct preflight *p, struct cr_error *err)
{
	cleanup_closedir DIR *d = preflight_opendir(p, ".");
	struct dirent *e;
	size_t room = 0;

	if (!d)
		return cr_error_sys(err, errno, "%s", p->job->proc);
	if (groups_read(p, err) < 0)
		return -1;
	while ((e = readdir(d)))
		if (isdigit((unsigned char)e->d_name[0]) && process_add(p, &room, e->d_name, err) < 0)
			return -1;
	if (p->n)
		qsort(p->processes, p->n, sizeof(*p->processes), pid_compare);
	tree_mark(p);
	for (int i = 0; i < CR_PREFLIGHT_NAMESPACES; i++)
		p->namespaces[i] = namespace_read(p, p->job->root, namespaces[i]);
	p->has_loginuid = loginuid_read(p, "self", &p->loginuid);
	return 0;
}

bool preflight_closed(const struct preflight *p, pid_t pid)
{
	static const struct timespec pause = {.tv_nsec = 20 * 1000000L};
	cleanup_fclose FILE *f = NULL;
	struct preflight_process s = {0};
	char path[64];

	nanosleep(&pause, NULL);
	snprintf(path, sizeof(path), "%d/fd", (int)pid);
	if (faccessat(p->proc, path, R_OK, AT_EACCESS) == 0 || errno != EACCES)
		return false;
	f = preflight_open(p, "%d/status", (int)pid);
	/* what ends is root's in /proc as soon as it has given its memory back, which may be long before it is a
	 * zombie where processors are scarce */
	return status_read(p, &s, f) == 0 && s.state != 'Z' && s.state != 'X' && s.memory;
}

/* What it may do beyond what the job's user may, and what of it only somebody with rights could give back. */
static void rights_look(struct preflight *p, struct preflight_process *s)
{
	const uint32_t me = getuid(), mine = getgid();

	if (s->uid[0] != me || s->uid[1] != me || s->uid[2] != me || s->uid[3] != me)
		preflight_add(p, CR_PREFLIGHT_SETUID, s, -1, "user id %u, effective %u", s->uid[0], s->uid[1]);
	else if (s->gid[0] != s->gid[1] || s->gid[0] != s->gid[2] || s->gid[0] != s->gid[3])
		preflight_add(p, CR_PREFLIGHT_SETUID, s, -1, "group id %u, effective %u", s->gid[0], s->gid[1]);
	else if (s->caps && !s->nested)
		preflight_add(p, CR_PREFLIGHT_SETUID, s, -1, "capabilities %" PRIx64, s->caps);
	else if (s->gid[0] != mine)
		preflight_add(p, CR_PREFLIGHT_GROUP, s, -1, "group id %u, the job's is %u", s->gid[0], mine);
	else if (s->groups && !s->nested)
		preflight_add(p, CR_PREFLIGHT_GROUP, s, -1, "%s", "supplementary groups");
	else
		return;
	s->closed = true;
}

static void namespaces_look(struct preflight *p, struct preflight_process *s)
{
	uint64_t time = namespace_read(p, s->pid, "time"),
		 children = namespace_read(p, s->pid, "time_for_children");
	char which[128] = "";
	size_t used = 0;

	for (int i = 0; i < CR_PREFLIGHT_NAMESPACES; i++) {
		uint64_t ino = namespace_read(p, s->pid, namespaces[i]);

		if (ino && p->namespaces[i] && ino != p->namespaces[i])
			used += (size_t)snprintf(which + used, sizeof(which) - used, "%s%s", used ? ", " : "",
						 namespaces[i]);
	}
	if (!used && time && children && time != children)
		snprintf(which, sizeof(which), "time");
	s->nested = *which != '\0';
	if (s->nested)
		preflight_add(p, CR_PREFLIGHT_NAMESPACE, s, -1, "%s", which);
}

/* A filter may be one thread's alone. */
static bool seccomp_any(struct preflight *p, const struct preflight_process *s)
{
	cleanup_closedir DIR *d = NULL;
	struct dirent *e;

	if (s->seccomp || s->threads < 2)
		return s->seccomp != 0;
	d = preflight_opendir(p, "%d/task", (int)s->pid);
	while (d && !preflight_late(p) && (e = readdir(d))) {
		struct preflight_process thread = {0};
		cleanup_fclose FILE *f = NULL;

		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		f = preflight_open(p, "%d/task/%.20s/status", (int)s->pid, e->d_name);
		if (status_read(p, &thread, f) == 0 && thread.seccomp)
			return true;
	}
	return false;
}

/* The kernel tells nobody who is in a Landlock domain. Who wants one without rights sets no_new_privs right before
 * it, which children inherit as they inherit the domain. criu's code in a process connects to an abstract UNIX
 * socket of criu's, from the sixth version on a domain can forbid that. */
static void landlock_look(struct preflight *p, const struct preflight_process *s)
{
	const struct preflight_process *parent = preflight_process_find(p, s->parent);

	if (p->job->landlock < LANDLOCK_SCOPES || !s->no_new_privs || s->seccomp)
		return;
	if (is_xz(p, s))
		preflight_add(p, CR_PREFLIGHT_LANDLOCK, s, -1, "%s", "");
	else if (parent && parent->in && !parent->no_new_privs)
		preflight_add(p, CR_PREFLIGHT_CONFINED, s, -1, "%s", "");
}

/* criu seizes by ptrace, which has one tracer; of the processes outside of the tree only criu itself is seen. */
static void tracer_look(struct preflight *p, const struct preflight_process *s)
{
	const struct preflight_process *tracer = s->tracer ? preflight_process_find(p, s->tracer) : NULL;

	if (tracer && tracer->in)
		preflight_add(p, CR_PREFLIGHT_TRACED, s, -1, "by pid %d %s", (int)tracer->pid, tracer->name);
}

/* Where it works may be deeper than any path leads, by many a chdir. */
static void places_look(struct preflight *p, const struct preflight_process *s)
{
	static const char *const places[] = {"cwd", "exe"};
	char path[64], link[PATH_MAX];

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		ssize_t n;

		snprintf(path, sizeof(path), "%d/%s", (int)s->pid, places[i]);
		n = readlinkat(p->proc, path, link, sizeof(link) - 1);
		if (n < 0 && errno == ENAMETOOLONG)
			preflight_add(p, CR_PREFLIGHT_LONG_PATH, s, -1, "%s",
				      i ? "its program" : "its working directory");
		link[n > 0 ? n : 0] = '\0';
		preflight_long(p, s, -1, link);
	}
}

/* Of a process that has ended and was not waited for criu restores how it has ended, if it may know. */
static void ended_look(struct preflight *p, const struct preflight_process *s)
{
	char path[64], link[64];

	snprintf(path, sizeof(path), "%d/ns/user", (int)s->pid);
	if (s->threads > 1)
		preflight_add(p, CR_PREFLIGHT_THREAD, s, -1, "%s", "");
	else if (s->state == 'Z' && readlinkat(p->proc, path, link, sizeof(link)) < 0 && errno == EACCES)
		preflight_add(p, CR_PREFLIGHT_ENDED, s, -1, "%s", "");
}

/* The login id is inherited, and once it is set nobody changes it without rights. */
static void loginuid_look(struct preflight *p, const struct preflight_process *s)
{
	char pid[16];
	uint32_t is;

	snprintf(pid, sizeof(pid), "%d", (int)s->pid);
	if (p->has_loginuid && loginuid_read(p, pid, &is) && is != p->loginuid)
		preflight_add(p, CR_PREFLIGHT_LOGINUID, s, -1, "%" PRIu32, is);
}

/* A terminal is inherited by fork, and only the leader of its session can get it otherwise. criu gives the leader
 * the terminal when it has made the others already. */
static void terminal_look(struct preflight *p, const struct preflight_process *s)
{
	char line[CR_PREFLIGHT_STAT];
	const char *tail = preflight_stat(p, line, "%d/stat", (int)s->pid);
	int session, terminal;

	if (tail && sscanf(tail, ") %*c %*d %*d %d %d", &session, &terminal) == 2 && terminal != 0 &&
	    session != s->pid)
		preflight_add(p, CR_PREFLIGHT_TERMINAL, s, -1, "%s", "");
}

void preflight_process_look(struct preflight *p, struct preflight_process *s)
{
	if (s->state == 'Z' || s->state == 'X') {
		ended_look(p, s);
		s->closed = true;
		return;
	}
	namespaces_look(p, s);
	rights_look(p, s);
	if (seccomp_any(p, s))
		preflight_add(p, CR_PREFLIGHT_SECCOMP, s, -1, "%s", "");
	tracer_look(p, s);
	landlock_look(p, s);
	if (s->pending & UINT64_C(1) << (SIGTRAP - 1))
		preflight_add(p, CR_PREFLIGHT_SIGTRAP, s, -1, "%s", "");
	places_look(p, s);
	preflight_vfork_look(p, s);
	if (is_memfd(p, s))
		preflight_add(p, CR_PREFLIGHT_MEMFD_PROGRAM, s, -1, "%s", "");
	if (is_program(p, s, "script"))
		preflight_add(p, CR_PREFLIGHT_SCRIPT, s, -1, "%s", "");
	terminal_look(p, s);
	loginuid_look(p, s);
	/* but for what cannot be locked */
	if (s->locked > 0 && s->locked >= s->memory / 10 * 9)
		preflight_add(p, CR_PREFLIGHT_LOCKED, s, -1, "%" PRIu64 " KiB", s->locked);
}
