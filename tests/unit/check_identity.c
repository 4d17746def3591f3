/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "unit.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>

#include "../../libcrcore/cpus.h"
#include "../../libcrcore/fs.h"
#include "../../spank_cr/init/identity.h"
#include "../../spank_cr/init/job.h"
#include "../../spank_cr/init/placed.h"
#include "../../spank_cr/init/shim.h"
#include "../../spank_cr/init/timers.h"

#define MANY 1000

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void *thread_pause(void *arg)
{
	for (;;)
		pause();
	return arg;
}

/* A process that does nothing, in so many threads, until the test ends. */
static pid_t process_start(int threads)
{
	int ready[2];
	pid_t pid;
	char byte;

	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		pthread_attr_t attr;
		pthread_t one;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pthread_attr_init(&attr);
		pthread_attr_setstacksize(&attr, 65536);
		for (int i = 1; i < threads; i++) {
			if (pthread_create(&one, &attr, thread_pause, NULL) != 0)
				_exit(1);
		}
		if (write(ready[1], "r", 1) != 1)
			_exit(1);
		thread_pause(NULL);
	}
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static json_t *taken(pid_t pid)
{
	struct cr_error err = {0};
	json_t *identity = NULL;
	char *text = NULL;

	unit_assert_ok(identity_take(&pid, 1, NULL, &text, &err), &err);
	unit_assert_ok(identity_parse(text, strlen(text), &identity, &err), &err);
	free(text);
	return identity;
}

/* Apply, and what was logged meanwhile. */
static const char *applied(const json_t *identity)
{
	static char text[4096];
	struct job job = {.id = 4711, .node = "n1", .log_level = 1, .wire = -1};
	ssize_t n;

	job.log = open(unit_path("log"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ck_assert_int_ge(job.log, 0);
	identity_apply(identity, &job);
	n = pread(job.log, text, sizeof(text) - 1, 0);
	close(job.log);
	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	return text;
}

static void limit_set(pid_t pid, rlim_t soft, rlim_t hard)
{
	const struct rlimit limit = {soft, hard};

	ck_assert_int_eq(prlimit(pid, RLIMIT_NOFILE, &limit, NULL), 0);
}

static struct rlimit limit_of(pid_t pid)
{
	struct rlimit limit;

	ck_assert_int_eq(prlimit(pid, RLIMIT_NOFILE, NULL, &limit), 0);
	return limit;
}

START_TEST(what_was_changed_is_put_back)
{
	struct sched_param param = {0};
	pid_t pid = process_start(3);
	struct cr_cpus all, one = {0}, now;
	struct cr_error err = {0};
	json_t *identity;
	unsigned cpu = 0;

	limit_set(pid, 100, 200);
	unit_assert_ok(cr_cpus_get(pid, &all, &err), &err);
	identity = taken(pid);
	ck_assert_uint_eq(json_array_size(json_object_get(
				  json_array_get(json_object_get(identity, "processes"), 0), "threads")),
			  3);
	limit_set(pid, 50, 200);
	while (!cr_cpus_has(&all, cpu))
		cpu++;
	cr_cpus_add(&one, cpu);
	unit_assert_ok(cr_cpus_set(pid, &one, &err), &err);
	ck_assert_int_eq(sched_setscheduler(pid, SCHED_BATCH, &param), 0);
	ck_assert_str_eq(applied(identity), "");
	ck_assert_uint_eq(limit_of(pid).rlim_cur, 100);
	unit_assert_ok(cr_cpus_get(pid, &now, &err), &err);
	ck_assert(cr_cpus_equal(&now, &all));
	ck_assert_int_eq(sched_getscheduler(pid), SCHED_OTHER);
	json_decref(identity);
	kill(pid, SIGKILL);
}
END_TEST

static void number_set(pid_t pid, const char *name, const char *value)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, value, strlen(value)), (ssize_t)strlen(value));
	ck_assert_int_eq(close(fd), 0);
}

static long number_of(pid_t pid, const char *name, int base)
{
	char path[64], text[32] = "";
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_gt(read(fd, text, sizeof(text) - 1), 0);
	ck_assert_int_eq(close(fd), 0);
	return strtol(text, NULL, base);
}

/* As criu leaves a process: with what its own has. */
START_TEST(priorities_and_the_rest)
{
	pid_t pid = process_start(1);
	json_t *identity;

	if (geteuid() != 0) {
		(void)fprintf(stderr, "SKIP priorities_and_the_rest: only root may lower a nice value\n");
		return;
	}
	ck_assert_int_eq(setpriority(PRIO_PROCESS, (id_t)pid, 5), 0);
	ck_assert_int_eq(syscall(SYS_ioprio_set, 1, pid, 2 << 13 | 6), 0);
	number_set(pid, "oom_score_adj", "300");
	number_set(pid, "coredump_filter", "0x7f");
	identity = taken(pid);
	ck_assert_int_eq(setpriority(PRIO_PROCESS, (id_t)pid, 11), 0);
	ck_assert_int_eq(syscall(SYS_ioprio_set, 1, pid, 2 << 13 | 1), 0);
	number_set(pid, "oom_score_adj", "0");
	number_set(pid, "coredump_filter", "0x1");
	ck_assert_str_eq(applied(identity), "");
	ck_assert_int_eq(getpriority(PRIO_PROCESS, (id_t)pid), 5);
	ck_assert_int_eq(syscall(SYS_ioprio_get, 1, pid), 2 << 13 | 6);
	ck_assert_int_eq(number_of(pid, "oom_score_adj", 10), 300);
	ck_assert_int_eq(number_of(pid, "coredump_filter", 16), 0x7f);
	json_decref(identity);
	kill(pid, SIGKILL);
}
END_TEST

/* The second of an allocation that was elsewhere is the second of this one, or its only one. */
START_TEST(another_allocation)
{
	pid_t pid = process_start(1);
	json_t *identity, *thread;
	struct cr_cpus all, now;
	struct cr_error err = {0};
	unsigned second = 0, n = 0;

	unit_assert_ok(cr_cpus_get(0, &all, &err), &err);
	for (unsigned cpu = 0; cpu < 1024 && n < 2; cpu++) {
		if (!cr_cpus_has(&all, cpu))
			continue;
		second = cpu;
		n++;
	}
	identity = taken(pid);
	thread = json_array_get(
		json_object_get(json_array_get(json_object_get(identity, "processes"), 0), "threads"), 0);
	ck_assert_int_eq(json_object_set_new(identity, "cpus", json_string("500,700-701")), 0);
	ck_assert_int_eq(json_array_set_new(thread, 5, json_string("700")), 0);
	ck_assert_str_eq(applied(identity), "");
	unit_assert_ok(cr_cpus_get(pid, &now, &err), &err);
	ck_assert_uint_eq(cr_cpus_count(&now), 1);
	ck_assert(cr_cpus_has(&now, second));
	json_decref(identity);
	kill(pid, SIGKILL);
}
END_TEST

START_TEST(a_hard_limit_that_is_lower_stays)
{
	pid_t pids[2];
	json_t *identity;
	const char *log;

	unit_drop_root();
	pids[0] = process_start(1);
	limit_set(pids[0], 100, 200);
	identity = taken(pids[0]);
	limit_set(pids[0], 30, 60);
	log = applied(identity);
	ck_assert_uint_eq(limit_of(pids[0]).rlim_cur, 60);
	ck_assert_uint_eq(limit_of(pids[0]).rlim_max, 60);
	ck_assert_msg(strstr(log, "not as before: RLIMIT_NOFILE of process ") &&
			      strstr(log, " is 60 with a hard limit of 60, and was 100 with 200\n"),
		      "%s", log);
	json_decref(identity);
	kill(pids[0], SIGKILL);
}
END_TEST

START_TEST(processes_that_are_gone)
{
	pid_t pid = process_start(1), zombie = fork(), both[2];
	struct cr_error err = {0};
	json_t *identity;
	siginfo_t info;
	char *text = NULL;

	if (zombie == 0)
		_exit(0);
	ck_assert_int_eq(waitid(P_PID, (id_t)zombie, &info, WEXITED | WNOWAIT), 0);
	both[0] = zombie;
	both[1] = INT32_MAX;
	unit_assert_ok(identity_take(both, 2, NULL, &text, &err), &err);
	ck_assert_ptr_nonnull(strstr(text, "\"processes\":[]"));
	free(text);
	identity = taken(pid);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_str_eq(applied(identity), "");
	json_decref(identity);
}
END_TEST

/* What this very process has open as its timers: the one of fd, as it was taken. */
static void timer_taken(json_t *timers, int fd, json_int_t values[5])
{
	size_t i;
	json_t *item;

	json_array_foreach (timers, i, item) {
		int number;

		ck_assert_int_eq(json_unpack(item, "[i, I, I, I, I, I!]", &number, &values[0], &values[1],
					     &values[2], &values[3], &values[4]),
				 0);
		if (number == fd)
			return;
	}
	ck_abort_msg("no timer %d", fd);
}

static double left_of(int fd)
{
	struct itimerspec spec;

	ck_assert_int_eq(timerfd_gettime(fd, &spec), 0);
	return (double)spec.it_value.tv_sec + (double)spec.it_value.tv_nsec / 1e9;
}

static unsigned flags_of(int fd)
{
	unsigned flags = 0;
	char path[64], line[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f) && sscanf(line, "settime flags: %o", &flags) != 1)
		;
	(void)fclose(f);
	return flags;
}

static uint64_t ticks_of(int fd)
{
	uint64_t ticks = 0;
	ssize_t n = read(fd, &ticks, sizeof(ticks));

	ck_assert(n == (ssize_t)sizeof(ticks) || errno == EAGAIN);
	return ticks;
}

static int timer_new(clockid_t clock, int flags, double value, double interval)
{
	const struct itimerspec spec = {
		.it_value = {(time_t)value, (long)((value - (double)(time_t)value) * 1e9)},
		.it_interval = {(time_t)interval, (long)((interval - (double)(time_t)interval) * 1e9)}};
	int fd = timerfd_create(clock, TFD_NONBLOCK | TFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(timerfd_settime(fd, flags, &spec, NULL), 0);
	return fd;
}

/* As criu leaves them, and then as they were. */
START_TEST(a_timer_expires_at_its_moment)
{
	static const struct itimerspec never, soon = {.it_value = {.tv_sec = 1}};
	struct timespec day;
	struct cr_error err = {0};
	json_int_t was[5];
	json_t *timers;
	int fds[4];

	clock_gettime(CLOCK_REALTIME, &day);
	fds[0] = timer_new(CLOCK_MONOTONIC, TFD_TIMER_ABSTIME, now() + 1000.123, 5);
	fds[1] = timer_new(CLOCK_MONOTONIC, 0, 1000.123, 5);
	fds[2] = timer_new(CLOCK_REALTIME, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, (double)day.tv_sec + 1001,
			   5);
	fds[3] = timer_new(CLOCK_REALTIME, 0, 1000.123, 5);
	timers = timers_take(getpid());
	ck_assert(timers_ok(timers));
	ck_assert_uint_eq(json_array_size(timers), 4);
	timer_taken(timers, fds[2], was);
	ck_assert_int_eq(was[0] / 1000000000, day.tv_sec + 1001);
	ck_assert_int_eq(was[4], TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(
			timerfd_settime(fds[i], i % 2 ? TFD_TIMER_ABSTIME : 0, i % 2 ? &soon : &never, NULL), 0);
	unit_assert_ok(timers_apply(getpid(), timers, &err), &err);
	ck_assert_uint_eq(flags_of(fds[0]), TFD_TIMER_ABSTIME);
	ck_assert_uint_eq(flags_of(fds[1]), 0);
	ck_assert_uint_eq(flags_of(fds[2]), TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET);
	ck_assert_uint_eq(flags_of(fds[3]), 0);
	for (int i = 0; i < 4; i++) {
		ck_assert(left_of(fds[i]) > 900);
		ck_assert(left_of(fds[i]) <= 1001.001);
		ck_assert_uint_eq(ticks_of(fds[i]), 0);
	}
	/* a descriptor that is no timer */
	ck_assert_int_eq(dup2(0, fds[0]), fds[0]);
	ck_assert_int_eq(timers_apply(getpid(), timers, &err), -1);
	unit_assert_error(&err, EINVAL, "may expire at another moment, or not");
	for (int i = 0; i < 4; i++)
		close(fds[i]);
	json_decref(timers);
}
END_TEST

static void expired(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	ck_assert_int_eq(poll(&p, 1, 10000), 1);
}

/* Expired and not read; read; never armed. */
START_TEST(a_timer_that_has_expired)
{
	int once = timer_new(CLOCK_MONOTONIC, 0, 0.001, 0), again = timer_new(CLOCK_MONOTONIC, 0, 0.001, 0.001);
	int read_once = timer_new(CLOCK_MONOTONIC, TFD_TIMER_ABSTIME, now(), 0);
	int idle = timer_new(CLOCK_BOOTTIME, TFD_TIMER_ABSTIME, 0, 7);
	const struct itimerspec never = {0};
	struct cr_error err = {0};
	json_int_t was[5];
	uint64_t ticks;
	json_t *timers;
	double from = now();

	expired(once);
	expired(again);
	expired(read_once);
	ck_assert_uint_eq(ticks_of(read_once), 1);
	timers = timers_take(getpid());
	ck_assert(timers_ok(timers));
	timer_taken(timers, again, was);
	ck_assert_int_gt(was[0], 0);
	ck_assert_int_ge(was[2], 1);
	timer_taken(timers, read_once, was);
	ck_assert_int_eq(was[0], 0);
	/* as criu restores it */
	ck_assert_int_eq(timerfd_settime(again, 0, &never, NULL), 0);
	ck_assert_int_eq(
		timerfd_settime(read_once, TFD_TIMER_ABSTIME, &(struct itimerspec){.it_value = {1, 0}}, NULL), 0);
	unit_assert_ok(timers_apply(getpid(), timers, &err), &err);
	ck_assert_uint_eq(ticks_of(once), 1);
	ck_assert_uint_eq(ticks_of(read_once), 0);
	ck_assert_uint_eq(ticks_of(idle), 0);
	/* one a millisecond, since it was set */
	ck_assert_int_eq(usleep(20000), 0);
	ticks = ticks_of(again);
	ck_assert_uint_ge(ticks, 20);
	ck_assert((double)ticks <= (now() - from) * 1000 + 1);
	json_decref(timers);
	close(once);
	close(again);
	close(read_once);
	close(idle);
}
END_TEST

/* From before relative ones were noted. */
START_TEST(timers_of_an_earlier_version)
{
	int fd = timer_new(CLOCK_MONOTONIC, 0, 1, 0);
	json_t *timers = json_pack("[[i, I, i, i]]", fd, (json_int_t)((now() + 1000) * 1e9), 5, 3);
	struct cr_error err = {0};

	ck_assert(timers_ok(timers));
	unit_assert_ok(timers_apply(getpid(), timers, &err), &err);
	ck_assert(left_of(fd) > 900);
	ck_assert_uint_eq(ticks_of(fd), 3);
	json_decref(timers);
	close(fd);
}
END_TEST

START_TEST(text_that_is_damaged)
{
	static const char *const cases[] = {
		"",
		"{}",
		"[]",
		"{\"format\":1,\"cpus\":\"0\"}",
		"{\"format\":1,\"cpus\":\"x\",\"processes\":[]}",
		"{\"format\":1,\"cpus\":0,\"processes\":[]}",
		"{\"format\":1,\"cpus\":\"0\",\"processes\":{}}",
		"{\"format\":1,\"cpus\":\"0\",\"processes\":[1]}",
		"{\"format\":1,\"cpus\":\"0\",\"processes\":[{\"pid\":1,\"limits\":[]}]}",
		"{\"format\":1,\"cpus\":\"0\",\"processes\":[{\"pid\":\"1\",\"limits\":[],\"timers\":[],"
		"\"threads\":[]}]}",
		"{\"format\":1,\"cpus\":\"0\",\"processes\":[{\"pid\":0,\"limits\":[],\"timers\":[],\"threads\":[]"
		"}]}",
		"{\"format\":1,\"cpus\":\"0\",\"processes\":[{\"pid\":-1,\"limits\":[],\"timers\":[],\"threads\":["
		"]}]}",
		"{\"format\":1,\"cpus\":\"0\",\"processes\":[{\"pid\":4294967297,\"limits\":[],\"timers\":[],"
		"\"threads\":[]}]}",
		"{\"format\":1,\"cpus\":\"0\",\"processes\":[{\"pid\":1,\"limits\":[[1]],\"timers\":[],"
		"\"threads\":[]}]}",
		"{\"format\":1,\"cpus\":\"0\",\"processes\":[{\"pid\":1,\"limits\":[[1,2,3]],\"timers\":[],"
		"\"threads\":[]}]}",
		"{\"format\":1,\"cpus\":\"0\",\"processes\":[{\"pid\":1,\"limits\":[],\"timers\":[],\"threads\":[["
		"1,0,0,0,0]]}]"
		"}",
		"{\"format\":1,\"cpus\":\"0\",\"processes\":[{\"pid\":1,\"limits\":[],\"timers\":[],\"threads\":[["
		"0,0,0,0,0,"
		"\"0\"]]}]}",
		"{\"format\":1,\"cpus\":\"0\",\"processes\":[{\"pid\":1,\"limits\":[],\"timers\":[],\"threads\":[["
		"1,0,0,0,0,\"-"
		"\"]]}]}",
		"{\"format\":1,\"cpus\":\"0\",\"cpus\":\"1\",\"processes\":[]}",
		"{\"format\":1,\"cpus\":\"0\",\"processes\":[{\"pid\":1,\"limits\":[],\"threads\":[]}]}",
		"{\"format\":1,\"cpus\":\"0\",\"processes\":[{\"pid\":1,\"limits\":[],\"timers\":[[1,1,1]],"
		"\"threads\":[]}]}",
		"{\"format\":1,\"cpus\":\"0\",\"processes\":[{\"pid\":1,\"limits\":[],\"timers\":[[-1,1,1,0]],"
		"\"threads\":[]}]}",
		"{\"format\":1,\"cpus\":\"0\",\"processes\":[{\"pid\":1,\"limits\":[],\"timers\":[[1,1,1,0,1,4]],"
		"\"threads\":[]}]}",
	};
	static const char later[] = "{\"format\":2,\"cpus\":\"0\",\"processes\":[]}";
	struct cr_error err = {0};
	json_t *identity = NULL;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_msg(identity_parse(cases[i], strlen(cases[i]), &identity, &err) == -1, "%s", cases[i]);
		unit_assert_error(&err, EBADMSG, "identity.json is damaged");
	}
	ck_assert_int_eq(identity_parse(later, strlen(later), &identity, &err), -1);
	unit_assert_error(&err, ENOTSUP, "format 2, this is for 1");
}
END_TEST

static void proc_make(const char *numa, const char *flags)
{
	char smaps[1024];

	static const char *const dirs[] = {"7", "7/task", "7/task/7", "7/task/9"};

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		ck_assert(mkdir(unit_path(dirs[i]), 0700) == 0 || errno == EEXIST);
	unit_write("7/maps",
		   "1000-2000 r-xp 00000000 08:01 5 /bin/a\n2000-3000 rw-p 00000000 00:00 0\n"
		   "3000-5000 rw-p 00000000 00:00 0\n5000-6000 rw-s 00000000 00:05 9 /dev/zero (deleted)\n");
	unit_write("7/numa_maps", numa);
	unit_write("7/task/7/numa_maps", "1000 interleave=static:0-1 file=/bin/a mapped=1 N0=1\n");
	unit_write("7/task/9/numa_maps", "1000 prefer (many):0,3 file=/bin/a mapped=1 N0=1\n");
	unit_write("7/status", "Name:\ta\nVmLck:\t       4 kB\n");
	(void)snprintf(smaps, sizeof(smaps),
		       "1000-2000 r-xp 00000000 08:01 5 /bin/a\nVmFlags: rd ex mr mw me \n2000-3000 rw-p 00000000 "
		       "00:00 0\nSize: 4 kB\nVmFlags: rd wr mr mw me %sac \n3000-5000 rw-p 00000000 00:00 0\n"
		       "VmFlags: rd wr mr lo ac \n",
		       flags);
	unit_write("7/smaps", smaps);
	unit_write("7/personality", "00040000\n");
}

/* What /proc says, in the library's words. */
static char *placed_of(long room)
{
	json_t *process = json_pack("{s: i}", "pid", 7), *processes = json_pack("[O]", process);
	struct cr_error err = {0};
	char *text = NULL;

	ck_assert_int_eq(placed_put(unit_dir, 7, &room, process), 0);
	ck_assert(placed_ok(json_object_get(process, "placed")));
	unit_assert_ok(placed_tell(unit_dir, processes, &err), &err);
	json_decref(process);
	json_decref(processes);
	unit_assert_ok(cr_fs_read(unit_path(SHIM_PLACED), 1 << 20, &text, NULL, &err), &err);
	return text;
}

/* The lines of threads come in any order. */
static bool has(const char *text, const char *line)
{
	return strstr(text, line) != NULL;
}

START_TEST(where_memory_is_to_be)
{
	char *text;

	proc_make("1000 interleave=static:0-1 file=/bin/a\n2000 bind:1 anon=1\n3000 bind:1 anon=2\n"
		  "5000 weighted interleave:0,2 file=/dev/zero\\040(deleted)\n",
		  "");
	text = placed_of(100);
	ck_assert(has(text, "7 7 0 0 0 32771 0-1 40000\n"));
	ck_assert(has(text, "7 9 0 0 0 5 0,3 40000\n"));
	/* two areas that are alike */
	ck_assert(has(text, "7 7 2000 5000 0 2 1 0\n7 7 5000 6000 0 6 0,2 0\n"));
	free(text);
	/* locked on fault: then what is locked altogether is said, too */
	proc_make("1000 interleave=static:0-1 file=/bin/a\n2000 interleave=static:0-1\n3000 local\n", "lo lf ");
	text = placed_of(100);
	ck_assert(has(text, "7 7 2000 3000 2 -1 - 0\n7 7 3000 5000 1 4 - 0\n"));
	free(text);
	/* more than there may be */
	text = placed_of(1);
	ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
	free(text);
}
END_TEST

/* The kernel cuts a policy that is too long: what may be half a number is left out. */
START_TEST(a_policy_that_is_cut)
{
	char *text;

	proc_make("1000 interleave=static:0-1\n2000 "
		  "bind:0,2,4,6,8,10,12,14,16,18,20,22,24,26,28,30,32,34,36,38,40,4 anon=1\n",
		  "");
	text = placed_of(100);
	ck_assert(has(text, "7 7 2000 3000 0 2 0,2,4,6,8,10,12,14,16,18,20,22,24,26,28,30,32,34,36,38,40 0\n"));
	free(text);
}
END_TEST

START_TEST(places_that_are_refused)
{
	static const char *const bad[] = {"{}",
					  "[[0,0,0,0,-1,\"-\",0]]",
					  "[[7,2,1,0,-1,\"-\",0]]",
					  "[[7,1,2,3,-1,\"-\",0]]",
					  "[[7,1,2,0,-2,\"-\",0]]",
					  "[[7,1,2,0,3,\"0 1\",0]]",
					  "[[7,1,2,0,3,\"0\",4294967296]]",
					  "[[7,1,2,0,3,\"0\"]]"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_t *placed = json_loads(bad[i], 0, NULL);

		ck_assert_ptr_nonnull(placed);
		ck_assert_msg(!placed_ok(placed), "%s", bad[i]);
		json_decref(placed);
	}
}
END_TEST

/* What the library could not put back is in the log, and nothing is left. */
START_TEST(places_that_are_lost)
{
	struct job job = {.id = 4711, .node = "n1", .log_level = 1, .wire = -1, .home = unit_dir};
	char text[1024] = "";

	unit_write(SHIM_MISPLACED, "7 22\n9 38\nrubbish");
	unit_write(SHIM_PLACED, "");
	job.log = open(unit_path("log"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	placed_settle(&job);
	ck_assert_int_gt(pread(job.log, text, sizeof(text) - 1, 0), 0);
	close(job.log);
	ck_assert(has(
		text,
		"not as before: a memory policy, locked memory or the personality of process 7: Invalid argument "
		"(and others of this kind)"));
	ck_assert(!unit_exists(SHIM_MISPLACED));
	ck_assert(!unit_exists(SHIM_PLACED));
}
END_TEST

static double processor_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The job stands still meanwhile. The machine may be anybody's: what others take of it does not count. */
START_TEST(many_threads_take_no_time)
{
	pid_t pid = process_start(MANY);
	double from = processor_time(), between;
	json_t *identity = taken(pid);

	between = processor_time();
	ck_assert_str_eq(applied(identity), "");
	printf("%d threads: taken in %.1f ms, put back in %.1f ms\n", MANY, (between - from) * 1e3,
	       (processor_time() - between) * 1e3);
	ck_assert(between - from < 2 && processor_time() - between < 2);
	json_decref(identity);
	kill(pid, SIGKILL);
}
END_TEST

UNIT_MAIN("identity", {what_was_changed_is_put_back, true}, {priorities_and_the_rest, true},
	  {another_allocation, true}, {a_hard_limit_that_is_lower_stays, true}, {processes_that_are_gone, true},
	  {a_timer_expires_at_its_moment, false}, {a_timer_that_has_expired, false},
	  {timers_of_an_earlier_version, false}, {text_that_is_damaged, false}, {where_memory_is_to_be, true},
	  {a_policy_that_is_cut, true}, {places_that_are_refused, false}, {places_that_are_lost, true},
	  {many_threads_take_no_time, true})
