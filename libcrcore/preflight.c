/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* preflight.c - what is in the way of a checkpoint: the kinds, and the look at a job's tree */

#include "preflight_part.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"
#include "ns.h"
#include "proc.h"
#include "timefmt.h"

static const struct {
	const char *name, *what, *remedy;
	bool certain;
} kinds[CR_PREFLIGHT_KINDS] = {
	[CR_PREFLIGHT_SRUN] = {"srun", "it waits for an srun step",
			       "start the program without srun, or take checkpoints between steps", false},
	[CR_PREFLIGHT_SETUID] = {"setuid", "a program with other rights than the job's",
				 "let it end; do not start set-user-id, set-group-id or capable programs", true},
	[CR_PREFLIGHT_GROUP] = {"group", "a group other than the job's",
				"start no shell with newgrp or sg; submit the job under that group", true},
	[CR_PREFLIGHT_UNDUMPABLE] =
		{"undumpable",
		 "it does not let itself be looked at (PR_SET_DUMPABLE), or its user may not read its program",
		 "leave out what keeps secrets, such as ssh-agent or gpg-agent; have such a program made readable",
		 true},
	[CR_PREFLIGHT_SECCOMP] = {"seccomp", "a seccomp filter",
				  "switch the program's sandbox off; leave containers out", true},
	[CR_PREFLIGHT_LANDLOCK] = {"landlock", "a Landlock sandbox that keeps it from criu's socket",
				   "xz cannot go without: unpack before the job's long part, or in the program "
				   "itself (Python's lzma)",
				   true},
	[CR_PREFLIGHT_NAMESPACE] = {"namespace", "a namespace of its own, as containers have",
				    "run the program without unshare, apptainer, podman or bubblewrap", true},
	[CR_PREFLIGHT_TRACED] = {"traced", "a debugger or tracer is attached",
				 "detach it: strace, gdb and the like cannot be in a checkpoint", false},
	[CR_PREFLIGHT_SIGTRAP] = {"sigtrap", "a SIGTRAP that is blocked waits for it",
				  "take it (sigwait), or leave SIGTRAP to debuggers", true},
	[CR_PREFLIGHT_THREAD] = {"thread", "its first thread has ended and others run on",
				 "let main() wait for its threads instead of pthread_exit", false},
	[CR_PREFLIGHT_VFORK] = {"vfork", "it was made by vfork and has not executed a program yet",
				"try again when it has; start it with fork where it must wait", true},
	[CR_PREFLIGHT_SHARED] = {"shared",
				 "it shares its memory or its directory with its parent, and is no thread "
				 "(clone: CLONE_VM, CLONE_FS)",
				 "use threads, or fork and shared mappings", true},
	[CR_PREFLIGHT_SESSION] = {"session", "it is in a session whose leader is not among its forefathers",
				  "have no subreaper take on the children of others (tini -s, supervisors)", true},
	[CR_PREFLIGHT_ENDED] = {"ended", "it has ended, and the kernel does not let us know how",
				"have its parent wait for it", true},
	[CR_PREFLIGHT_MEMFD_PROGRAM] = {"memfd_program", "its program is in memory alone (executed from a memfd)",
					"start the program from a file", true},
	[CR_PREFLIGHT_IO_URING] = {"io_uring", "an io_uring ring",
				   "Node.js, libuv: the site sets kernel.io_uring_disabled=2, or the job has the "
				   "preload of doc/programs.md",
				   true},
	[CR_PREFLIGHT_PERF] = {"perf", "a performance counter", "run the program without perf, PAPI or the like",
			       true},
	[CR_PREFLIGHT_USERFAULTFD] = {"userfaultfd", "a userfaultfd",
				      "switch off what handles page faults in the program", true},
	[CR_PREFLIGHT_BPF] = {"bpf", "a BPF object", "leave out the tools that load BPF programs", false},
	[CR_PREFLIGHT_SECRETMEM] = {"secretmem", "secret memory (memfd_secret)",
				    "have the program keep its keys in ordinary memory", true},
	[CR_PREFLIGHT_UPROBES] = {"uprobes", "probes are set in it", "remove them (perf probe, bpftrace)", false},
	[CR_PREFLIGHT_SYSV_SHM] = {"sysv_shm", "attached System V shared memory",
				   "use POSIX shared memory (shm_open) or a shared mapping", true},
	[CR_PREFLIGHT_MQUEUE] = {"mqueue", "a POSIX message queue", "use pipes or sockets", false},
	[CR_PREFLIGHT_GPU] = {"gpu", "a GPU", "GPUs cannot be in a checkpoint: run on processors alone", false},
	[CR_PREFLIGHT_INFINIBAND] = {"infiniband", "an InfiniBand or other fast network device",
				     "use TCP or shared memory (OMPI_MCA_btl=self,sm; UCX_TLS=self,sm)", false},
	[CR_PREFLIGHT_DEVICE] = {"device", "a device", "close it before the checkpoint", false},
	[CR_PREFLIGHT_PTY] = {"pty", "a terminal from outside of the job",
			      "start what needs one under screen inside of the job", false},
	[CR_PREFLIGHT_CTTY] = {"ctty", "it has its controlling terminal open as /dev/tty",
			       "close it, or open the terminal by its own name (/dev/pts/N, as tty says)", true},
	[CR_PREFLIGHT_TCP_SELF] = {"tcp_self", "a TCP connection of the job to itself",
				   "submit with --checkpoint-net=private", false},
	[CR_PREFLIGHT_TCP] = {"tcp", "a TCP connection", "close it while it is not needed", false},
	[CR_PREFLIGHT_SOCKET] = {"socket", "a socket of a kind that criu does not know",
				 "use TCP, UDP or UNIX sockets (Go: GODEBUG=multipathtcp=0)", false},
	[CR_PREFLIGHT_UNIX] = {"unix", "a UNIX socket connected to outside of the job",
			       "close it while it is not needed", false},
	[CR_PREFLIGHT_UNIX_NAME] = {"unix_name",
				    "a UNIX socket with a relative name that does not lead to it any more",
				    "bind it to an absolute path, or submit with --checkpoint-net=private", true},
	[CR_PREFLIGHT_UDP_CORK] = {"udp_cork",
				   "a corked UDP socket, or half a datagram in one (UDP_CORK, MSG_MORE)",
				   "send it, and take UDP_CORK off, before the checkpoint", true},
	[CR_PREFLIGHT_ACCEPT] = {"accept", "connections that it has not accepted yet",
				 "have it accept them sooner: no process has such a connection", true},
	[CR_PREFLIGHT_INOTIFY] = {"inotify", "it watches a file (inotify)",
				  "have it poll instead (tail: ---disable-inotify)", true},
	[CR_PREFLIGHT_EPOLL] = {"epoll", "an epoll set that watches what the process has closed",
				"make the set after the fork, or close it together with what it watches", true},
	[CR_PREFLIGHT_PIDFD_THREAD] = {"pidfd_thread", "a pidfd of a thread (PIDFD_THREAD)",
				       "close it, or have one of the process", true},
	[CR_PREFLIGHT_PIDFD] = {"pidfd", "a pidfd of a process outside of the job", "close it", false},
	[CR_PREFLIGHT_HIGH] = {"high", "a descriptor that leaves criu no room for its own above it",
			       "lower the job's limit of open files (ulimit -Hn) by 2,048 before it starts", true},
	[CR_PREFLIGHT_FULL] = {"full", "it has no descriptor free below its own limit, and criu needs one in it",
			       "close some, or raise the limit (ulimit -Sn)", true},
	[CR_PREFLIGHT_PACKETS] = {"packets", "a pipe of packets (O_DIRECT)",
				  "use a socket pair (SOCK_SEQPACKET), or the pipe without that flag", true},
	[CR_PREFLIGHT_PIPES] = {"pipes", "more pipes than criu takes", "fewer pipes, or UNIX sockets instead",
				false},
	[CR_PREFLIGHT_MEMORY] =
		{"memory",
		 "a restore would take more memory than the job may have: what processes share with "
		 "others than their parent",
		 "keep the parent of such processes, and its copy, or ask for more memory (--mem)", true},
	[CR_PREFLIGHT_DELETED] = {"deleted", "a removed file that is too big, or cannot be read",
				  "keep its name while it is open, or ask the site for a greater ghost_limit",
				  true},
	[CR_PREFLIGHT_UNLINKED] = {"unlinked",
				   "an open file that is not at its path any more and has another name",
				   "do not remove, rename over or hide it while it is open, or have it in /tmp",
				   true},
	[CR_PREFLIGHT_LONG_PATH] = {"long_path", "a path that is longer than criu takes (4094 bytes)",
				    "work in a directory with a shorter path", true},
	[CR_PREFLIGHT_PROC_FILE] = {"proc_file", "an open file of /proc that will not be there at a restore",
				    "close it, and open it when it is needed", true},
	[CR_PREFLIGHT_LEASE] = {"lease", "a lease (F_SETLEASE) that a checkpoint of the directory would break",
				"have the file outside of /tmp, /var/tmp, /dev/shm and --checkpoint-rollback",
				true},
	[CR_PREFLIGHT_OBJECT] = {"object", "a kernel object that criu does not know", "close it", false},
	[CR_PREFLIGHT_OUTSIDE] = {"outside",
				  "a file opened outside of the job's mounts, which not every criu takes",
				  "open it by its name inside of the job", false},
	[CR_PREFLIGHT_LISTEN] = {"listen", "it listens at a port, which must be free where the job goes on",
				 "submit with --checkpoint-net=private, or keep the node to the job", false},
	[CR_PREFLIGHT_ADDRESS] = {"address",
				  "a socket bound to an address of this node; on another one it is bound to all "
				  "of that one's",
				  "bind to all addresses, or to the loopback", false},
	[CR_PREFLIGHT_UDP] = {"udp",
			      "datagrams wait to be read; those from outside of the node, to a group or to a port "
			      "that several sockets have are lost",
			      "read them before the checkpoint, or ask for what does not come", false},
	[CR_PREFLIGHT_CREDENTIALS] =
		{"credentials",
		 "messages with credentials wait to be read (SO_PASSCRED); after a restore they "
		 "are another process's, those of a stream nobody's",
		 "read them before the checkpoint", false},
	[CR_PREFLIGHT_SOCKET_ERROR] =
		{"socket_error",
		 "the other end of a connection has gone, and the program has not heard of it yet: after a "
		 "restore it may read the end of the stream instead of an error",
		 "read from it before the checkpoint", false},
	[CR_PREFLIGHT_SCRIPT] = {"script", "its session ends at the first checkpoint",
				 "use screen, or have the program make its own terminal", false},
	[CR_PREFLIGHT_TERMINAL] =
		{"terminal",
		 "it did not make the session that it is in: after a restore it has no controlling terminal "
		 "(/dev/tty, job control of a shell)",
		 "open the terminal by its own name, as tty says, or give it a session of its own", false},
	[CR_PREFLIGHT_TMPFILE] =
		{"tmpfile",
		 "a file that was made without a name (O_TMPFILE) and cannot be given one after a restore",
		 "make it with a name, and rename it", false},
	[CR_PREFLIGHT_CONFINED] =
		{"confined",
		 "it can gain no rights any more (no_new_privs), and may be in a Landlock sandbox, "
		 "which nobody can tell from outside: in one that scopes sockets it has no checkpoint, "
		 "and after a restore it is in none",
		 "switch its sandbox off if a checkpoint fails", false},
	[CR_PREFLIGHT_SEMAPHORE] = {"eventfd_semaphore",
				    "an eventfd that forgets at a restore that it is a semaphore (EFD_SEMAPHORE)",
				    "use POSIX semaphores or pipes", false},
	[CR_PREFLIGHT_WATCH] = {"watch",
				"it watches files (inotify), and not all of that is there after a restore",
				"read events when they come; do not watch with IN_ONESHOT or IN_EXCL_UNLINK",
				false},
	[CR_PREFLIGHT_LOCKED] =
		{"locked", "all of its memory is locked (mlockall); what it maps after a restore is not",
		 "call mlockall again after a restore (--checkpoint-signal), or lock what needs it", false},
	[CR_PREFLIGHT_GROWTH] =
		{"growth",
		 "a restore takes more memory: what processes share with others than their parent, each of "
		 "them has for itself then",
		 "keep the parent of such processes, and its copy", false},
	[CR_PREFLIGHT_LOGINUID] = {"loginuid",
				   "it has set its login id (/proc/self/loginuid), which is lost at a restore",
				   "leave it as the job got it", false},
	[CR_PREFLIGHT_SYSV_SEM] = {"sysv_sem", "System V semaphores are not part of a checkpoint",
				   "use POSIX semaphores", false},
	[CR_PREFLIGHT_SYSV_MSG] = {"sysv_msg", "System V message queues are not part of a checkpoint",
				   "use pipes or sockets", false},
	[CR_PREFLIGHT_SYSV_IDLE] = {"sysv_idle",
				    "System V shared memory that nobody has attached is not part of a checkpoint",
				    "use POSIX shared memory (shm_open) or files", false},
};

const char *cr_preflight_name(uint32_t kind)
{
	return kind < CR_PREFLIGHT_KINDS ? kinds[kind].name : "unknown";
}

const char *cr_preflight_remedy(uint32_t kind)
{
	return kind < CR_PREFLIGHT_KINDS ? kinds[kind].remedy : "";
}

bool cr_preflight_blocks(uint32_t kind)
{
	return kind < CR_PREFLIGHT_OUTSIDE;
}

bool cr_preflight_certain(uint32_t kind)
{
	return kind < CR_PREFLIGHT_KINDS && kinds[kind].certain;
}

void cr_preflight_text(const struct cr_finding *finding, bool remedy, char *buf, size_t size)
{
	const char *what = finding->kind < CR_PREFLIGHT_KINDS ? kinds[finding->kind].what : "unknown";
	char who[64] = "", at[32] = "";

	if (finding->pid)
		snprintf(who, sizeof(who), "pid %d %.15s", (int)finding->pid, finding->name);
	if (finding->fd >= 0)
		snprintf(at, sizeof(at), ", descriptor %d", (int)finding->fd);
	snprintf(buf, size, "%s%s%s%s%s%.199s%s%s", who, at, *who ? ": " : "", what, *finding->detail ? ": " : "",
		 finding->detail, remedy ? "; " : "", remedy ? cr_preflight_remedy(finding->kind) : "");
}

/* What others have named goes to terminals, logs and JSON. */
static void text_plain(char *text)
{
	for (; *text; text++)
		if (*text < 0x20 || *text > 0x7e || *text == '"' || *text == '\\')
			*text = '?';
}

static unsigned told(const struct cr_preflight *found, uint32_t kind)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < found->n; i++)
		n += found->findings[i].kind == kind;
	return n;
}

uint32_t cr_preflight_more(const struct cr_preflight *found, uint32_t i)
{
	uint32_t kind = found->findings[i].kind;

	if (kind >= CR_PREFLIGHT_KINDS || (i + 1 < found->n && found->findings[i + 1].kind == kind))
		return 0;
	return found->counts[kind] - told(found, kind);
}

/* Room for one more: no kind hides another, so the first of one takes the place of one of the most frequent. */
static struct cr_finding *room_make(struct cr_preflight *found, uint32_t kind)
{
	unsigned own = told(found, kind), most = 2;
	struct cr_finding *last = NULL;

	if (own >= CR_PREFLIGHT_EACH)
		return NULL;
	if (found->n < CR_PREFLIGHT_MAX)
		return &found->findings[found->n++];
	for (uint32_t i = 0; own == 0 && i < found->n; i++) {
		unsigned n = told(found, found->findings[i].kind);

		if (n >= most) {
			most = n;
			last = &found->findings[i];
		}
	}
	return last;
}

void preflight_add(struct preflight *p, enum cr_preflight_kind kind, const struct preflight_process *process,
		   int fd, const char *fmt, ...)
{
	struct cr_preflight *found = p->found;
	struct cr_finding *f;
	va_list ap;

	found->counts[kind]++;
	if (cr_preflight_blocks(kind))
		found->blockers++;
	else
		found->warnings++;
	f = room_make(found, kind);
	if (!f)
		return;
	memset(f, 0, sizeof(*f));
	f->pid = process ? process->pid : 0;
	f->fd = fd;
	f->kind = kind;
	snprintf(f->name, sizeof(f->name), "%s", process ? process->name : "");
	va_start(ap, fmt);
	vsnprintf(f->detail, sizeof(f->detail), fmt, ap);
	va_end(ap);
	text_plain(f->name);
	text_plain(f->detail);
}

bool preflight_late(struct preflight *p)
{
	if (p->job->deadline_ns && !p->found->partial)
		p->found->partial = cr_time_clock_ns(CLOCK_MONOTONIC) >= p->job->deadline_ns;
	return p->found->partial;
}

bool preflight_live(const struct preflight *p)
{
	return strcmp(p->job->proc, "/proc") == 0;
}

FILE *preflight_open(const struct preflight *p, const char *fmt, ...)
{
	char path[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	return cr_fs_fopen_at(p->proc, path, 0);
}

DIR *preflight_opendir(const struct preflight *p, const char *fmt, ...)
{
	char path[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	return cr_fs_opendir_at(p->proc, path, 0);
}

const char *preflight_stat(const struct preflight *p, char line[CR_PREFLIGHT_STAT], const char *fmt, ...)
{
	cleanup_fclose FILE *f = NULL;
	char path[128];
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	f = cr_fs_fopen_at(p->proc, path, 0);
	n = f ? fread(line, 1, CR_PREFLIGHT_STAT - 1, f) : 0;
	line[n] = '\0';
	return strrchr(line, ')');
}

enum cr_preflight_kind preflight_device(const char *path)
{
	static const struct {
		const char *prefix;
		enum cr_preflight_kind kind;
	} known[] = {
		{"/dev/nvidia", CR_PREFLIGHT_GPU},	  {"/dev/kfd", CR_PREFLIGHT_GPU},
		{"/dev/dri/", CR_PREFLIGHT_GPU},	  {"/dev/accel", CR_PREFLIGHT_GPU},
		{"/dmabuf:", CR_PREFLIGHT_GPU},		  {"/dev/infiniband/", CR_PREFLIGHT_INFINIBAND},
		{"/dev/hfi1", CR_PREFLIGHT_INFINIBAND},	  {"/dev/cxi", CR_PREFLIGHT_INFINIBAND},
		{"/dev/knem", CR_PREFLIGHT_INFINIBAND},	  {"/dev/xpmem", CR_PREFLIGHT_INFINIBAND},
		{"/dev/gdrdrv", CR_PREFLIGHT_INFINIBAND},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strncmp(path, known[i].prefix, strlen(known[i].prefix)) == 0)
			return known[i].kind;
	return CR_PREFLIGHT_DEVICE;
}

enum cr_preflight_kind preflight_object(const char *name)
{
	static const struct {
		const char *name;
		enum cr_preflight_kind kind;
	} known[] = {
		{"[eventfd]", CR_PREFLIGHT_KINDS},   {"[eventpoll]", CR_PREFLIGHT_KINDS},
		{"[timerfd]", CR_PREFLIGHT_KINDS},   {"[signalfd]", CR_PREFLIGHT_KINDS},
		{"inotify", CR_PREFLIGHT_INOTIFY},   {"[fanotify]", CR_PREFLIGHT_INOTIFY},
		{"[pidfd]", CR_PREFLIGHT_PIDFD},     {"[io_uring]", CR_PREFLIGHT_IO_URING},
		{"[perf_event]", CR_PREFLIGHT_PERF}, {"[userfaultfd]", CR_PREFLIGHT_USERFAULTFD},
		{"bpf", CR_PREFLIGHT_BPF},	     {"[bpf", CR_PREFLIGHT_BPF},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strncmp(name, known[i].name, strlen(known[i].name)) == 0)
			return known[i].kind;
	return CR_PREFLIGHT_OBJECT;
}

/* Its content goes into the checkpoint: criu opens it by the descriptor, as this user. */
static bool may_read(const struct stat *st)
{
	gid_t groups[NGROUPS_MAX];
	int n = getgroups(NGROUPS_MAX, groups);

	if (st->st_uid == getuid())
		return st->st_mode & S_IRUSR;
	if (st->st_gid == getgid())
		return st->st_mode & S_IRGRP;
	for (int i = 0; i < n; i++) {
		if (groups[i] == st->st_gid)
			return st->st_mode & S_IRGRP;
	}
	return st->st_mode & S_IROTH;
}

/* criu goes up while there is no such directory, and so does this. */
bool preflight_can_make(const char *path)
{
	char dir[PATH_MAX], *last;

	snprintf(dir, sizeof(dir), "%s", path);
	while ((last = strrchr(dir, '/')) && last > dir) {
		*last = '\0';
		if (access(dir, W_OK | X_OK) == 0)
			return true;
		if (errno != ENOENT)
			return false;
	}
	return access("/", W_OK | X_OK) == 0;
}

void preflight_deleted(struct preflight *p, const struct preflight_process *process, int fd, const char *path,
		       const struct stat *st)
{
	uint64_t bytes = (uint64_t)st->st_blocks * 512;

	if (st->st_nlink > 0) {
		/* criu makes a link to it, where this job alone sees that and it goes into the checkpoint */
		if (!p->job->private_dirs || !cr_ns_private(path) || !cr_proc_deleted(path) ||
		    st->st_uid != getuid())
			preflight_add(p, CR_PREFLIGHT_UNLINKED, process, fd, "%s", path);
		else if (!preflight_can_make(path))
			preflight_add(p, CR_PREFLIGHT_UNLINKED, process, fd, "its directory cannot be written: %s",
				      path);
	} else if (S_ISREG(st->st_mode) && !may_read(st)) {
		preflight_add(p, CR_PREFLIGHT_DELETED, process, fd, "its permissions are %03o: %s",
			      st->st_mode & 0777, path);
	} else if (bytes > p->job->ghost_limit) {
		preflight_add(p, CR_PREFLIGHT_DELETED, process, fd,
			      "%" PRIu64 " bytes, %" PRIu64 " are allowed: %s", bytes, p->job->ghost_limit, path);
	}
}

void preflight_long(struct preflight *p, const struct preflight_process *process, int fd, const char *path)
{
	size_t length = strlen(path);

	if (length > CR_PREFLIGHT_PATH_MAX)
		preflight_add(p, CR_PREFLIGHT_LONG_PATH, process, fd, "%.90s...%s", path, path + length - 90);
}

/* Lost without a word by a checkpoint, whose ever they are: the kernel does not tell which process made them. */
static void lost_look(struct preflight *p, const char *name, enum cr_preflight_kind kind)
{
	cleanup_fclose FILE *f = preflight_open(p, "sysvipc/%s", name);
	unsigned n = 0;
	char line[512];

	while (f && fgets(line, sizeof(line), f)) {
		unsigned uid, attached = 0;
		int read;

		/* key id perms, then nsems; or cbytes qnum lspid lrpid; or size cpid lpid nattch */
		if (kind == CR_PREFLIGHT_SYSV_SEM)
			read = sscanf(line, "%*d %*d %*o %*u %u", &uid);
		else if (kind == CR_PREFLIGHT_SYSV_MSG)
			read = sscanf(line, "%*d %*d %*o %*u %*u %*u %*u %u", &uid);
		else
			read = sscanf(line, "%*d %*d %*o %*u %*u %*u %u %u", &attached, &uid) - 1;
		/* what a process of the job has attached is a blocker, and what others have is theirs */
		n += read == 1 && uid == getuid() && attached == 0;
	}
	if (n)
		preflight_add(p, kind, NULL, -1, "this user has %u on this node", n);
}

/* By severity and kind, then as they are in the job. */
static int finding_compare(const void *a, const void *b)
{
	const struct cr_finding *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return x->fd < y->fd ? -1 : x->fd > y->fd;
}

/* Who is missing from the tree would make others look as if they led out of it. */
static int tree_end(struct preflight *p, struct cr_error *err)
{
	if (p->pipes.n > CR_PREFLIGHT_PIPES_MAX)
		preflight_add(p, CR_PREFLIGHT_PIPES, NULL, -1, "%zu, and %d are allowed", p->pipes.n,
			      CR_PREFLIGHT_PIPES_MAX);
	if (preflight_late(p))
		return 0;
	if (preflight_sockets(p, err) < 0 || preflight_memory(p, err) < 0)
		return -1;
	lost_look(p, "sem", CR_PREFLIGHT_SYSV_SEM);
	lost_look(p, "msg", CR_PREFLIGHT_SYSV_MSG);
	lost_look(p, "shm", CR_PREFLIGHT_SYSV_IDLE);
	return preflight_growth(p, err);
}

static int tree_look(struct preflight *p, struct cr_error *err)
{
	if (preflight_processes(p, err) < 0 || preflight_mounts(p, err) < 0)
		return -1;
	/* of a tree that is too large for the rest, too: nothing more is read for it */
	preflight_sessions(p);
	for (size_t i = 0; i < p->n && !preflight_late(p); i++) {
		struct preflight_process *process = &p->processes[i];

		if (!process->in || process->srun)
			continue;
		preflight_process_look(p, process);
		if (process->state == 'Z' || process->closed)
			continue;
		if (preflight_descriptors(p, process, err) < 0 || preflight_mappings(p, process, err) < 0)
			return -1;
	}
	if (tree_end(p, err) < 0)
		return -1;
	qsort(p->found->findings, p->found->n, sizeof(p->found->findings[0]), finding_compare);
	return 0;
}

int cr_preflight_look(const struct cr_preflight_job *job, struct cr_preflight *found, struct cr_error *err)
{
	cleanup_close int proc = open(job->proc, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct preflight p = {.job = job, .found = found, .proc = proc};
	int rc;

	memset(found, 0, sizeof(*found));
	if (proc < 0)
		return cr_error_sys(err, errno, "%s", job->proc);
	rc = tree_look(&p, err);
	free(p.processes);
	free(p.sockets);
	free(p.mounts);
	free(p.groups);
	free(p.met.slots);
	free(p.pipes.slots);
	cr_watched_clear(&p.watched);
	return rc;
}
