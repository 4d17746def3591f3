/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* crshim.so - loaded into criu, by LD_PRELOAD, and into nothing else
 *
 * What criu does otherwise than is needed, and no image can say: it calls libc for it, and the call comes by here.
 * A wrapper knows by its arguments, and by what crinit has left in SHIM_ENV_DIR, that it is meant; everything else
 * goes to libc as it came. What criu's restorer does by system calls of its own is out of reach.
 *
 * Whether criu is another version than expected, is linked statically, or this file is missing: criu works as it
 * does by itself then. doc/architecture.md has the table of what is wrapped, and why.
 *
 *   exit    an ended process gets its whole exit status (criu keeps seven bits)
 *   kill    it dies by the signal that it had died by, of real time too, with or without a core, and stays
 * readable
 *   recvmsg what waits at a UNIX socket goes on behind an empty datagram, and nothing but descriptors is beside
 * one
 *   linkat  a file whose name is gone while it has another: linked without a capability
 *   fcntl, openat
 *           a lease that is being broken is so again, and nobody is told a second time
 *   mmap    what is to be locked on fault is not mapped locked
 *   ptrace  memory policies, locked memory and personalities are put back before criu lets go
 *   openat  a named pipe is opened without a writer, as long as its readers have not been told of one
 *   syscall a watched file (inotify): opened by its path, where a handle takes a capability
 *   libnet_build_tcp
 *           the FIN that criu sends in the name of a peer has the window that this peer had told
 */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim.h"
#include "shim_ended.h"
#include "shim_fifos.h"
#include "shim_links.h"
#include "shim_placed.h"
#include "shim_stop.h"
#include "shim_queue.h"

#define WRAPPER __attribute__((visibility("default")))

/* what dlsym returns is called as a function, which ISO C has no cast for */
#define NEXT(name)                                                                                                \
	({                                                                                                        \
		static __typeof__(&name) next_;                                                                   \
		if (!next_)                                                                                       \
			*(void **)&next_ = dlsym(RTLD_NEXT, #name);                                               \
		next_;                                                                                            \
	})

#define LIST_TEXT_MAX	(1u << 20)
#define FIFOS_TEXT_MAX	(2u << 20)
#define PLACED_TEXT_MAX (2u << 20)

static char dir[512]; /* "": nothing was left for us */
static struct shim_ended *ended;
static size_t n_ended;
static char *fifos;	  /* NULL: nothing is known of them */
static int fifo_end = -1; /* criu's own */

static struct shim_placed *placed;
static size_t n_placed;

#define STOPPED_MAX 16384

static pid_t self;		  /* criu itself, not what it forks */
static bool quiet;		  /* stops are to be quiet, but for those of */
static struct shim_ended *untold; /* whose parents have not been told yet */
static size_t n_untold;
static struct {
	pid_t pid;
	int sig;
} *stopped;
static size_t n_stopped;

/* A small file of crinit's as a string that is never freed, or NULL. */
static char *note_read(const char *name, size_t max)
{
	char path[sizeof(dir) + 32], *text = NULL;
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "re");
	if (!f)
		return NULL;
	text = malloc(max + 1);
	n = text ? fread(text, 1, max + 1, f) : 0;
	fclose(f);
	if (!text || n > max) {
		free(text);
		return NULL;
	}
	text[n] = '\0';
	return text;
}

/* A line for crinit. */
static void __attribute__((format(printf, 2, 3))) note_add(const char *name, const char *fmt, ...)
{
	char path[sizeof(dir) + 32];
	va_list ap;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "ae");
	if (!f)
		return;
	va_start(ap, fmt);
	vfprintf(f, fmt, ap);
	va_end(ap);
	fclose(f);
}

/* Returns whether there is such a list. */
static bool list_read(const char *name, struct shim_ended **list, size_t *count)
{
	char *text = note_read(name, LIST_TEXT_MAX);
	int n;

	if (!text)
		return false;
	*list = calloc(SHIM_ENDED_MAX, sizeof(**list));
	n = *list ? shim_ended_parse(text, *list, SHIM_ENDED_MAX) : -1;
	*count = n > 0 ? (size_t)n : 0;
	free(text);
	return n >= 0;
}

static void placed_read(void)
{
	char *text = note_read(SHIM_PLACED, PLACED_TEXT_MAX);
	const char *at = text;
	int rc = 0;

	placed = text ? calloc(SHIM_PLACED_MAX, sizeof(*placed)) : NULL;
	while (placed && n_placed < SHIM_PLACED_MAX && (rc = shim_placed_parse(at, &at, &placed[n_placed])) > 0)
		n_placed++;
	if (rc < 0)
		n_placed = 0;
	free(text);
}

/* criu's own children, crhook first of all, are not to have it */
static void __attribute__((constructor)) shim_begin(void)
{
	const char *value = getenv(SHIM_ENV_DIR);

	unsetenv(SHIM_ENV_PRELOAD);
	if (!value || strlen(value) >= sizeof(dir))
		return;
	strcpy(dir, value);
	unsetenv(SHIM_ENV_DIR);
	self = getpid();
	(void)list_read(SHIM_ENDED, &ended, &n_ended);
	quiet = list_read(SHIM_UNTOLD, &untold, &n_untold);
	fifos = note_read(SHIM_FIFOS, FIFOS_TEXT_MAX);
	placed_read();
}

static const struct shim_ended *ended_self(void)
{
	return n_ended ? shim_ended_find(ended, n_ended, getpid()) : NULL;
}

/* ---- a process that had ended ---- */

/* Would a core of this process be a file in its working directory? */
static int core_is_ours(void)
{
	char pattern[128];
	FILE *f = fopen("/proc/sys/kernel/core_pattern", "re");
	int ours = f && fgets(pattern, sizeof(pattern), f) && pattern[0] != '|' && !strchr(pattern, '/');

	if (f)
		fclose(f);
	return ours;
}

static void filter_clear(void)
{
	int fd = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, "0", 1) != 1)
		(void)prctl(PR_SET_DUMPABLE, 0);
	close(fd);
}

/* What wait(2) tells of a core is true if one was written: a few KiB without memory, in crinit's own directory. A
 * limit of 1 keeps everybody from writing one, programs that the kernel starts for it too. */
static void core_prepare(int wanted)
{
	struct rlimit limit = {1, 1};
	char path[sizeof(dir) + 32];

	snprintf(path, sizeof(path), "%s/" SHIM_CORES, dir);
	filter_clear();
	if (wanted && core_is_ours() && chdir(path) == 0 && getrlimit(RLIMIT_CORE, &limit) == 0)
		limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_CORE, &limit);
}

/* Not with criu's PR_SET_DUMPABLE 0: the kernel tells nobody the exit status of such a process, so that the next
 * checkpoint would take it for 0. */
static void ended_die(int status)
{
	int sig = WTERMSIG(status);

	(void)prctl(PR_SET_DUMPABLE, 1);
	core_prepare(WCOREDUMP(status));
	(void)signal(sig, SIG_DFL);
	NEXT(kill)(getpid(), sig);
	/* not reached */
	NEXT(exit)(128 + sig);
}

static long ptrace_call(int request, pid_t pid, void *addr, void *data)
{
	return NEXT(ptrace)((enum __ptrace_request)request, pid, addr, data);
}

/* ---- where memory is to be ---- */

/* While criu holds all of them: of process pid, or of all (0). */
static void placed_put_back(pid_t pid)
{
	const struct shim_calls calls = {.ptrace = ptrace_call};

	for (size_t i = 0; i < n_placed; i++) {
		int error;

		if (placed[i].done || (pid && placed[i].pid != pid))
			continue;
		placed[i].done = true;
		error = shim_placed_apply(&calls, &placed[i]);
		if (error)
			note_add(SHIM_MISPLACED, "%d %d\n", (int)placed[i].tid, error);
	}
}

static bool placed_has(pid_t tid)
{
	for (size_t i = 0; i < n_placed; i++) {
		if (placed[i].tid == tid && !placed[i].done)
			return true;
	}
	return false;
}

/* Is something of this process locked on fault? The last answer is kept, as one process asks for each area. */
static bool locks_late(void)
{
	static pid_t last;
	static bool late;

	if (last == getpid())
		return late;
	last = getpid();
	late = false;
	for (size_t i = 0; i < n_placed; i++)
		late = late || (placed[i].pid == last && placed[i].lock == SHIM_PLACED_ON_FAULT);
	return late;
}

/* Memory that is mapped locked is there at once; what is to be locked on fault would be, too. */
WRAPPER void *mmap64(void *addr, size_t size, int prot, int flags, int fd, off64_t offset)
{
	const int locked = MAP_LOCKED | MAP_FIXED | MAP_PRIVATE;

	if (n_placed && (flags & locked) == locked && locks_late())
		flags &= ~MAP_LOCKED;
	return NEXT(mmap64)(addr, size, prot, flags, fd, offset);
}

/* ---- processes that are stopped ---- */

static void stop_note(pid_t pid, int sig)
{
	if (!stopped)
		stopped = calloc(STOPPED_MAX, sizeof(*stopped));
	if (!stopped || n_stopped == STOPPED_MAX || shim_ended_find(untold, n_untold, pid))
		return;
	stopped[n_stopped].pid = pid;
	stopped[n_stopped++].sig = sig;
}

/* Children before their parents, as criu stops parents first: who is to take note of a stop is not in one yet. */
static void stops_enter(void)
{
	const struct shim_calls calls = {.ptrace = ptrace_call};

	while (n_stopped > 0) {
		n_stopped--;
		(void)shim_stop_quietly(&calls, stopped[n_stopped].pid, stopped[n_stopped].sig);
	}
}

/* The kernel's code of a group stop, as criu looks for it in siginfo. */
static void siginfo_look(siginfo_t *info)
{
	if ((info->si_signo == SIGTTIN || info->si_signo == SIGTTOU) && info->si_code >> 8 == PTRACE_EVENT_STOP)
		info->si_signo = SIGSTOP;
}

WRAPPER long ptrace(enum __ptrace_request request, ...)
{
	void *addr, *data;
	va_list ap;
	pid_t pid;
	long rc;

	va_start(ap, request);
	pid = va_arg(ap, pid_t);
	addr = va_arg(ap, void *);
	data = va_arg(ap, void *);
	va_end(ap);
	if (request == PTRACE_DETACH && getpid() == self && (n_stopped || placed_has(pid))) {
		placed_put_back(0);
		stops_enter();
	}
	rc = NEXT(ptrace)(request, pid, addr, data);
	if (request == PTRACE_GETSIGINFO && rc == 0 && data)
		siginfo_look(data);
	return rc;
}

static bool is_stop(int sig)
{
	return sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU;
}

WRAPPER int kill(pid_t pid, int sig)
{
	const struct shim_ended *own = pid == getpid() ? ended_self() : NULL;

	if (own && shim_ended_is_kill(own->status, sig))
		ended_die(own->status);
	/* a system call in its name would throw the stop away later */
	if (n_placed && pid > 0 && is_stop(sig) && getpid() == self)
		placed_put_back(pid);
	if (quiet && pid > 0 && (sig == SIGSTOP || sig == SIGTSTP) && getpid() == self)
		stop_note(pid, sig);
	return NEXT(kill)(pid, sig);
}

WRAPPER void exit(int status)
{
	const struct shim_ended *own = ended_self();

	if (own && shim_ended_is_exit(own->status, status))
		status = WEXITSTATUS(own->status);
	NEXT(exit)(status);
	__builtin_unreachable();
}

/* ---- what waits at a UNIX socket ---- */

/* Is criu looking at a queue? Then the socket's inode, else 0. */
static uint64_t queue_of(int fd, int flags)
{
	int family = 0, saved = errno;
	socklen_t size = sizeof(family);
	struct stat st;
	uint64_t ino = 0;

	if (flags == (MSG_DONTWAIT | MSG_PEEK) && *dir &&
	    getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) == 0 && family == AF_UNIX && fstat(fd, &st) == 0)
		ino = st.st_ino;
	errno = saved;
	return ino;
}

static void queue_note(uint64_t ino, unsigned at, const struct sockaddr_un *from, socklen_t size)
{
	char path[sizeof(dir) + 32], line[2 * sizeof(*from) + 64];
	int n = shim_queue_line(line, sizeof(line), ino, at, from, size);
	int fd;

	snprintf(path, sizeof(path), "%s/" SHIM_QUEUES, dir);
	fd = n > 0 ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
	if (fd < 0)
		return;
	if (write(fd, line, (size_t)n) != n)
		unlink(path);
	close(fd);
}

/* Where nothing is the end, and not an empty datagram; there, too, credentials come beside it. */
static bool is_stream(int fd)
{
	socklen_t size = sizeof(int);
	int type = SOCK_STREAM;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type == SOCK_STREAM;
}

/* The next datagram that has anything in it. Credentials come beside every one, if somebody asks. */
static ssize_t queue_look(int fd, uint64_t ino, struct msghdr *msg, int flags)
{
	const bool stream = is_stream(fd);
	static uint64_t last;
	static unsigned at;
	const struct msghdr asked = *msg;
	struct sockaddr_un from = {0};
	bool any;
	ssize_t n;

	if (ino != last)
		at = 0;
	last = ino;
	do {
		*msg = asked;
		msg->msg_name = &from;
		msg->msg_namelen = sizeof(from);
		n = NEXT(recvmsg)(fd, msg, flags);
		any = n >= 0 && shim_queue_control(msg) && !stream;
		if (n == 0 && any)
			queue_note(ino, at, &from, msg->msg_namelen);
		at += n > 0 || any;
	} while (n == 0 && any);
	msg->msg_name = asked.msg_name;
	msg->msg_namelen = asked.msg_namelen;
	return n;
}

WRAPPER ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	uint64_t ino = queue_of(fd, flags);
	int was = 1, on = 1, error;
	socklen_t size = sizeof(was);
	ssize_t n;

	if (!ino)
		return NEXT(recvmsg)(fd, msg, flags);
	(void)getsockopt(fd, SOL_SOCKET, SO_PASSCRED, &was, &size);
	if (!was)
		(void)setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	n = queue_look(fd, ino, msg, flags);
	error = errno;
	if (!was)
		(void)setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &was, sizeof(was));
	errno = error;
	return n;
}

/* ---- a file whose name is gone ---- */

WRAPPER int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	char path[32];
	int rc;

	if (!shim_link_meant(from, to, flags))
		return NEXT(linkat)(from_dir, from, to_dir, to, flags);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", from_dir);
	/* for crinit, should criu not come to remove it */
	if (dir[0])
		note_add(SHIM_LINKS, "%s\n", to);
	rc = NEXT(linkat)(AT_FDCWD, path, to_dir, to, AT_SYMLINK_FOLLOW);
	/* left by a criu that was killed */
	if (rc < 0 && errno == EEXIST && unlinkat(to_dir, to, 0) == 0)
		rc = NEXT(linkat)(AT_FDCWD, path, to_dir, to, AT_SYMLINK_FOLLOW);
	return rc;
}

/* ---- half-closed connections ---- */

static int window_fd = -1; /* of the connection that is being put back */

/* criu sets the window of a connection, and then sends the FIN of its peer, if there was one. */
WRAPPER int setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
	int rc = NEXT(setsockopt)(fd, level, name, value, size);

	if (level == IPPROTO_TCP && name == TCP_REPAIR_WINDOW && rc == 0)
		window_fd = fd;
	return rc;
}

/* As a header has it; or what criu says, which is the connection's own, cut to 16 bits: 0 more often than not. */
static uint16_t window_told(uint16_t win)
{
	struct tcp_repair_window window;
	socklen_t size = sizeof(window);
	struct tcp_info info;
	uint32_t told;

	if (window_fd < 0 || getsockopt(window_fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &window, &size) < 0)
		return win;
	size = sizeof(info);
	if (getsockopt(window_fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
		return win;
	told = window.snd_wnd >> info.tcpi_snd_wscale;
	return told > UINT16_MAX ? UINT16_MAX : (uint16_t)told;
}

int32_t libnet_build_tcp(uint16_t source, uint16_t port, uint32_t seq, uint32_t ack, uint8_t control, uint16_t win,
			 uint16_t sum, uint16_t urgent, uint16_t length, const uint8_t *payload, uint32_t size,
			 void *net, int32_t tag);

WRAPPER int32_t libnet_build_tcp(uint16_t source, uint16_t port, uint32_t seq, uint32_t ack, uint8_t control,
				 uint16_t win, uint16_t sum, uint16_t urgent, uint16_t length,
				 const uint8_t *payload, uint32_t size, void *net, int32_t tag)
{
	return NEXT(libnet_build_tcp)(source, port, seq, ack, control, window_told(win), sum, urgent, length,
				      payload, size, net, tag);
}

/* ---- leases that are being broken ---- */

static int lease_fd = -1; /* whose lease criu has put back last */

static int file_control(int fd, int cmd, long argument)
{
	return NEXT(fcntl64)(fd, cmd, argument);
}

/* Open what lease_fd has the lease of; nobody is told then. criu by itself relies on the kernel not letting the
 * signal through to root. */
static int break_quietly(int at, const char *path, int flags)
{
	struct f_owner_ex owner = {0};
	int fd, saved;

	if (file_control(lease_fd, F_GETOWN_EX, (long)&owner) < 0 || file_control(lease_fd, F_SETOWN, 0) < 0)
		owner.pid = 0;
	fd = NEXT(openat64)(at, path, flags);
	saved = errno;
	if (owner.pid != 0)
		(void)file_control(lease_fd, F_SETOWN_EX, (long)&owner);
	errno = saved;
	return fd;
}

/* Nobody took time to answer when somebody else came to read: the lease is one for reading now, on a descriptor
 * that can write. It cannot be taken so; but one for writing that is being broken by a reader becomes one. */
static int lease_for_reading(int fd)
{
	char path[32];
	int in;

	if ((file_control(fd, F_GETFL, 0) & O_ACCMODE) == O_RDONLY || file_control(fd, F_SETLEASE, F_WRLCK) < 0) {
		errno = EAGAIN;
		return -1;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	in = break_quietly(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (in >= 0)
		close(in);
	return 0;
}

WRAPPER int fcntl64(int fd, int cmd, ...)
{
	long argument;
	va_list ap;
	int rc;

	va_start(ap, cmd);
	argument = va_arg(ap, long);
	va_end(ap);
	rc = file_control(fd, cmd, argument);
	if (cmd != F_SETLEASE)
		return rc;
	lease_fd = fd;
	return rc < 0 && errno == EAGAIN && argument == F_RDLCK ? lease_for_reading(fd) : rc;
}

static bool lease_meant(int at, const char *path, int flags)
{
	struct stat leased, there;

	return lease_fd >= 0 && (flags & ~O_ACCMODE) == O_NONBLOCK && fstat(lease_fd, &leased) == 0 &&
	       fstatat(at, path, &there, 0) == 0 && there.st_dev == leased.st_dev && there.st_ino == leased.st_ino;
}

/* ---- a named pipe ---- */

/* A link is followed by nobody here: those below /proc lead to pipes without a name. */
static int fifo_waits(int at, const char *path)
{
	struct stat st;

	return fifos && fstatat(at, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISFIFO(st.st_mode) &&
	       !shim_fifo_listed(fifos, path);
}

/* criu opens a pipe for reading and writing before it opens what the job had, so as not to wait. To a reader that
 * is a writer who has come, and when criu closes it gone. An end for reading keeps nobody waiting either, but a
 * reader: that one waits for nothing while it is opened. */
static int fifo_open(int at, const char *path, int flags)
{
	int fd;

	/* the job's own have O_LARGEFILE as well, which the kernel adds */
	if (flags == O_RDWR)
		return fifo_end = NEXT(openat64)(at, path, O_RDONLY | O_NONBLOCK);
	if ((flags & O_ACCMODE) != O_RDONLY || (flags & (O_NONBLOCK | O_PATH)))
		return NEXT(openat64)(at, path, flags);
	fd = NEXT(openat64)(at, path, flags | O_NONBLOCK);
	if (fd >= 0)
		(void)file_control(fd, F_SETFL, file_control(fd, F_GETFL, 0) & ~O_NONBLOCK);
	return fd;
}

static int open_wrapped(int at, const char *path, int flags, mode_t mode)
{
	if (!(flags & (O_CREAT | O_DIRECTORY)) && fifo_waits(at, path))
		return fifo_open(at, path, flags);
	return NEXT(openat64)(at, path, flags, mode);
}

WRAPPER int openat64(int at, const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	if (flags & (O_CREAT | __O_TMPFILE)) {
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	return lease_meant(at, path, flags) ? break_quietly(at, path, flags) : open_wrapped(at, path, flags, mode);
}

WRAPPER int openat(int at, const char *path, int flags, ...) __attribute__((alias("openat64")));

/* What was in the pipe is written by criu's own end. */
static void fifo_write(int fd)
{
	char link[64];
	int own;

	if ((file_control(fd, F_GETFL, 0) & O_ACCMODE) != O_RDONLY)
		return;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	own = open(link, O_RDWR | O_NONBLOCK);
	if (own < 0)
		return;
	(void)dup2(own, fd);
	close(own);
}

WRAPPER ssize_t vmsplice(int fd, const struct iovec *iov, size_t n, unsigned int flags)
{
	if (fd >= 0 && fd == fifo_end)
		fifo_write(fd);
	return NEXT(vmsplice)(fd, iov, n, flags);
}

/* ---- watched files ---- */

/* The inode and the path of what has that handle, as far as its line goes; or NULL. */
static const char *watch_find(const struct file_handle *handle)
{
	static char *text;
	static bool known;
	char key[2 * MAX_HANDLE_SZ + 32];
	const char *at;
	int n;

	if (!known && *dir)
		text = note_read(SHIM_WATCHES, SHIM_WATCHES_MAX);
	known = true;
	if (!text || handle->handle_bytes > MAX_HANDLE_SZ)
		return NULL;
	n = snprintf(key, sizeof(key), "\n%u %d ", handle->handle_bytes, handle->handle_type);
	for (unsigned i = 0; i < handle->handle_bytes; i++)
		n += snprintf(key + n, sizeof(key) - (size_t)n, "%02x", handle->f_handle[i]);
	snprintf(key + n, sizeof(key) - (size_t)n, " ");
	at = strstr(text, key);
	return at ? at + strlen(key) : NULL;
}

/* Never another file that has the path by now: criu would find out, take the watch into the images without a path,
 * and the restore fail. */
static int watch_open(const struct file_handle *handle)
{
	const char *at = handle ? watch_find(handle) : NULL;
	char path[PATH_MAX], *end;
	unsigned long long ino;
	struct stat st;
	int fd = -1;

	ino = at ? strtoull(at, &end, 10) : 0;
	if (at && *end == ' ' &&
	    snprintf(path, sizeof(path), "%.*s", (int)strcspn(end + 1, "\n"), end + 1) < (int)sizeof(path))
		fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && (fstat(fd, &st) < 0 || st.st_ino != ino || S_ISLNK(st.st_mode))) {
		close(fd);
		fd = -1;
	}
	errno = EPERM;
	return fd;
}

WRAPPER long syscall(long number, ...)
{
	long a[6], rc;
	va_list ap;

	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	rc = NEXT(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	/* which wants a descriptor without anything of its own: nothing is opened that could be read */
	if (number == SYS_open_by_handle_at && rc < 0 && errno == EPERM && a[2] == O_PATH)
		rc = watch_open((const struct file_handle *)a[1]);
	return rc;
}
