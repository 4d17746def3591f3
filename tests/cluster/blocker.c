/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* blocker.c - blocker KIND READY [ARG]: get hold of one thing of that kind, write "PID FD" (-1 without one) to the
 * file READY, and stay */

#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <mqueue.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *ready, *argument;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int must(int rc, const char *what)
{
	if (rc < 0)
		die(what);
	return rc;
}

static char name_new[4096];

static void say_write(pid_t pid, int fd)
{
	FILE *f;

	snprintf(name_new, sizeof(name_new), "%s.new", ready);
	f = fopen(name_new, "w");
	if (!f || fprintf(f, "%d %d\n", (int)pid, fd) < 0 || fclose(f) == EOF)
		die(name_new);
}

static void say(pid_t pid, int fd)
{
	say_write(pid, fd);
	must(rename(name_new, ready), ready);
}

static int seccomp(void)
{
	struct sock_filter allow = {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
	struct sock_fprog program = {1, &allow};

	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
	must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), "seccomp");
	return -1;
}

static int io_uring(void)
{
	struct io_uring_params p = {0};

	return must((int)syscall(SYS_io_uring_setup, 4, &p), "io_uring_setup");
}

/* the ring's memory stays when the descriptor goes */
static int io_uring_map(void)
{
	int fd = io_uring();

	if (mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, IORING_OFF_SQ_RING) == MAP_FAILED)
		die("mmap");
	close(fd);
	return -1;
}

static int perf(void)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
				       .size = sizeof(attr),
				       .config = PERF_COUNT_SW_TASK_CLOCK,
				       .exclude_kernel = 1,
				       .exclude_hv = 1};

	return must((int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0), "perf_event_open");
}

static int uffd(void)
{
	struct uffdio_api api = {.api = UFFD_API};
	int fd = must((int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY), "userfaultfd");

	must(ioctl(fd, UFFDIO_API, &api), "UFFDIO_API");
	return fd;
}

static int tcp(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t size = sizeof(at);
	int server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);

	must(bind(server, (struct sockaddr *)&at, sizeof(at)), "bind");
	must(listen(server, 1), "listen");
	must(getsockname(server, (struct sockaddr *)&at, &size), "getsockname");
	must(connect(client, (struct sockaddr *)&at, sizeof(at)), "connect");
	must(accept(server, NULL, NULL), "accept");
	return client;
}

/* to ADDRESS:PORT of another node */
static int tcp_out(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char address[64];
	unsigned port;

	if (sscanf(argument, "%63[^:]:%u", address, &port) != 2)
		die(argument);
	at.sin_port = htons((uint16_t)port);
	inet_pton(AF_INET, address, &at.sin_addr);
	must(connect(fd, (struct sockaddr *)&at, sizeof(at)), "connect");
	return fd;
}

/* The other end has reset it, and nobody has read that yet. */
static int over(void)
{
	const struct linger now = {.l_onoff = 1};
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t size = sizeof(at);
	int server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0), end;

	must(bind(server, (struct sockaddr *)&at, sizeof(at)), "bind");
	must(listen(server, 1), "listen");
	must(getsockname(server, (struct sockaddr *)&at, &size), "getsockname");
	must(connect(client, (struct sockaddr *)&at, sizeof(at)), "connect");
	end = must(accept(server, NULL, NULL), "accept");
	must(setsockopt(end, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), "SO_LINGER");
	close(end);
	close(server);
	return client;
}

/* The name that it was bound to is relative to another directory. */
static int adrift(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = "adrift.sock"};
	int fd = must(socket(AF_UNIX, SOCK_STREAM, 0), "socket");

	if (mkdir("adrift", 0700) < 0 && errno != EEXIST)
		die("adrift");
	must(chdir("adrift"), "adrift");
	(void)unlink(at.sun_path);
	must(bind(fd, (struct sockaddr *)&at, sizeof(at)), "bind");
	must(listen(fd, 1), "listen");
	must(chdir(".."), "..");
	return fd;
}

static int pause_forever(void *nothing)
{
	(void)nothing;
	for (;;)
		pause();
	return 0;
}

/* Two processes with one memory; with one directory. */
static int shared(void)
{
	static char stack[16384] __attribute__((aligned(16)));

	say(must(clone(pause_forever, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL), "clone"), -1);
	return -2;
}

static int shared_directory(void)
{
	pid_t child = (pid_t)must((int)syscall(SYS_clone, CLONE_FS | SIGCHLD, 0, 0, 0, 0), "clone");

	if (child == 0)
		pause_forever(NULL);
	say(child, -1);
	return -2;
}

/* Nobody is shown how it has ended. */
static int ended(void)
{
	pid_t child = must(fork(), "fork");

	if (child == 0) {
		must(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "PR_SET_DUMPABLE");
		_exit(3);
	}
	must(waitid(P_PID, (id_t)child, &(siginfo_t){0}, WEXITED | WNOWAIT), "waitid");
	say(child, -1);
	return -2;
}

/* In a session whose leader has ended, below a process of another one. */
static int session(void)
{
	pid_t leader;

	must(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "PR_SET_CHILD_SUBREAPER");
	leader = must(fork(), "fork");
	if (leader == 0) {
		must(setsid(), "setsid");
		if (must(fork(), "fork"))
			_exit(0);
		while (getppid() == getsid(0))
			usleep(1000);
		say(getpid(), -1);
		pause_forever(NULL);
	}
	must(waitpid(leader, NULL, 0), "waitpid");
	return -2;
}

static int login(void)
{
	FILE *f = fopen("/proc/self/loginuid", "w");

	if (!f || fprintf(f, "%d", (int)getuid()) < 0 || fclose(f) == EOF)
		die("/proc/self/loginuid");
	return -1;
}

/* Somebody has made a file, and it has not heard of that. */
static int unread(void)
{
	int fd = must(inotify_init1(0), "inotify_init"), file;

	must(inotify_add_watch(fd, ".", IN_CREATE), "inotify_add_watch");
	file = must(open("unread", O_RDWR | O_CREAT, 0600), "unread");
	close(file);
	must(unlink("unread"), "unread");
	return fd;
}

/* ARG is MIB,N: so much memory, which N children share, and their parent has no more */
static int pool(void)
{
	unsigned mib, n;
	char *at;

	if (sscanf(argument, "%u,%u", &mib, &n) != 2)
		die(argument);
	at = mmap(NULL, (size_t)mib << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED)
		die("mmap");
	memset(at, 'p', (size_t)mib << 20);
	for (unsigned i = 0; i < n; i++)
		if (must(fork(), "fork") == 0)
			pause_forever(NULL);
	must(munmap(at, (size_t)mib << 20), "munmap");
	return -1;
}

static int locked(void)
{
	must(mlockall(MCL_CURRENT | MCL_FUTURE), "mlockall");
	return -1;
}

static int sysv_shm(void)
{
	int id = must(shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600), "shmget");
	void *at = shmat(id, NULL, 0);

	must(shmctl(id, IPC_RMID, NULL), "IPC_RMID");
	if (at == (void *)-1)
		die("shmat");
	return -1;
}

static int sysv_sem(void)
{
	must(semget(IPC_PRIVATE, 1, IPC_CREAT | 0600), "semget");
	return -1;
}

static int sysv_idle(void)
{
	must(shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600), "shmget");
	return -1;
}

static int sysv_msg(void)
{
	struct {
		long type;
		char text[1];
	} m = {1, "x"};
	int id = must(msgget(IPC_PRIVATE, IPC_CREAT | 0600), "msgget");

	must(msgsnd(id, &m, 1, 0), "msgsnd");
	return -1;
}

static int mqueue(void)
{
	int fd = must(mq_open("/blocker", O_RDWR | O_CREAT, 0600, NULL), "mq_open");

	must(mq_unlink("/blocker"), "mq_unlink");
	return fd;
}

static int semaphore(void)
{
	return must(eventfd(3, EFD_SEMAPHORE), "eventfd");
}

static int udp_connected(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int server = must(socket(AF_INET, SOCK_DGRAM, 0), "socket"),
	    client = must(socket(AF_INET, SOCK_DGRAM, 0), "socket");
	socklen_t size = sizeof(at);

	must(bind(server, (struct sockaddr *)&at, sizeof(at)), "bind");
	must(getsockname(server, (struct sockaddr *)&at, &size), "getsockname");
	must(connect(client, (struct sockaddr *)&at, sizeof(at)), "connect");
	return client;
}

/* with nothing in it, and bound to nothing */
static int cork(void)
{
	int fd = must(socket(AF_INET6, SOCK_DGRAM, 0), "socket");

	must(setsockopt(fd, IPPROTO_UDP, UDP_CORK, &(int){1}, sizeof(int)), "UDP_CORK");
	return fd;
}

/* half a datagram without UDP_CORK */
static int half(void)
{
	int fd = udp_connected();

	must((int)send(fd, "half", 4, MSG_MORE), "send");
	return fd;
}

static int listening(void)
{
	int fd = must(socket(AF_INET, SOCK_STREAM, 0), "socket");

	must(listen(fd, 1), "listen");
	return fd;
}

/* ARG pipes */
static int pipes(void)
{
	int fds[2];

	const struct rlimit many = {4096, 4096};

	must(setrlimit(RLIMIT_NOFILE, &many), "setrlimit");
	for (int i = 0; i < atoi(argument); i++)
		must(pipe(fds), "pipe");
	return -1;
}

/* nothing at all: it is how it was started that matters */
static int nothing(void)
{
	return -1;
}

static int namespace(void)
{
	must(unshare(CLONE_NEWUSER), "unshare");
	return -1;
}

static int inotify(void)
{
	int fd = must(inotify_init1(0), "inotify_init1");

	must(inotify_add_watch(fd, argument ? argument : ".", IN_MODIFY), "inotify_add_watch");
	return fd;
}

/* nothing leads there but the watch itself */
static int inotify_lone(void)
{
	argument = "/usr/share";
	return inotify();
}

static int inotify_empty(void)
{
	return must(inotify_init1(0), "inotify_init1");
}

/* a descriptor that somebody hands out at the socket ARG, and that socket closed again */
static int received(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec iov = {&byte, 1};
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), got;

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", argument);
	must(connect(fd, (struct sockaddr *)&at, sizeof(at)), argument);
	must((int)recvmsg(fd, &m, 0), "recvmsg");
	if (!CMSG_FIRSTHDR(&m))
		die("no descriptor came");
	memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(got));
	close(fd);
	return got;
}

/* connected to somebody at the socket ARG */
static int unix_out(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", argument);
	must(connect(fd, (struct sockaddr *)&at, sizeof(at)), argument);
	return fd;
}

/* ARG bytes in a file without a name */
static int deleted(void)
{
	char name[] = "deletedXXXXXX";
	int fd = must(mkstemp(name), "mkstemp");

	must(unlink(name), "unlink");
	must(posix_fallocate(fd, 0, atol(argument)) ? -1 : 0, "fallocate");
	return fd;
}

/* ARG files that were made without a name; the last of them */
static int nameless(void)
{
	int fd = -1;

	for (int i = atoi(argument); i > 0; i--)
		fd = must(open(".", O_TMPFILE | O_RDWR, 0600), "O_TMPFILE");
	return fd;
}

/* its name is gone, another one is there */
static int unlinked(void)
{
	int fd = must(open("unlinked", O_RDWR | O_CREAT, 0600), "unlinked");

	unlink("unlinked.other");
	must(link("unlinked", "unlinked.other"), "link");
	must(unlink("unlinked"), "unlink");
	return fd;
}

static int traced(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		pause();
	}
	must(waitpid(pid, NULL, 0), "waitpid");
	must((int)ptrace(PTRACE_CONT, pid, NULL, NULL), "PTRACE_CONT");
	say(pid, -1);
	return -2;
}

static int undumpable(void)
{
	must(prctl(PR_SET_DUMPABLE, 0), "PR_SET_DUMPABLE");
	return -1;
}

static void *stay(void *arg)
{
	say(getpid(), -1);
	for (;;)
		pause();
	return arg;
}

static int leader(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, stay, NULL))
		die("pthread_create");
	pthread_exit(NULL);
}

static int secret(void)
{
	int fd = must((int)syscall(SYS_memfd_secret, 0), "memfd_secret");

	must(ftruncate(fd, 4096), "ftruncate");
	if (mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED)
		die("mmap");
	return fd;
}

static int mptcp(void)
{
	return must(socket(AF_INET, SOCK_STREAM, 262), "socket");
}

static int pidfd(void)
{
	return must((int)syscall(SYS_pidfd_open, argument ? atoi(argument) : getpid(), 0), "pidfd_open");
}

static int pidfd_thread(void)
{
	return must((int)syscall(SYS_pidfd_open, getpid(), O_EXCL), "pidfd_open");
}

static int sigtrap(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTRAP);
	must(sigprocmask(SIG_BLOCK, &set, NULL), "sigprocmask");
	must(raise(SIGTRAP), "raise");
	return -1;
}

/* no descriptor free below the limit */
static int full(void)
{
	const struct rlimit few = {16, 4096};

	for (int fd = 3; fd < 16; fd++)
		must(dup2(0, fd), "dup2");
	say_write(getpid(), -1);
	must(setrlimit(RLIMIT_NOFILE, &few), "setrlimit");
	must(rename(name_new, ready), ready);
	return -2;
}

static int packets(void)
{
	int fds[2];

	/* the writing end alone has the flag */
	must(pipe2(fds, O_DIRECT), "pipe2");
	return fds[1];
}

/* a removed file of /tmp with another name, in a directory that was closed since */
static int unlinked_closed(void)
{
	int fd;

	mkdir("/tmp/closed", 0700);
	fd = must(open("/tmp/closed/file", O_RDWR | O_CREAT, 0600), "file");
	unlink("/tmp/closed.other");
	must(link("/tmp/closed/file", "/tmp/closed.other"), "link");
	must(unlink("/tmp/closed/file"), "unlink");
	must(chmod("/tmp/closed", 0500), "chmod");
	return fd;
}

/* a file with a path of more than 4094 bytes, mapped and closed */
static int long_mapping(void)
{
	char name[251];
	int fd, here = must(open(".", O_RDONLY | O_DIRECTORY), ".");

	memset(name, 'd', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	for (int i = 0; i < 17; i++) {
		must(mkdir(name, 0700) < 0 && errno != EEXIST ? -1 : 0, "mkdir");
		must(chdir(name), "chdir");
	}
	fd = must(open("file", O_RDWR | O_CREAT, 0600), "file");
	must(ftruncate(fd, 4096), "ftruncate");
	if (mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED)
		die("mmap");
	must(fchdir(here), "fchdir");
	close(here);
	close(fd);
	return -1;
}

static int device(void)
{
	return must(open(argument, O_RDONLY), argument);
}

/* Become the leader of a session with a terminal, whose master the first process keeps. Returns -2 in that one. */
static int terminal_lead(void)
{
	int master = must(posix_openpt(O_RDWR | O_NOCTTY), "posix_openpt"), fd;

	must(grantpt(master), "grantpt");
	must(unlockpt(master), "unlockpt");
	if (must(fork(), "fork"))
		return -2;
	must(setsid(), "setsid");
	must(fd = open(ptsname(master), O_RDWR), "the terminal");
	close(master);
	return fd;
}

/* The session's terminal as /dev/tty. */
static int ctty(void)
{
	if (terminal_lead() == -2)
		return -2;
	return must(open("/dev/tty", O_RDWR), "/dev/tty");
}

/* In a session with a terminal, and not its leader. */
static int terminal(void)
{
	if (terminal_lead() == -2)
		return -2;
	return must(fork(), "fork") ? -2 : -1;
}

/* each process to itself: a program with more rights than the job, which waits for a password */
static int setuid_program(void)
{
	int fds[2];

	must(pipe(fds), "pipe");
	say(getpid(), -1);
	dup2(fds[0], 0);
	execlp("su", "su", "root", NULL);
	perror("su");
	exit(1);
}

/* under the group ARG */
static int newgrp(void)
{
	char command[4096];

	snprintf(command, sizeof(command), "exec ./blocker nothing %s", ready);
	execlp("sg", "sg", argument, "-c", command, NULL);
	perror("sg");
	exit(1);
}

static int srun(void)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	execlp("srun", "srun", "--overlap", "sh", "-c", "echo $1 -1 >$2; sleep 1000", "sh", pid, ready, NULL);
	perror("srun");
	exit(1);
}

/* more shared memory than there may be in deleted files: that of no file, and a memfd */
static void shared_fill(void)
{
	const size_t size = 100 << 20, some = 4096 * 40;
	int fd = must(memfd_create("much", 0), "memfd");
	char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), *memory;

	must(ftruncate(fd, (off_t)size), "ftruncate");
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED || memory == MAP_FAILED)
		die("mmap");
	memset(at, 'a', size);
	memset(memory, 'm', some);
}

/* all of this is fine */
static int fine(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct itimerspec when = {{1, 0}, {1, 0}};
	struct epoll_event event = {.events = EPOLLIN};
	sigset_t set;
	int fds[2], e = epoll_create1(0), file, l;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	event.data.fd = eventfd(3, 0);
	must(epoll_ctl(e, EPOLL_CTL_ADD, event.data.fd, &event), "epoll_ctl");
	must(timerfd_settime(timerfd_create(CLOCK_MONOTONIC, 0), 0, &when, NULL), "timerfd");
	must(signalfd(-1, &set, 0), "signalfd");
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), "socketpair");
	must(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), "socketpair");
	must(pipe(fds), "pipe");
	must(ftruncate(memfd_create("some", 0), 8192), "memfd");
	must(socket(AF_INET, SOCK_DGRAM, 0), "udp");
	must(socket(AF_INET, SOCK_STREAM, 0), "tcp");
	must(socket(AF_UNIX, SOCK_STREAM, 0), "unix");
	l = must(socket(AF_INET, SOCK_STREAM, 0), "tcp");
	must(bind(l, (struct sockaddr *)&at, sizeof(at)), "bind");
	must(listen(l, 5), "listen");
	argument = "100000";
	deleted();
	file = must(open("locked", O_RDWR | O_CREAT, 0600), "locked");
	must(flock(file, LOCK_EX), "flock");
	must(open("/dev/null", O_RDWR), "/dev/null");
	must(open("/dev/urandom", O_RDONLY), "/dev/urandom");
	must(open("/dev/ptmx", O_RDWR | O_NOCTTY), "/dev/ptmx");
	must(open("/proc/self/status", O_RDONLY), "/proc/self/status");
	must(inotify_empty(), "inotify");
	shared_fill();
	if (fork() == 0)
		_exit(0); /* a zombie */
	return -1;
}

static const struct {
	const char *name;
	int (*get)(void);
} kinds[] = {
	{"seccomp", seccomp},
	{"io_uring", io_uring},
	{"io_uring_map", io_uring_map},
	{"perf", perf},
	{"uffd", uffd},
	{"tcp", tcp},
	{"tcp_out", tcp_out},
	{"over", over},
	{"adrift", adrift},
	{"shared", shared},
	{"shared_directory", shared_directory},
	{"ended", ended},
	{"session", session},
	{"login", login},
	{"unread", unread},
	{"pool", pool},
	{"locked", locked},
	{"sysv_shm", sysv_shm},
	{"sysv_sem", sysv_sem},
	{"sysv_msg", sysv_msg},
	{"sysv_idle", sysv_idle},
	{"mqueue", mqueue},
	{"semaphore", semaphore},
	{"listening", listening},
	{"pipes", pipes},
	{"nothing", nothing},
	{"newgrp", newgrp},
	{"namespace", namespace},
	{"inotify", inotify},
	{"inotify_lone", inotify_lone},
	{"inotify_empty", inotify_empty},
	{"received", received},
	{"unix_out", unix_out},
	{"deleted", deleted},
	{"nameless", nameless},
	{"unlinked", unlinked},
	{"traced", traced},
	{"undumpable", undumpable},
	{"leader", leader},
	{"secret", secret},
	{"mptcp", mptcp},
	{"pidfd", pidfd},
	{"pidfd_thread", pidfd_thread},
	{"sigtrap", sigtrap},
	{"device", device},
	{"ctty", ctty},
	{"terminal", terminal},
	{"cork", cork},
	{"full", full},
	{"packets", packets},
	{"unlinked_closed", unlinked_closed},
	{"long_mapping", long_mapping},
	{"half", half},
	{"setuid", setuid_program},
	{"srun", srun},
	{"fine", fine},
};

int main(int argc, char *argv[])
{
	if (argc < 3)
		return 2;
	ready = argv[2];
	argument = argv[3];
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		int fd;

		if (strcmp(kinds[i].name, argv[1]) != 0)
			continue;
		fd = kinds[i].get();
		if (fd != -2)
			say(getpid(), fd);
		for (;;)
			pause();
	}
	return 2;
}
