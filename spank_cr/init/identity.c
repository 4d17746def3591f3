/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "identity.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "cpus.h"
#include "ended.h"
#include "fifos.h"
#include "placed.h"
#include "proc.h"
#include "shim_placed.h"
#include "sockets.h"
#include "timers.h"

#define FORMAT		   1
#define IOPRIO_WHO_PROCESS 1

/* What a thread has of its own. */
struct thread {
	pid_t tid;
	int nice, policy, priority, ioprio;
};

/* Numbers in files of /proc/PID: the base they are in, and what the user knows them by. */
static const struct number {
	const char *name;
	int base;
} numbers[] = {{"oom_score_adj", 10}, {"coredump_filter", 16}};

#define N_NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

/* ---- what a process has ---- */

static int number_read(pid_t pid, const struct number *number, long long *value)
{
	char path[64], text[64];
	cleanup_close int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, number->name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
	if (n <= 0)
		return -1;
	text[n] = '\0';
	*value = strtoll(text, NULL, number->base);
	return 0;
}

static int number_write(pid_t pid, const struct number *number, long long value)
{
	char path[64], text[64];
	cleanup_close int fd = -1;
	int n = snprintf(text, sizeof(text), number->base == 16 ? "0x%llx" : "%lld", value);

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, number->name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, text, (size_t)n) == n ? 0 : -1;
}

static int thread_read(pid_t tid, struct thread *t)
{
	struct sched_param param = {0};

	t->tid = tid;
	errno = 0;
	t->nice = getpriority(PRIO_PROCESS, (id_t)tid);
	if (errno)
		return -1;
	t->policy = sched_getscheduler(tid);
	t->ioprio = (int)syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, tid);
	if (t->policy < 0 || t->ioprio < 0 || sched_getparam(tid, &param) < 0)
		return -1;
	t->priority = param.sched_priority;
	return 0;
}

/* ---- taking ---- */

/* Most threads of a job have the same processors. */
struct taken {
	struct cr_cpus last;
	char text[CR_CPUS_TEXT];
	long room; /* for memory policies and their like (placed.h) */
};

static json_t *thread_take(pid_t tid, struct taken *taken)
{
	struct cr_cpus cpus;
	struct thread t;

	if (thread_read(tid, &t) < 0 || cr_cpus_get(tid, &cpus, NULL) < 0)
		return json_null(); /* gone */
	if (!cr_cpus_equal(&cpus, &taken->last) || !taken->text[0]) {
		taken->last = cpus;
		cr_cpus_format(&cpus, taken->text, sizeof(taken->text));
	}
	return json_pack("[i, i, i, i, i, s]", (int)t.tid, t.nice, t.policy, t.priority, t.ioprio, taken->text);
}

static json_t *threads_take(pid_t pid, struct taken *taken)
{
	json_t *threads = json_array();
	cleanup_closedir DIR *d = NULL;
	char path[64];
	struct dirent *e;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	d = opendir(path);
	while (threads && d && (e = readdir(d))) {
		pid_t tid = (pid_t)atoi(e->d_name);
		json_t *thread = tid > 0 ? thread_take(tid, taken) : json_null();

		if (json_is_null(thread))
			continue;
		if (json_array_append_new(threads, thread) < 0) {
			json_decref(threads);
			return NULL;
		}
	}
	return threads;
}

/* RLIM_INFINITY is -1 here. */
static json_t *limits_take(pid_t pid)
{
	json_t *limits = json_array();

	for (int r = 0; limits && r < (int)RLIM_NLIMITS; r++) {
		struct rlimit limit;

		if (prlimit(pid, (__rlimit_resource_t)r, NULL, &limit) < 0)
			break;
		if (json_array_append_new(limits, json_pack("[I, I]", (json_int_t)limit.rlim_cur,
							    (json_int_t)limit.rlim_max)) < 0) {
			json_decref(limits);
			return NULL;
		}
	}
	return limits;
}

static json_t *process_take(pid_t pid, struct taken *taken)
{
	json_t *process = json_pack("{s: i, s: o, s: o, s: o}", "pid", (int)pid, "limits", limits_take(pid),
				    "timers", timers_take(pid), "threads", threads_take(pid, taken));

	if (process && placed_put("/proc", pid, &taken->room, process) < 0) {
		json_decref(process);
		return NULL;
	}
	for (size_t i = 0; process && i < N_NUMBERS; i++) {
		long long value;

		if (number_read(pid, &numbers[i], &value) < 0)
			continue;
		if (json_object_set_new(process, numbers[i].name, json_integer(value)) < 0) {
			json_decref(process);
			return NULL;
		}
	}
	return process;
}

int identity_take(const pid_t *pids, size_t n, const char *queues, char **text, struct cr_error *err)
{
	cleanup_free struct taken *taken = calloc(1, sizeof(*taken));
	json_auto_t *root = NULL;
	json_t *processes = json_array();
	char own[CR_CPUS_TEXT];
	struct cr_cpus cpus;

	if (cr_cpus_get(0, &cpus, err) < 0) {
		json_decref(processes);
		return -1;
	}
	root = json_pack("{s: i, s: s, s: o, s: o, s: o, s: o}", "format", FORMAT, "cpus",
			 cr_cpus_format(&cpus, own, sizeof(own)), "processes", processes, "ended",
			 ended_take(pids, n), "untold", untold_take(pids, n), "fifos", fifos_take(pids, n));
	if (taken)
		taken->room = SHIM_PLACED_MAX;
	for (size_t i = 0; taken && root && i < n; i++) {
		if (!cr_proc_gone(pids[i]) && json_array_append_new(processes, process_take(pids[i], taken)) < 0)
			return cr_error_sys(err, ENOMEM, "what the processes are");
	}
	if (root && json_object_set_new(root, "sockets", sockets_take(pids, n, queues)) < 0)
		return cr_error_sys(err, ENOMEM, "what the processes are");
	/* said at the restore */
	if (taken && root && taken->room < 0 && json_object_set_new(root, "unplaced", json_true()) < 0)
		return cr_error_sys(err, ENOMEM, "what the processes are");
	*text = taken && root ? json_dumps(root, JSON_COMPACT) : NULL;
	return *text ? 0 : cr_error_sys(err, ENOMEM, "what the processes are");
}

/* ---- checking ---- */

static bool process_ok(const json_t *process)
{
	const json_t *limits = json_object_get(process, "limits"), *threads = json_object_get(process, "threads");
	size_t i;
	json_t *item;

	json_int_t pid = json_integer_value(json_object_get(process, "pid"));

	/* 0 would be crinit itself, and below are none; what is no integer is 0 here */
	if (pid <= 0 || pid > INT_MAX || !json_is_array(limits) || !json_is_array(threads) ||
	    !timers_ok(json_object_get(process, "timers")) || !placed_ok(json_object_get(process, "placed")))
		return false;
	json_array_foreach (limits, i, item) {
		if (json_unpack(item, "[I, I!]", &(json_int_t){0}, &(json_int_t){0}) < 0)
			return false;
	}
	json_array_foreach (threads, i, item) {
		int n[5];
		const char *cpus;
		struct cr_cpus set;

		if (json_unpack(item, "[i, i, i, i, i, s!]", &n[0], &n[1], &n[2], &n[3], &n[4], &cpus) < 0 ||
		    n[0] <= 0 || cr_cpus_parse(&set, cpus, NULL) < 0)
			return false;
	}
	return true;
}

int identity_parse(const char *text, size_t size, json_t **identity, struct cr_error *err)
{
	json_auto_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
	json_t *processes, *process;
	const char *cpus;
	struct cr_cpus set;
	size_t i;
	int format;

	if (json_unpack(root, "{s: i, s: s, s: o}", "format", &format, "cpus", &cpus, "processes", &processes) <
		    0 ||
	    !json_is_array(processes) || !ended_ok(json_object_get(root, "ended")) ||
	    !ended_ok(json_object_get(root, "untold")) || !fifos_ok(json_object_get(root, "fifos")) ||
	    cr_cpus_parse(&set, cpus, NULL) < 0)
		return cr_error_set(err, EBADMSG, IDENTITY_STREAM " is damaged");
	if (format != FORMAT)
		return cr_error_set(err, ENOTSUP, IDENTITY_STREAM " has format %d, this is for %d", format,
				    FORMAT);
	json_array_foreach (processes, i, process) {
		if (!process_ok(process))
			return cr_error_set(err, EBADMSG, IDENTITY_STREAM " is damaged at process %zu", i);
	}
	if (!sockets_ok(json_object_get(root, "sockets")))
		return cr_error_set(err, EBADMSG, IDENTITY_STREAM " is damaged at the sockets");
	*identity = json_incref(root);
	return 0;
}

/* ---- putting back ---- */

/* The first of each kind is told, the others are counted. */
enum kind { LIMITS, TIMERS, NUMBERS, SCHEDULING, PROCESSORS, KINDS };

struct apply {
	const struct job *job;
	struct cr_cpus before, now;
	struct cr_cpus last, mapped; /* of the thread before this one, most are the same */
	bool mapped_any;
	unsigned count[KINDS];
	char first[KINDS][256];
};

static void __attribute__((format(printf, 3, 4))) missed(struct apply *a, enum kind kind, const char *fmt, ...)
{
	va_list ap;

	if (a->count[kind]++)
		return;
	va_start(ap, fmt);
	vsnprintf(a->first[kind], sizeof(a->first[kind]), fmt, ap);
	va_end(ap);
}

/* A hard limit that is lower here stays: raising one takes a capability that nothing of ours ever has. */
static void limit_apply(struct apply *a, pid_t pid, int resource, const struct rlimit *was)
{
	static const char *const names[] = {"CPU",	"FSIZE",  "DATA",    "STACK", "CORE",  "RSS",
					    "NPROC",	"NOFILE", "MEMLOCK", "AS",    "LOCKS", "SIGPENDING",
					    "MSGQUEUE", "NICE",	  "RTPRIO",  "RTTIME"};
	__rlimit_resource_t r = (__rlimit_resource_t)resource;
	struct rlimit now, want = *was;

	if (prlimit(pid, r, NULL, &now) < 0 || (now.rlim_cur == want.rlim_cur && now.rlim_max == want.rlim_max))
		return;
	if (prlimit(pid, r, &want, NULL) == 0)
		return;
	if (want.rlim_max > now.rlim_max)
		want.rlim_max = now.rlim_max;
	if (want.rlim_cur > want.rlim_max)
		want.rlim_cur = want.rlim_max;
	if (prlimit(pid, r, &want, NULL) < 0)
		want = now;
	missed(a, LIMITS, "RLIMIT_%s of process %d is %lld with a hard limit of %lld, and was %lld with %lld",
	       (size_t)resource < sizeof(names) / sizeof(names[0]) ? names[resource] : "?", (int)pid,
	       (long long)want.rlim_cur, (long long)want.rlim_max, (long long)was->rlim_cur,
	       (long long)was->rlim_max);
}

static void thread_scheduling(struct apply *a, const struct thread *want)
{
	struct sched_param param = {.sched_priority = want->priority};
	struct thread now;

	if (thread_read(want->tid, &now) < 0)
		return; /* gone */
	if ((now.policy != want->policy || now.priority != want->priority) &&
	    sched_setscheduler(want->tid, want->policy, &param) < 0)
		missed(a, SCHEDULING, "scheduling policy %d of thread %d is %d: %s", want->policy, (int)want->tid,
		       now.policy, strerror(errno));
	if (now.nice != want->nice && setpriority(PRIO_PROCESS, (id_t)want->tid, want->nice) < 0)
		missed(a, SCHEDULING, "nice value %d of thread %d is %d: %s", want->nice, (int)want->tid, now.nice,
		       strerror(errno));
	if (now.ioprio != want->ioprio && syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, want->tid, want->ioprio) < 0)
		missed(a, SCHEDULING, "I/O priority %#x of thread %d is %#x: %s", (unsigned)want->ioprio,
		       (int)want->tid, (unsigned)now.ioprio, strerror(errno));
}

static void thread_processors(struct apply *a, pid_t tid, const char *text)
{
	struct cr_cpus was, now;
	struct cr_error err;

	if (cr_cpus_parse(&was, text, &err) < 0 || cr_cpus_get(tid, &now, &err) < 0)
		return; /* gone */
	if (!a->mapped_any || !cr_cpus_equal(&was, &a->last)) {
		cr_cpus_map(&was, &a->before, &a->now, &a->mapped);
		a->last = was;
		a->mapped_any = true;
	}
	if (!cr_cpus_equal(&now, &a->mapped) && cr_cpus_set(tid, &a->mapped, &err) < 0)
		missed(a, PROCESSORS, "%s", err.text);
}

static void process_apply(struct apply *a, const json_t *process)
{
	pid_t pid = (pid_t)json_integer_value(json_object_get(process, "pid"));
	struct cr_error err;
	size_t i;
	json_t *item;

	json_array_foreach (json_object_get(process, "limits"), i, item) {
		const struct rlimit was = {
			.rlim_cur = (rlim_t)json_integer_value(json_array_get(item, 0)),
			.rlim_max = (rlim_t)json_integer_value(json_array_get(item, 1)),
		};

		limit_apply(a, pid, (int)i, &was);
	}
	json_array_foreach (json_object_get(process, "threads"), i, item) {
		struct thread t;
		const char *cpus;

		if (json_unpack(item, "[i, i, i, i, i, s]", &t.tid, &t.nice, &t.policy, &t.priority, &t.ioprio,
				&cpus) < 0)
			continue;
		thread_scheduling(a, &t);
		thread_processors(a, t.tid, cpus);
	}
	if (timers_apply(pid, json_object_get(process, "timers"), &err) < 0)
		missed(a, TIMERS, "%s", err.text);
	for (i = 0; i < N_NUMBERS; i++) {
		const json_t *was = json_object_get(process, numbers[i].name);
		long long now;

		if (!json_is_integer(was) || number_read(pid, &numbers[i], &now) < 0 ||
		    now == json_integer_value(was))
			continue;
		if (number_write(pid, &numbers[i], json_integer_value(was)) < 0)
			missed(a, NUMBERS, "%s of process %d is %lld and was %lld: %s", numbers[i].name, (int)pid,
			       now, (long long)json_integer_value(was), strerror(errno));
	}
}

static void all_sockets_apply(const json_t *identity, const struct job *job)
{
	const json_t *processes = json_object_get(identity, "processes");
	cleanup_free pid_t *pids = calloc(json_array_size(processes) + 1, sizeof(*pids));
	size_t i;
	json_t *process;

	json_array_foreach (processes, i, process) {
		if (pids)
			pids[i] = (pid_t)json_integer_value(json_object_get(process, "pid"));
	}
	if (pids)
		sockets_apply(json_object_get(identity, "sockets"), pids, json_array_size(processes), job);
}

void identity_apply(const json_t *identity, const struct job *job)
{
	cleanup_free struct apply *a = calloc(1, sizeof(*a));
	struct cr_error err = {0};
	json_t *process;
	size_t i;

	if (!a || cr_cpus_get(0, &a->now, &err) < 0 ||
	    cr_cpus_parse(&a->before, json_string_value(json_object_get(identity, "cpus")), &err) < 0) {
		job_log(job, 0, "limits, priorities and processors of the job are not put back: %s",
			a ? err.text : "no memory");
		return;
	}
	a->job = job;
	json_array_foreach (json_object_get(identity, "processes"), i, process) {
		process_apply(a, process);
	}
	all_sockets_apply(identity, job);
	if (json_is_true(json_object_get(identity, "unplaced")))
		job_log(job, 0,
			"not as before: memory policies and locked memory, of which there are more than %d",
			SHIM_PLACED_MAX);
	for (int k = 0; k < KINDS; k++) {
		if (a->count[k])
			job_log(job, 0, "not as before: %s%s", a->first[k],
				a->count[k] > 1 ? " (and others of this kind)" : "");
	}
}
