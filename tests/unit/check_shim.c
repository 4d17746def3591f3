/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* The library that is loaded into criu: what it reads, and, loaded into this very program, what it does. */

#include "unit.h"

#include <dirent.h>
#include <linux/mempolicy.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "../../libcrcore/proc.h"
#include "../../spank_cr/init/ended.h"
#include "../../spank_cr/init/fifos.h"
#include "../../spank_cr/init/shim.h"
#include "../../spank_cr/init/shim_ended.h"
#include "../../spank_cr/init/shim_fifos.h"
#include "../../spank_cr/init/shim_placed.h"
#include "../../spank_cr/init/shim_queue.h"

START_TEST(lists_that_are_read)
{
	struct shim_ended list[3];

	ck_assert_int_eq(shim_ended_parse("", list, 3), 0);
	ck_assert_int_eq(shim_ended_parse("7 32768\n2147483647 139\n9 40\n", list, 3), 3);
	ck_assert_int_eq(list[0].pid, 7);
	ck_assert_int_eq(WEXITSTATUS(list[0].status), 128);
	ck_assert_int_eq(list[1].pid, 2147483647);
	ck_assert(WCOREDUMP(list[1].status));
	ck_assert_ptr_eq(shim_ended_find(list, 3, 9), &list[2]);
	ck_assert_ptr_null(shim_ended_find(list, 3, 8));
	ck_assert_ptr_null(shim_ended_find(list, 0, 7));
}
END_TEST

START_TEST(lists_that_are_refused)
{
	static const char *const lists[] = {
		"7",
		"7\n",
		"7 \n",
		"7 9",
		"7 9\n8",
		"-7 9\n",
		"0 9\n",
		"7  9\n",
		" 7 9\n",
		"7 9 \n",
		"7 +9\n",
		"7 65536\n",
		"2147483648 9\n",
		"7 0x9\n",
		"\n",
		"a b\n",
		"7 -1\n",
		"7 127\n",
		"7 9\n\n8 9\n",
		"99999999999999 9\n",
		"1 0\n2 0\n3 0\n4 0\n",
	};
	struct shim_ended list[3];

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		ck_assert_msg(shim_ended_parse(lists[i], list, 3) == -1, "\"%s\" was taken", lists[i]);
}
END_TEST

START_TEST(calls_that_are_meant)
{
	for (int code = 0; code < 256; code++) {
		ck_assert(shim_ended_is_exit(code << 8, code & 0x7f));
		ck_assert(!shim_ended_is_exit(code << 8, (code + 1) & 0x7f));
		ck_assert(!shim_ended_is_kill(code << 8, code));
	}
	for (int sig = 1; sig < 65; sig++) {
		ck_assert(shim_ended_is_kill(sig, sig));
		ck_assert(shim_ended_is_kill(sig | 0x80, sig));
		ck_assert(shim_ended_is_kill(sig, SIGABRT));
		ck_assert(!shim_ended_is_kill(sig, 0));
		ck_assert(!shim_ended_is_exit(sig, 0));
	}
}
END_TEST

/* ---- with the library loaded ---- */

static char *self;

static volatile sig_atomic_t heard;

static void child_heard(int sig)
{
	(void)sig;
	heard++;
}

static void *thread_wait(void *arg)
{
	for (;;)
		pause();
	return arg;
}

/* A parent that counts what it hears of its child, and is asked for it by the gate. The child has another thread.
 */
static _Noreturn void parent_run(int gate, int tell)
{
	const struct sigaction action = {.sa_handler = child_heard, .sa_flags = SA_RESTART};
	siginfo_t info = {0};
	pthread_t thread;
	pid_t child;
	char byte;
	int before;

	sigaction(SIGCHLD, &action, NULL);
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		child = getpid();
		if (pthread_create(&thread, NULL, thread_wait, NULL) != 0 ||
		    write(tell, &child, sizeof(child)) != (ssize_t)sizeof(child))
			_exit(1);
		thread_wait(NULL);
	}
	(void)!read(gate, &byte, 1);
	/* the kernel tells a parent a moment after the last of the threads is seen to stand */
	for (int i = 0; i < 20 && !info.si_pid; i++) {
		usleep(10000);
		waitid(P_PID, (id_t)child, &info, WSTOPPED | WNOHANG);
	}
	/* before it hears of the child's end */
	before = heard;
	kill(child, SIGKILL);
	_exit(before * 10 + (info.si_pid == child));
}

static void seize(pid_t tid)
{
	int status;

	if (ptrace(PTRACE_SEIZE, tid, NULL, PTRACE_O_TRACESYSGOOD) < 0 ||
	    ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) < 0 || waitpid(tid, &status, __WALL) != tid)
		_exit(90);
}

/* As criu at the end of a restore: all are held, one is stopped, all are let go. Ends with what the parent says.
 */
static _Noreturn void stop_act(void)
{
	int gate[2], tell[2], status;
	char path[64];
	pid_t parent, child, tid = 0;
	struct dirent *e;
	DIR *d;

	if (pipe(gate) < 0 || pipe(tell) < 0)
		_exit(91);
	parent = fork();
	if (parent == 0)
		parent_run(gate[0], tell[1]);
	if (read(tell[0], &child, sizeof(child)) != (ssize_t)sizeof(child))
		_exit(92);
	snprintf(path, sizeof(path), "/proc/%d/task", (int)child);
	d = opendir(path);
	while (d && (e = readdir(d)))
		if (atoi(e->d_name) > 0 && atoi(e->d_name) != child)
			tid = atoi(e->d_name);
	if (d)
		closedir(d);
	seize(parent);
	seize(child);
	seize(tid);
	kill(child, SIGSTOP);
	ptrace(PTRACE_DETACH, parent, NULL, NULL);
	ptrace(PTRACE_DETACH, child, NULL, NULL);
	ptrace(PTRACE_DETACH, tid, NULL, NULL);
	while (cr_proc_state(child) != 'T' || cr_proc_state(tid) != 'T')
		usleep(10000);
	if (write(gate[1], "g", 1) != 1 || waitpid(parent, &status, 0) != parent)
		_exit(93);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 94);
}

/* Looks at a queue as criu does. What is not as it should be is the exit status. */
static int queue_act(int type)
{
	_Alignas(struct cmsghdr) char control[256];
	char data[16];
	struct iovec iov = {data, sizeof(data)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	static const ssize_t want[] = {3, 5, -1};
	int pair[2], off = 0, on = 1;

	if (socketpair(AF_UNIX, type, 0, pair) < 0 || send(pair[0], "one", 3, 0) != 3 ||
	    send(pair[0], "", 0, 0) != 0 || setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0 ||
	    send(pair[0], "three", 5, 0) != 5 ||
	    setsockopt(pair[1], SOL_SOCKET, SO_PEEK_OFF, &off, sizeof(off)) < 0)
		return 1;
	for (int i = 0; i < 3; i++) {
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		if (recvmsg(pair[1], &msg, MSG_DONTWAIT | MSG_PEEK) != want[i] ||
		    (want[i] > 0 && CMSG_FIRSTHDR(&msg)))
			return 2 + i;
	}
	/* the end is one; any other look is none of criu's */
	shutdown(pair[0], SHUT_WR);
	if (type == SOCK_SEQPACKET && recvmsg(pair[1], &msg, MSG_DONTWAIT | MSG_PEEK) != 0)
		return 5;
	msg.msg_control = control;
	msg.msg_controllen = sizeof(control);
	if (recvmsg(pair[1], &msg, MSG_DONTWAIT) != 3 || !CMSG_FIRSTHDR(&msg))
		return 6;
	return 0;
}

/* As criu looks at a stream whose other end has been shut down. */
static int stream_act(void)
{
	_Alignas(struct cmsghdr) char control[256];
	char data[16];
	struct iovec iov = {data, sizeof(data)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	int pair[2], off = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 || send(pair[0], "one", 3, 0) != 3 ||
	    shutdown(pair[0], SHUT_WR) < 0 || setsockopt(pair[1], SOL_SOCKET, SO_PEEK_OFF, &off, sizeof(off)) < 0)
		return 1;
	alarm(20);
	for (ssize_t want = 3; want >= 0; want -= 3) {
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		if (recvmsg(pair[1], &msg, MSG_DONTWAIT | MSG_PEEK) != want || CMSG_FIRSTHDR(&msg))
			return 2;
	}
	return 0;
}

/* As criu restores a lease that is being broken, by who wants to do as flags say. */
static int lease_act(int flags)
{
	int fd = open("leased", O_RDWR | O_CREAT, 0600), heard_before = heard;
	const int becomes = flags == O_RDONLY ? F_RDLCK : F_UNLCK;
	/* as it is, whatever the compiler would make of it */
	int (*const volatile open_at)(int, const char *, int, ...) = openat64;
	struct f_owner_ex owner = {0};

	signal(SIGIO, child_heard);
	if (fd < 0 || fcntl64(fd, F_SETSIG, SIGIO) || fcntl64(fd, F_SETLEASE, F_WRLCK) ||
	    open_at(AT_FDCWD, "leased", flags | O_NONBLOCK) != -1 || errno != EAGAIN)
		return 1;
	if (heard != heard_before || fcntl64(fd, F_GETLEASE) != becomes || fcntl64(fd, F_GETOWN_EX, &owner) ||
	    owner.pid != getpid())
		return 2;
	/* one for reading cannot be had by who can write */
	if (fcntl64(fd, F_SETLEASE, F_UNLCK) || fcntl64(fd, F_SETLEASE, F_RDLCK) ||
	    fcntl64(fd, F_GETLEASE) != F_RDLCK || heard != heard_before)
		return 3;
	/* a call that is none of criu's */
	if (fcntl64(fd, F_SETLEASE, F_UNLCK) || fcntl64(fd, F_SETLEASE, F_WRLCK) ||
	    open_at(AT_FDCWD, "leased", flags | O_NONBLOCK | O_CLOEXEC) != -1 || heard != heard_before + 1)
		return 4;
	return 0;
}

/* As criu opens a named pipe in directory dir: its own end, the job's, what was in it. Returns what the job sees.
 */
static int fifo_act(const char *what, int dir)
{
	int own = openat(dir, "fifo", O_RDWR), fd;
	struct iovec iov = {.iov_base = (char *)"x", .iov_len = 1};
	struct pollfd p = {.events = POLLIN};
	char text[4];

	fd = openat(dir, "fifo", O_RDONLY | (strcmp(what, "waiting") == 0 ? 0 : O_NONBLOCK));
	if (own < 0 || fd < 0 || (strcmp(what, "data") == 0 && vmsplice(own, &iov, 1, SPLICE_F_NONBLOCK) != 1))
		return 97;
	close(own);
	p.fd = fd;
	poll(&p, 1, 0);
	if (strcmp(what, "data") == 0)
		return read(fd, text, sizeof(text)) == 1 && *text == 'x' ? 1 : 96;
	return (p.revents & POLLHUP ? 2 : 3) + (fcntl(fd, F_GETFL) & O_NONBLOCK ? 4 : 0);
}

#define LOCK_SIZE 16384u

/* As criu maps what was locked. Is it there at once? */
static int lock_act(void)
{
	char *at = mmap(NULL, LOCK_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char there[LOCK_SIZE / 4096] = {0};

	if (at == MAP_FAILED || mmap64(at, LOCK_SIZE, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_LOCKED, -1, 0) != at)
		return 97;
	return mincore(at, LOCK_SIZE, there) < 0 ? 96 : 1 + (there[1] & 1);
}

/* As criu looks for a watched file: by a handle that it may not open. */
static int watch_act(void)
{
	/* what the kernel would not even look at */
	struct {
		struct file_handle handle;
		unsigned char bytes[8];
	} it = {.handle = {.handle_bytes = 8, .handle_type = 1}, .bytes = "\001\2\xabxyz"};
	struct stat is, opened;
	int fd, root = open("/", O_RDONLY);
	FILE *f = fopen(SHIM_WATCHES ".new", "w");

	if (!f)
		return 1;
	/* not before it is told */
	if (stat("watched", &is) < 0 || syscall(SYS_open_by_handle_at, root, &it.handle, O_RDONLY) != -1)
		return 2;
	fprintf(f, "\n9 9 abcd /etc\n%u %d ", it.handle.handle_bytes, it.handle.handle_type);
	for (unsigned i = 0; i < it.handle.handle_bytes; i++)
		fprintf(f, "%02x", it.bytes[i]);
	fprintf(f, " %ju watched\n", (uintmax_t)is.st_ino);
	if (fclose(f) != 0 || rename(SHIM_WATCHES ".new", SHIM_WATCHES) < 0)
		return 3;
	fd = (int)syscall(SYS_open_by_handle_at, root, &it.handle, O_PATH);
	if (fd < 0 || fstat(fd, &opened) < 0 || opened.st_ino != is.st_ino || opened.st_dev != is.st_dev)
		return 4;
	/* another file is there by now */
	if (rename("watched", "elsewhere") < 0 || close(open("watched", O_WRONLY | O_CREAT, 0600)) < 0 ||
	    syscall(SYS_open_by_handle_at, root, &it.handle, O_PATH) != -1)
		return 6;
	it.handle.handle_bytes--;
	if (syscall(SYS_open_by_handle_at, root, &it.handle, O_PATH) != -1 || syscall(SYS_getpid) != getpid())
		return 5;
	return 0;
}

/* As criu: "exit CODE" or "kill SIGNAL" of its own. */
static int act(const char *what, const char *argument)
{
	/* what the library must keep from its children */
	if (getenv(SHIM_ENV_PRELOAD) || getenv(SHIM_ENV_DIR))
		_exit(99);
	if (strcmp(what, "stop") == 0)
		stop_act();
	if (strcmp(what, "queue") == 0)
		_exit(queue_act(atoi(argument)));
	if (strcmp(what, "stream") == 0)
		_exit(stream_act());
	if (strcmp(what, "watch") == 0)
		_exit(watch_act());
	if (strcmp(what, "lease") == 0)
		_exit(lease_act(atoi(argument)));
	if (strcmp(what, "lock") == 0)
		_exit(lock_act());
	if (strcmp(what, "quiet") == 0 || strcmp(what, "data") == 0 || strcmp(what, "waiting") == 0)
		_exit(fifo_act(what, atoi(argument)));
	if (strcmp(what, "kill") == 0) {
		prctl(PR_SET_DUMPABLE, 0);
		kill(getpid(), atoi(argument));
		exit(0);
	}
	exit(atoi(argument));
}

static int run(const char *verb, int argument, const char *list, int *seen)
{
	char number[16], preload[PATH_MAX], dir[PATH_MAX + 32], text[128];
	char *const argv[] = {self, (char *)verb, number, NULL};
	/* the sanitizers' own libraries want to be the first */
	char *const envp[] = {preload, dir, "ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0", NULL};
	siginfo_t info;
	int status;
	pid_t pid;

	(void)snprintf(number, sizeof(number), "%d", argument);
	(void)snprintf(preload, sizeof(preload), SHIM_ENV_PRELOAD "=%s", CR_SHIM_BUILT);
	(void)snprintf(dir, sizeof(dir), SHIM_ENV_DIR "=%s", unit_dir);
	pid = fork();
	if (pid == 0) {
		(void)snprintf(text, sizeof(text), list, (int)getpid(), (int)getpid());
		unit_write(strcmp(verb, "lock") == 0 ? SHIM_PLACED : SHIM_ENDED, text);
		execve(self, argv, envp);
		_exit(98);
	}
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	if (cr_proc_ended(pid, seen) < 0)
		*seen = -1;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

START_TEST(exit_statuses)
{
	for (int code = 0; code < 256; code += 15) {
		char list[32];
		int seen, status;

		(void)snprintf(list, sizeof(list), "%%d %d\n", code << 8);
		status = run("exit", code & 0x7f, list, &seen);
		ck_assert_msg(status == code << 8, "%d: %#x", code, (unsigned)status);
		ck_assert_int_eq(seen, status);
	}
}
END_TEST

START_TEST(every_deadly_signal)
{
	unit_drop_root();
	for (int sig = 1; sig < 65; sig++) {
		char list[32];
		int seen, status;

		if (sig == SIGCHLD || sig == SIGCONT || sig == SIGURG || sig == SIGWINCH || sig == 32 ||
		    sig == 33 || (sig >= SIGSTOP && sig <= SIGTTOU))
			continue;
		(void)snprintf(list, sizeof(list), "%%d %d\n", sig);
		status = run("kill", sig < SIGSYS ? sig : SIGABRT, list, &seen);
		ck_assert_msg(status == sig, "%d: %#x", sig, (unsigned)status);
		ck_assert_msg(seen == sig, "%d is shown as %d", sig, seen);
	}
}
END_TEST

static int stop_run(const char *list)
{
	int seen;

	if (list)
		unit_write(SHIM_UNTOLD, list);
	return WEXITSTATUS(run("stop", 0, "", &seen));
}

/* Ten times the signals that the parent hears, and one if wait(2) tells it. */
START_TEST(stops_that_are_known)
{
	unit_drop_root();
	/* as it is without the library, and for a checkpoint that does not say who has been told */
	ck_assert_int_eq(stop_run(NULL), 11);
	ck_assert_int_eq(stop_run("damaged"), 11);
#ifdef __x86_64__
	ck_assert_int_eq(stop_run(""), 0);
	ck_assert_int_eq(stop_run("1 19\n"), 0);
#endif
}
END_TEST

START_TEST(a_core_is_told_where_it_can_be)
{
	char pattern[128] = "|";
	FILE *f = fopen("/proc/sys/kernel/core_pattern", "re");
	struct rlimit limit;
	int seen, status;

	if (f && fgets(pattern, sizeof(pattern), f))
		fclose(f);
	unit_drop_root();
	ck_assert_int_eq(mkdir(unit_path(SHIM_CORES), 0700), 0);
	ck_assert_int_eq(getrlimit(RLIMIT_CORE, &limit), 0);
	limit.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_CORE, &limit), 0);
	status = run("kill", SIGSEGV, "%d 139\n", &seen);
	ck_assert_int_eq(WTERMSIG(status), SIGSEGV);
	if (pattern[0] == '|' || strchr(pattern, '/') || limit.rlim_max < 65536)
		return;
	ck_assert(WCOREDUMP(status));
	ended_forget(unit_dir);
	ck_assert(!unit_exists(SHIM_CORES));
}
END_TEST

START_TEST(queues_that_criu_looks_at)
{
	struct shim_queue_note note;
	char text[256] = "";
	int seen;
	FILE *f;

	ck_assert_int_eq(run("queue", SOCK_DGRAM, "%d 256\n", &seen), 0);
	f = fopen(unit_path(SHIM_QUEUES), "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_gt(fread(text, 1, sizeof(text) - 1, f), 0);
	fclose(f);
	ck_assert_ptr_nonnull(shim_queue_parse(text, &note));
	ck_assert_uint_eq(note.at, 1);
	ck_assert_str_eq(note.from, "");
	ck_assert_int_eq(run("queue", SOCK_SEQPACKET, "%d 256\n", &seen), 0);
	ck_assert_int_eq(unlink(unit_path(SHIM_QUEUES)), 0);
	ck_assert_int_eq(run("stream", 0, "", &seen), 0);
	ck_assert(!unit_exists(SHIM_QUEUES));
}
END_TEST

START_TEST(leases_that_are_broken)
{
	int seen;

	ck_assert_int_eq(chdir(unit_dir), 0);
	ck_assert_int_eq(run("lease", O_RDONLY, "", &seen), 0);
	ck_assert_int_eq(run("lease", O_WRONLY, "", &seen), 0);
}
END_TEST

/* A pipe's name, wherever it has been made again. */
START_TEST(names_of_pipes)
{
	static const char text[] = "2f61\n2f746d702f62\n";
	char name[SHIM_FIFO_NAME], path[PATH_MAX + 64];

	shim_fifo_name("/a\n\xff", name);
	ck_assert_str_eq(name, "2f610aff");
	shim_fifo_name("/tmp/.spank_cr.ghosts/17/a", name);
	ck_assert_str_eq(name, "2f61");
	shim_fifo_name("/dev/shm/.spank_cr.ghosts/0/a", name);
	ck_assert_str_eq(name, "2f61");
	shim_fifo_name("/tmp/.spank_cr.ghosts/17/", name);
	ck_assert_uint_eq(strlen(name), 2 * strlen("/tmp/.spank_cr.ghosts/17/"));
	ck_assert(shim_fifo_listed(text, "a"));
	ck_assert(shim_fifo_listed(text, "tmp/b"));
	ck_assert(shim_fifo_listed(text, "tmp/.spank_cr.ghosts/5/tmp/b.cr_link"));
	ck_assert(!shim_fifo_listed(text, "b"));
	ck_assert(!shim_fifo_listed(text, "tmp/"));
	ck_assert(!shim_fifo_listed(text, ".cr_link"));
	ck_assert(!shim_fifo_listed(text, ""));
	ck_assert(!shim_fifo_listed("", "a"));
	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	ck_assert(!shim_fifo_listed(text, path));
	shim_fifo_name(path, name);
	ck_assert_uint_lt(strlen(name), sizeof(name));
}
END_TEST

/* A reader of a named pipe is told of a writer's end when there was a writer; criu's own end is none. */
START_TEST(named_pipes)
{
	int dir = open(unit_dir, O_RDONLY | O_DIRECTORY), seen;

	ck_assert_int_eq(mkfifo(unit_path("fifo"), 0600), 0);
	/* nothing is known, as of an older checkpoint: criu does what it does, and a reader must not wait */
	ck_assert_int_eq(run("quiet", dir, "", &seen), (2 + 4) << 8);
	unit_write(SHIM_FIFOS, "2f61\n");
	ck_assert_int_eq(run("quiet", dir, "", &seen), (3 + 4) << 8);
	ck_assert_int_eq(run("waiting", dir, "", &seen), 3 << 8);
	ck_assert_int_eq(run("data", dir, "", &seen), 1 << 8);
	/* its readers know of the end: "/fifo", and nothing that ends so */
	unit_write(SHIM_FIFOS, "2f2f6669666f\n");
	ck_assert_int_eq(run("quiet", dir, "", &seen), (3 + 4) << 8);
	unit_write(SHIM_FIFOS, "2f61\n2f6669666f\n");
	ck_assert_int_eq(run("quiet", dir, "", &seen), (2 + 4) << 8);
	close(dir);
}
END_TEST

/* The end of a pipe without a name that nobody writes to any more. */
static int pipe_ended(void)
{
	int fds[2];

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	close(fds[1]);
	return fds[0];
}

/* The pipes of which that is so, here of this process, and what is left of it for the library. */
START_TEST(pipes_that_have_ended)
{
	struct cr_error err = {0};
	const pid_t pid = getpid();
	int quiet, ended, again, removed, writer;
	char name[SHIM_FIFO_NAME];
	json_t *fifos;

	ck_assert_int_eq(mkfifo(unit_path("quiet"), 0600), 0);
	ck_assert_int_eq(mkfifo(unit_path("ended\n"), 0600), 0);
	quiet = open(unit_path("quiet"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ended = open(unit_path("ended\n"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	writer = open(unit_path("ended\n"), O_WRONLY | O_CLOEXEC);
	close(writer);
	again = dup(ended);
	fifos = fifos_take(&pid, 1);
	ck_assert(fifos_ok(fifos));
	ck_assert_uint_eq(json_array_size(fifos), 1);
	shim_fifo_name(unit_path("ended\n"), name);
	ck_assert_str_eq(json_string_value(json_array_get(fifos, 0)), name);
	json_decref(fifos);
	/* one that is removed keeps its name, and a pipe without one has none */
	ck_assert_int_eq(unlink(unit_path("ended\n")), 0);
	removed = pipe_ended();
	fifos = fifos_take(&pid, 1);
	ck_assert_uint_eq(json_array_size(fifos), 1);
	ck_assert_str_eq(json_string_value(json_array_get(fifos, 0)), name);
	unit_assert_ok(fifos_tell(unit_dir, fifos, &err), &err);
	ck_assert(unit_exists(SHIM_FIFOS));
	fifos_forget(unit_dir);
	ck_assert(!unit_exists(SHIM_FIFOS));
	unit_assert_ok(fifos_tell(unit_dir, NULL, &err), &err);
	ck_assert(!unit_exists(SHIM_FIFOS));
	json_decref(fifos);
	fifos = json_pack("[s]", "2f6g");
	ck_assert(!fifos_ok(fifos));
	json_decref(fifos);
	ck_assert(fifos_ok(NULL));
	fifos = json_array();
	for (int i = 0; i < 200; i++)
		json_array_append_new(fifos, json_sprintf("%08000d", i));
	ck_assert(!fifos_ok(fifos));
	json_decref(fifos);
	ck_assert(fifos_ok(json_null()));
	unit_assert_ok(fifos_tell(unit_dir, json_null(), &err), &err);
	ck_assert(!unit_exists(SHIM_FIFOS));
	close(quiet);
	close(ended);
	close(again);
	close(removed);
}
END_TEST

/* What is locked is there at once, but where something of the process is to be locked on fault. */
START_TEST(locks_that_are_late)
{
	int seen;

	ck_assert_int_eq(run("lock", 0, "%d %d 1000 2000 1 -1 - 0\n", &seen), 2 << 8);
	ck_assert_int_eq(run("lock", 0, "%d %d 1000 2000 2 -1 - 0\n", &seen), 1 << 8);
	/* another process's; nothing; nonsense */
	ck_assert_int_eq(run("lock", 0, "1 1 1000 2000 2 -1 - 0\n", &seen), 2 << 8);
	ck_assert_int_eq(run("lock", 0, "", &seen), 2 << 8);
	ck_assert_int_eq(run("lock", 0, "%d %d 1000 2000 2 -1 - 0\n1 2 3", &seen), 2 << 8);
}
END_TEST

START_TEST(places_that_are_read)
{
	static const char *const bad[] = {"1 2 3\n",
					  "1 2 3000 4000 0 3 0-1 0",
					  "0 2 3000 4000 0 3 0-1 0\n",
					  "1 0 3000 4000 0 3 0-1 0\n",
					  "1 2 4000 3000 0 3 0-1 0\n",
					  "1 2 3000 4000 3 3 0-1 0\n",
					  "1 2 3000 4000 0 3 1-0 0\n",
					  "1 2 3000 4000 0 3 1024 0\n",
					  "1 2 3000 4000 0 3 0,, 0\n",
					  "1 2 3000 4000 0 3 -1 0\n",
					  "1 2 3000 4000 0 3 0- 0\n"};
	const char *text = "7 8 3000 4000 2 32771 0,2-3,1023 40000\n1 1 0 0 0 -1 - 0\n", *next;
	struct shim_placed p;

	ck_assert_int_eq(shim_placed_parse(text, &next, &p), 1);
	ck_assert_int_eq(p.pid, 7);
	ck_assert_int_eq(p.tid, 8);
	ck_assert_uint_eq(p.start, 0x3000);
	ck_assert_int_eq(p.lock, SHIM_PLACED_ON_FAULT);
	ck_assert_int_eq(p.mode, MPOL_INTERLEAVE | MPOL_F_STATIC_NODES);
	ck_assert_uint_eq(p.nodes[0], 13);
	ck_assert_uint_eq(p.nodes[15], 1ul << 63);
	ck_assert_uint_eq(p.personality, 0x40000);
	ck_assert_int_eq(shim_placed_parse(next, &next, &p), 1);
	ck_assert_uint_eq(p.nodes[0], 0);
	ck_assert_int_eq(shim_placed_parse(next, &next, &p), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(shim_placed_parse(bad[i], &next, &p), -1);
}
END_TEST

static long placed_trace(int request, pid_t pid, void *addr, void *data)
{
	return ptrace((enum __ptrace_request)request, pid, addr, data);
}

static char *range;

/* What it has been made to have: a bit each. */
static _Noreturn void placed_child(int gate)
{
	unsigned char there[LOCK_SIZE / 4096] = {0};
	int own = -1, ranges = -1;
	char byte;

	while (read(gate, &byte, 1) != 1)
		;
	(void)syscall(SYS_get_mempolicy, &own, NULL, 0, NULL, 0);
	(void)syscall(SYS_get_mempolicy, &ranges, NULL, 0, range, MPOL_F_ADDR);
	(void)mincore(range, LOCK_SIZE, there);
	_exit((own == (MPOL_INTERLEAVE | MPOL_F_STATIC_NODES)) + 2 * (ranges == MPOL_BIND) +
	      4 * (personality(0xffffffff) == ADDR_NO_RANDOMIZE) + 8 * !(there[1] & 1));
}

/* A process that is held is made to set what it had; one that is not held is not. */
START_TEST(places_that_are_put_back)
{
	const struct shim_calls calls = {.ptrace = placed_trace};
	struct shim_placed own = {.mode = MPOL_INTERLEAVE | MPOL_F_STATIC_NODES,
				  .nodes = {1},
				  .personality = ADDR_NO_RANDOMIZE},
			   of_range = {.mode = MPOL_BIND, .nodes = {1}, .lock = SHIM_PLACED_ON_FAULT};
	int gate[2], status, mode;

	if (syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0) < 0)
		return; /* no kernel with memory policies */
	range = mmap(NULL, LOCK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert(range != MAP_FAILED);
	ck_assert_int_eq(pipe(gate), 0);
	own.tid = fork();
	if (own.tid == 0)
		placed_child(gate[0]);
	of_range.tid = own.tid;
	of_range.start = (unsigned long)range;
	of_range.end = of_range.start + LOCK_SIZE;
	ck_assert_int_eq(shim_placed_apply(&calls, &own), ENOSYS);
	seize(own.tid);
#ifdef __x86_64__
	ck_assert_int_eq(shim_placed_apply(&calls, &own), 0);
	ck_assert_int_eq(shim_placed_apply(&calls, &of_range), 0);
	/* a node that is not there */
	of_range.nodes[0] = 0;
	of_range.nodes[1] = 1;
	of_range.lock = 0;
	ck_assert_int_eq(shim_placed_apply(&calls, &of_range), EINVAL);
	ck_assert_int_eq(ptrace(PTRACE_DETACH, own.tid, NULL, NULL), 0);
	ck_assert_int_eq(write(gate[1], "g", 1), 1);
	ck_assert_int_eq(waitpid(own.tid, &status, 0), own.tid);
	ck_assert_int_eq(status, 15 << 8);
#else
	ck_assert_int_eq(shim_placed_apply(&calls, &own), ENOSYS);
	kill(own.tid, SIGKILL);
#endif
}
END_TEST

START_TEST(files_that_are_watched)
{
	int seen;

	unit_drop_root();
	ck_assert_int_eq(chdir(unit_dir), 0);
	unit_write("watched", "x");
	ck_assert_int_eq(run("watch", 0, "", &seen), 0);
}
END_TEST

START_TEST(everything_else_passes)
{
	int seen;

	/* another process, another call, a list that is damaged, none */
	ck_assert_int_eq(run("exit", 127, "1%d 65280\n", &seen), 127 << 8);
	ck_assert_int_eq(run("exit", 1, "%d 65280\n", &seen), 1 << 8);
	ck_assert_int_eq(run("exit", 127, "%d 65280", &seen), 127 << 8);
	ck_assert_int_eq(run("exit", 127, "", &seen), 127 << 8);
	ck_assert_int_eq(run("kill", SIGTERM, "%d 256\n", &seen), SIGTERM);
	ck_assert_int_eq(run("kill", SIGTERM, "1%d 9\n", &seen), SIGTERM);
	ck_assert_int_eq(run("kill", 0, "%d 9\n", &seen), 0);
}
END_TEST

/* ---- what crinit has to do with it ---- */

static pid_t ended_start(int code, bool hidden)
{
	siginfo_t info;
	pid_t pid = fork();

	if (pid == 0) {
		if (hidden)
			prctl(PR_SET_DUMPABLE, 0);
		_exit(code);
	}
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	return pid;
}

START_TEST(what_is_told)
{
	struct cr_error err = {0};
	pid_t pids[] = {ended_start(200, false), getpid(), ended_start(0, false)};
	json_t *ended = ended_take(pids, 3);
	struct shim_ended list[4];
	char text[128] = "";
	FILE *f;

	ck_assert_uint_eq(json_array_size(ended), 2);
	ck_assert(ended_ok(ended));
	unit_assert_ok(ended_tell(unit_dir, ended, NULL, &err), &err);
	ck_assert(unit_exists(SHIM_CORES));
	f = fopen(unit_path(SHIM_ENDED), "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_gt(fread(text, 1, sizeof(text) - 1, f), 0);
	fclose(f);
	ck_assert_int_eq(shim_ended_parse(text, list, 4), 2);
	ck_assert_int_eq(list[0].pid, pids[0]);
	ck_assert_int_eq(list[0].status, 200 << 8);
	ck_assert_int_eq(list[1].pid, pids[2]);
	ended_forget(unit_dir);
	ck_assert(!unit_exists(SHIM_ENDED));
	ended_forget(unit_dir);
	json_decref(ended);
	/* nothing to tell leaves nothing */
	unit_assert_ok(ended_tell(unit_dir, NULL, NULL, &err), &err);
	ck_assert(!unit_exists(SHIM_ENDED));
}
END_TEST

/* Kernels that do not show it have none. */
START_TEST(a_stop_that_is_untold)
{
	struct cr_error err = {0};
	json_t *untold;
	siginfo_t info;
	pid_t pid;
	int sig;

	unit_drop_root();
	prctl(PR_SET_DUMPABLE, 1);
	pid = fork();
	if (pid == 0)
		thread_wait(NULL);
	ck_assert_int_eq(cr_proc_stop_untold(pid, &sig), 0);
	ck_assert_int_eq(kill(pid, SIGTSTP), 0);
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT), 0);
	untold = untold_take(&pid, 1);
	ck_assert(ended_ok(untold));
	if (cr_proc_stop_untold(pid, &sig)) {
		ck_assert_int_eq(sig, SIGTSTP);
		ck_assert_uint_eq(json_array_size(untold), 1);
	}
	unit_assert_ok(ended_tell(unit_dir, NULL, untold, &err), &err);
	ck_assert(unit_exists(SHIM_UNTOLD));
	json_decref(untold);
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WSTOPPED), 0);
	ck_assert_int_eq(cr_proc_stop_untold(pid, &sig), 0);
	ended_forget(unit_dir);
	ck_assert(!unit_exists(SHIM_UNTOLD));
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
END_TEST

START_TEST(lists_that_are_none)
{
	static const char *const lists[] = {"{}",	 "[1]",	      "[[1]]",	      "[[1, 2, 3]]", "[[0, 1]]",
					    "[[-1, 1]]", "[[1, -1]]", "[[1, 65536]]", "[[1, \"2\"]]"};

	ck_assert(ended_ok(NULL));
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		json_t *list = json_loads(lists[i], 0, NULL);

		ck_assert_msg(list && !ended_ok(list), "%s", lists[i]);
		json_decref(list);
	}
}
END_TEST

/* Older kernels show the status of every process of one's own. */
START_TEST(a_status_that_is_hidden)
{
	int status = -1, rc;
	pid_t pid;

	unit_drop_root();
	prctl(PR_SET_DUMPABLE, 1);
	pid = ended_start(3, true);
	rc = cr_proc_ended(pid, &status);
	ck_assert_msg(rc == -1 || (rc == 1 && status == 3 << 8), "%d, status %d", rc, status);
	ck_assert_int_eq(cr_proc_ended(getpid(), &status), 0);
	ck_assert_int_eq(cr_proc_ended(1 << 30, &status), 0);
}
END_TEST

int main(int argc, char **argv)
{
	const struct unit_test tests[] = {
		{lists_that_are_read, false},
		{lists_that_are_refused, false},
		{calls_that_are_meant, false},
		{exit_statuses, true},
		{every_deadly_signal, true},
		{stops_that_are_known, true},
		{a_core_is_told_where_it_can_be, true},
		{queues_that_criu_looks_at, true},
		{leases_that_are_broken, true},
		{files_that_are_watched, true},
		{everything_else_passes, true},
		{what_is_told, true},
		{lists_that_are_none, false},
		{a_status_that_is_hidden, true},
		{a_stop_that_is_untold, true},
		{names_of_pipes, false},
		{named_pipes, true},
		{pipes_that_have_ended, true},
		{locks_that_are_late, true},
		{places_that_are_read, false},
		{places_that_are_put_back, false},
	};
	static char path[PATH_MAX];

	if (argc == 3)
		return act(argv[1], argv[2]);
	if (!realpath("/proc/self/exe", path))
		return EXIT_FAILURE;
	self = path;
	return unit_main("shim", tests, sizeof(tests) / sizeof(tests[0]));
}
