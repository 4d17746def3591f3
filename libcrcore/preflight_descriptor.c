/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* preflight_descriptor.c - open descriptors that criu does not carry */

#include "preflight_part.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cleanup.h"
#include "ns.h"
#include "pathlist.h"
#include "proc.h"

#define CRIU_ROOM    64
#define MQUEUE_MAGIC 0x19800202 /* only the kernel's own ipc/mqueue.c has it */

#define CTTY	makedev(5, 0)
#define PTMX	makedev(5, 2)
#define CTTY_MS 200

#define NFS_MAGIC    0x6969
#define SILLY_DIGITS 24u /* of a 64-bit and a 32-bit number */

/* One descriptor of one process. */
struct descriptor {
	const struct preflight_process *process;
	int fd;
	char link[PATH_MAX];
	struct stat st;
};

/* ---- where it was opened ---- */

static int id_compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

int preflight_mounts(struct preflight *p, struct cr_error *err)
{
	cleanup_fclose FILE *f = preflight_open(p, "%d/mountinfo", (int)p->job->root);
	cleanup_free char *line = NULL;
	size_t room = 0, size = 0;

	while (f && getline(&line, &size, f) > 0) {
		uint32_t id, *more;

		if (sscanf(line, "%" SCNu32, &id) != 1)
			continue;
		if (p->n_mounts == room) {
			more = realloc(p->mounts, (room = room ? 2 * room : 64) * sizeof(*more));
			if (!more)
				return cr_error_sys(err, ENOMEM, "the list of mounts");
			p->mounts = more;
		}
		p->mounts[p->n_mounts++] = id;
	}
	if (p->n_mounts)
		qsort(p->mounts, p->n_mounts, sizeof(*p->mounts), id_compare);
	return 0;
}

/* The number behind name in the descriptor's fdinfo. Returns 0, or -1 when there is none. */
static int info_number(const struct preflight *p, const struct descriptor *d, const char *name, long *number)
{
	cleanup_fclose FILE *f = preflight_open(p, "%d/fdinfo/%d", (int)d->process->pid, d->fd);
	size_t length = strlen(name);
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, name, length) == 0 && sscanf(line + length, " %ld", number) == 1)
			return 0;
	}
	return -1;
}

static bool mount_known(const struct preflight *p, const struct descriptor *d)
{
	uint32_t id;
	long number;

	if (p->n_mounts == 0 || info_number(p, d, "mnt_id:", &number) < 0)
		return true; /* no telling */
	id = (uint32_t)number;
	return bsearch(&id, p->mounts, p->n_mounts, sizeof(id), id_compare) != NULL;
}

/* ---- files and devices ---- */

static void path_of(const struct preflight *p, const struct descriptor *d, char *path, size_t size)
{
	snprintf(path, size, "%s/%d/fd/%d", p->job->proc, (int)d->process->pid, d->fd);
}

/* mq_open gives a descriptor of a file system that the job has not mounted: "/NAME". */
static bool is_mqueue(const struct preflight *p, const struct descriptor *d)
{
	char path[64 + PATH_MAX];
	struct statfs fs;

	if (strchr(d->link + 1, '/') && strncmp(d->link, "/dev/mqueue/", 12) != 0)
		return false;
	path_of(p, d, path, sizeof(path));
	return statfs(path, &fs) == 0 && fs.f_type == MQUEUE_MAGIC;
}

/* "/proc/PID/task/TID/status" of another thread than a process's first: criu opens files before it makes threads.
 */
static bool is_of_thread(const char *path)
{
	int pid, tid;

	return sscanf(path, "/proc/%d/task/%d", &pid, &tid) == 2 && pid != tid;
}

static bool is_below(const char *path, const char *dir)
{
	size_t length = strlen(dir);

	return strncmp(path, dir, length) == 0 && path[length] == '/';
}

/* Is it in a directory that is read as a whole? */
static bool is_saved(const struct preflight *p, const char *path)
{
	const char *at = p->job->rollback ? p->job->rollback : "";
	struct cr_error ignored;
	char dir[PATH_MAX];

	while (cr_pathlist_next(&at, dir, sizeof(dir), &ignored) > 0)
		if (is_below(path, dir))
			return true;
	return cr_ns_private(path);
}

/* Whoever opens the file breaks the lease. Elsewhere it is read by the descriptor that has it. */
static void lease_look(struct preflight *p, const struct descriptor *d)
{
	cleanup_fclose FILE *f = NULL;
	char line[256];

	if (!S_ISREG(d->st.st_mode) || !is_saved(p, d->link))
		return;
	f = preflight_open(p, "%d/fdinfo/%d", (int)d->process->pid, d->fd);
	while (f && fgets(line, sizeof(line), f)) {
		if (!cr_proc_lease(line))
			continue;
		preflight_add(p, CR_PREFLIGHT_LEASE, d->process, d->fd, "%s", d->link);
		return;
	}
}

/* NFS gives a file that is removed while it is open such a name: criu takes it for one that has another. */
static bool is_silly(const struct preflight *p, const struct descriptor *d)
{
	const char *name = strrchr(d->link, '/') + 1;
	char path[64 + PATH_MAX];
	struct statfs fs;

	if (strncmp(name, ".nfs", 4) != 0 || strlen(name) < 4 + SILLY_DIGITS ||
	    strspn(name + 4, "0123456789abcdefABCDEF") < SILLY_DIGITS)
		return false;
	path_of(p, d, path, sizeof(path));
	return statfs(path, &fs) == 0 && fs.f_type == NFS_MAGIC;
}

/* Has it got another path since it was looked at, or is it closed? */
static bool moved(const struct preflight *p, const struct descriptor *d)
{
	char path[64], now[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "%d/fd/%d", (int)d->process->pid, d->fd);
	n = readlinkat(p->proc, path, now, sizeof(now) - 1);
	if (n <= 0)
		return true;
	now[n] = '\0';
	return strcmp(now, d->link) != 0;
}

/* As fdinfo has them; 0 when it does not. */
static unsigned flags_of(const struct preflight *p, const struct descriptor *d)
{
	cleanup_fclose FILE *f = preflight_open(p, "%d/fdinfo/%d", (int)d->process->pid, d->fd);
	unsigned flags = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f) && sscanf(line, "flags: %o", &flags) != 1)
		;
	return flags;
}

/* The kernel lets a file have a name for the first time only if it was made without. */
static void tmpfile_look(struct preflight *p, const struct descriptor *d)
{
	if ((flags_of(p, d) & O_TMPFILE) != O_TMPFILE)
		return;
	if (!preflight_can_make(d->link))
		preflight_add(p, CR_PREFLIGHT_TMPFILE, d->process, d->fd, "%s", d->link);
	else if (++p->nameless > p->job->nameless && p->job->nameless)
		preflight_add(p, CR_PREFLIGHT_TMPFILE, d->process, d->fd, "%s is one of more than %u", d->link,
			      p->job->nameless);
}

/* What criu opens by its path must be what leads to the file. */
static void place_look(struct preflight *p, const struct descriptor *d)
{
	struct stat st;
	/* a link may be open itself (O_PATH, O_NOFOLLOW), wherever it leads */
	int errnum =
		fstatat(AT_FDCWD, d->link, &st, S_ISLNK(d->st.st_mode) ? AT_SYMLINK_NOFOLLOW : 0) < 0 ? errno : 0;

	if (is_silly(p, d)) {
		preflight_add(p, CR_PREFLIGHT_UNLINKED, d->process, d->fd, "removed, on NFS: %s", d->link);
		return;
	}
	if ((errnum == 0 && st.st_ino == d->st.st_ino && st.st_dev == d->st.st_dev) || moved(p, d))
		return;
	if (errnum == ENOENT && cr_proc_deleted(d->link))
		preflight_deleted(p, d->process, d->fd, d->link, &d->st);
	else if (errnum)
		preflight_add(p, CR_PREFLIGHT_UNLINKED, d->process, d->fd, "%s: %s", d->link, strerror(errnum));
	else
		preflight_add(p, CR_PREFLIGHT_UNLINKED, d->process, d->fd, "another file is at %s", d->link);
}

static void path_look(struct preflight *p, const struct descriptor *d)
{
	if (is_mqueue(p, d)) {
		preflight_add(p, CR_PREFLIGHT_MQUEUE, d->process, d->fd, "%s", d->link);
		return;
	}
	/* criu 4.1 refuses it for that alone, 4.2 finds it by its path */
	if (!mount_known(p, d))
		preflight_add(p, CR_PREFLIGHT_OUTSIDE, d->process, d->fd, "%s", d->link);
	/* criu makes up for processes that are gone, and sysfs is not removed from */
	if (strncmp(d->link, "/proc/", 6) == 0) {
		if (is_of_thread(d->link))
			preflight_add(p, CR_PREFLIGHT_PROC_FILE, d->process, d->fd, "%s", d->link);
		return;
	}
	lease_look(p, d);
	/* a name may end in " (deleted)", too */
	if (d->st.st_nlink == 0) {
		preflight_deleted(p, d->process, d->fd, d->link, &d->st);
		tmpfile_look(p, d);
		return;
	}
	place_look(p, d);
}

static bool is_terminal(const struct stat *st)
{
	unsigned major = major(st->st_rdev);

	return major == 4 || major == 5 || (major >= 128 && major <= 143);
}

/* criu wants the first descriptor of a terminal that leads a session in the process that has its /dev/tty open.
 * That is the one of the terminal's master, as a rule: in another process than those below it. */
static bool has_master(const struct preflight *p, const struct descriptor *d)
{
	cleanup_closedir DIR *dir = preflight_opendir(p, "%d/fd", (int)d->process->pid);
	struct dirent *e;
	struct stat st;

	while (dir && (e = readdir(dir)))
		if (fstatat(dirfd(dir), e->d_name, &st, 0) == 0 && st.st_rdev == PTMX)
			return true;
	return false;
}

/* Most have it open for a moment. */
static void ctty_look(struct preflight *p, const struct descriptor *d)
{
	if (has_master(p, d))
		return;
	if (!p->found->counts[CR_PREFLIGHT_CTTY])
		poll(NULL, 0, CTTY_MS);
	if (!moved(p, d))
		preflight_add(p, CR_PREFLIGHT_CTTY, d->process, d->fd, "%s", d->link);
}

static void device_look(struct preflight *p, const struct descriptor *d)
{
	unsigned major = major(d->st.st_rdev), minor = minor(d->st.st_rdev);

	if (is_terminal(&d->st)) {
		if (!mount_known(p, d))
			preflight_add(p, CR_PREFLIGHT_PTY, d->process, d->fd, "%s", d->link);
		return;
	}
	/* /dev/null and its like; a tunnel, autofs */
	if (S_ISCHR(d->st.st_mode) && (major == 1 || (major == 10 && (minor == 200 || minor == 235))))
		path_look(p, d);
	else
		preflight_add(p, preflight_device(d->link), d->process, d->fd, "%s", d->link);
}

/* ---- what has no path ---- */

/* Where criu looks by itself. What of the kernel's device numbers does not fit is as it encodes them itself. */
static bool watch_found_by_criu(struct preflight *p, uint64_t device, uint64_t ino)
{
	char etc[] = "/etc", spool[] = "/var/spool", log[] = "/var/log", root[] = "/.";
	char *const places[] = {etc, spool, log, NULL}, *const only[] = {root, NULL};
	dev_t dev = makedev(device >> 20, device & 0xfffff);
	bool found = false;
	struct stat st;
	FTSENT *e;
	FTS *fts;

	if (stat(only[0], &st) == 0 && st.st_dev == dev && st.st_ino == ino)
		return true;
	fts = fts_open(places, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	while (fts && !found && !preflight_late(p) && (e = fts_read(fts)))
		found = e->fts_info != FTS_DP && e->fts_statp && e->fts_statp->st_dev == dev &&
			e->fts_statp->st_ino == ino;
	if (fts)
		fts_close(fts);
	return found || p->found->partial;
}

/* The library in criu finds what we find (watched.h). */
static int watched_look(struct preflight *p, struct cr_error *err)
{
	cleanup_free pid_t *pids = calloc(p->n + 1, sizeof(*pids));
	size_t n = 0;

	if (!pids)
		return cr_error_sys(err, ENOMEM, "what the job watches");
	for (size_t i = 0; i < p->n; i++) {
		if (p->processes[i].in)
			pids[n++] = p->processes[i].pid;
	}
	p->watched_known = true;
	return cr_watched_find(&p->watched, p->proc, pids, n, p->job->deadline_ns, err);
}

/* Events that nobody has read, and what is not in criu's images. */
static void watch_lost_look(struct preflight *p, const struct descriptor *d, uint32_t mask)
{
	cleanup_close int fd = preflight_live(p) ? cr_proc_descriptor(d->process->pid, d->fd) : -1;
	int waiting = 0;

	if (fd >= 0 && ioctl(fd, FIONREAD, &waiting) == 0 && waiting > 0)
		preflight_add(p, CR_PREFLIGHT_WATCH, d->process, d->fd, "%d bytes of events that it has not read",
			      waiting);
	else if (mask & (IN_ONESHOT | IN_EXCL_UNLINK))
		preflight_add(p, CR_PREFLIGHT_WATCH, d->process, d->fd, "%s",
			      mask & IN_ONESHOT ? "IN_ONESHOT" : "IN_EXCL_UNLINK");
}

static int watches_look(struct preflight *p, const struct descriptor *d, struct cr_error *err)
{
	cleanup_fclose FILE *f = preflight_open(p, "%d/fdinfo/%d", (int)d->process->pid, d->fd);
	uint64_t ino, device, lost = 0;
	uint32_t mask = 0, masks = 0;
	unsigned watches = 0;
	char line[512];

	if (!p->watched_known && watched_look(p, err) < 0)
		return -1;

	while (f && fgets(line, sizeof(line), f)) {
		const char *at = strstr(line, "ino:");
		bool is_inotify = strncmp(line, "inotify ", 8) == 0;

		if ((!is_inotify && strncmp(line, "fanotify ", 9) != 0) || !at ||
		    sscanf(at, "ino:%" SCNx64 " sdev:%" SCNx64 " mask:%" SCNx32, &ino, &device, &mask) < 2)
			continue;
		watches++;
		masks |= is_inotify ? mask : 0;
		/* one is enough, and looking costs */
		if (lost == 0 && !(is_inotify && cr_watched_path(&p->watched, device, ino)) &&
		    !watch_found_by_criu(p, device, ino))
			lost = ino;
	}
	if (lost)
		preflight_add(p, CR_PREFLIGHT_INOTIFY, d->process, d->fd, "%u %s, inode %" PRIu64 " among them",
			      watches, watches == 1 ? "file" : "files", lost);
	else if (watches && strcmp(d->process->name, "tail") == 0)
		preflight_add(p, CR_PREFLIGHT_INOTIFY, d->process, d->fd, "%s",
			      "tail, which ends when a checkpoint interrupts its poll");
	else
		watch_lost_look(p, d, masks);
	return 0;
}

static void pidfd_look(struct preflight *p, const struct descriptor *d)
{
	const struct preflight_process *process;
	long pid;

	/* which is PIDFD_THREAD for pidfd_open */
	if (flags_of(p, d) & O_EXCL) {
		preflight_add(p, CR_PREFLIGHT_PIDFD_THREAD, d->process, d->fd, "%s", "");
		return;
	}
	if (info_number(p, d, "Pid:", &pid) < 0 || pid == -1)
		return; /* of a process that is gone */
	process = pid > 0 && pid <= INT_MAX ? preflight_process_find(p, (pid_t)pid) : NULL;
	if (process && process->in)
		return;
	if (pid > 0)
		preflight_add(p, CR_PREFLIGHT_PIDFD, d->process, d->fd, "pid %ld", pid);
	else
		preflight_add(p, CR_PREFLIGHT_PIDFD, d->process, d->fd, "%s", "");
}

/* What criu makes anew is an eventfd without that flag. */
static void eventfd_look(struct preflight *p, const struct descriptor *d)
{
	long semaphore;

	if (info_number(p, d, "eventfd-semaphore:", &semaphore) == 0 && semaphore)
		preflight_add(p, CR_PREFLIGHT_SEMAPHORE, d->process, d->fd, "%s", "");
}

static int object_look(struct preflight *p, const struct descriptor *d, const char *name, struct cr_error *err)
{
	enum cr_preflight_kind kind = preflight_object(name);

	if (strcmp(name, "[eventpoll]") == 0)
		return preflight_epoll_look(p, d->process, d->fd, err);
	if (strcmp(name, "[eventfd]") == 0)
		eventfd_look(p, d);
	else if (kind == CR_PREFLIGHT_INOTIFY)
		return watches_look(p, d, err);
	else if (kind == CR_PREFLIGHT_PIDFD)
		pidfd_look(p, d);
	else if (kind == CR_PREFLIGHT_OBJECT || kind == CR_PREFLIGHT_BPF)
		preflight_add(p, kind, d->process, d->fd, "%s", name);
	else if (kind != CR_PREFLIGHT_KINDS)
		preflight_add(p, kind, d->process, d->fd, "%s", "");
	return 0;
}

static int socket_note(struct preflight *p, const struct descriptor *d, struct cr_error *err)
{
	const uint64_t ino = preflight_inode(d->link);
	struct preflight_socket *s;
	char path[64 + PATH_MAX];
	ssize_t n;
	int rc = preflight_set_add(&p->met, ino, err);

	if (rc <= 0)
		return rc;
	if (p->n_sockets == p->room_sockets) {
		size_t room = p->room_sockets ? 2 * p->room_sockets : 64;

		s = realloc(p->sockets, room * sizeof(*s));
		if (!s)
			return cr_error_sys(err, ENOMEM, "the list of sockets");
		p->sockets = s;
		p->room_sockets = room;
	}
	s = &p->sockets[p->n_sockets++];
	memset(s, 0, sizeof(*s));
	s->ino = ino;
	s->process = (size_t)(d->process - p->processes);
	s->fd = d->fd;
	path_of(p, d, path, sizeof(path));
	n = getxattr(path, "system.sockprotoname", s->proto, sizeof(s->proto) - 1);
	s->proto[n > 0 ? n : 0] = '\0';
	return 0;
}

/* criu looks for data in each pipe of which it meets a reading end. */
static int pipe_note(struct preflight *p, const struct descriptor *d, struct cr_error *err)
{
	struct stat st;
	char path[64];

	if (flags_of(p, d) & O_DIRECT)
		preflight_add(p, CR_PREFLIGHT_PACKETS, d->process, d->fd, "%s", "");
	snprintf(path, sizeof(path), "%d/fd/%d", (int)d->process->pid, d->fd);
	if (fstatat(p->proc, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || !(st.st_mode & S_IRUSR))
		return 0;
	return preflight_set_add(&p->pipes, preflight_inode(d->link), err) < 0 ? -1 : 0;
}

/* ---- one by one ---- */

/* The file and the path that leads to it, as one number (FNV-1a); never that of a socket, whose highest bit is 0.
 */
static uint64_t file_key(const struct descriptor *d)
{
	uint64_t key = UINT64_C(0xcbf29ce484222325) ^ (uint64_t)d->st.st_ino;

	key = (key * UINT64_C(0x100000001b3)) ^ (uint64_t)d->st.st_dev;
	for (const char *c = d->link; *c; c++)
		key = (key ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
	return key | UINT64_C(1) << 63;
}

/* Children have their parent's files: what is fine once is fine in all of them. */
static int file_look(struct preflight *p, const struct descriptor *d, struct cr_error *err)
{
	const uint64_t key = file_key(d);
	uint32_t before;

	if (S_ISCHR(d->st.st_mode) && d->st.st_rdev == CTTY)
		ctty_look(p, d);
	if (preflight_set_has(&p->met, key))
		return 0;
	before = p->found->blockers + p->found->warnings;
	if (S_ISCHR(d->st.st_mode) || S_ISBLK(d->st.st_mode))
		device_look(p, d);
	else
		path_look(p, d);
	if (p->found->blockers + p->found->warnings != before)
		return 0;
	return preflight_set_add(&p->met, key, err) < 0 ? -1 : 0;
}

static int descriptor_look(struct preflight *p, const struct descriptor *d, struct cr_error *err)
{
	static const char anon[] = "anon_inode:";
	const char *link = d->link;

	if (strncmp(link, "socket:[", 8) == 0)
		return socket_note(p, d, err);
	if (strncmp(link, anon, sizeof(anon) - 1) == 0)
		return object_look(p, d, link + sizeof(anon) - 1, err);
	else if (strncmp(link, "pidfd:", 6) == 0)
		pidfd_look(p, d);
	else if (strncmp(link, "/secretmem", 10) == 0)
		preflight_add(p, CR_PREFLIGHT_SECRETMEM, d->process, d->fd, "%s", "");
	else if (strncmp(link, "/dmabuf:", 8) == 0)
		preflight_add(p, preflight_device(link), d->process, d->fd, "%s", link);
	else if (strncmp(link, "pipe:[", 6) == 0)
		return pipe_note(p, d, err);
	else if (strncmp(link, "/memfd:", 7) == 0)
		return 0;
	else if (link[0] == '/')
		return file_look(p, d, err);
	else if (strchr(link, '[') && !preflight_namespace_known(p, preflight_inode(link)))
		preflight_add(p, CR_PREFLIGHT_NAMESPACE, d->process, d->fd, "%s", link);
	return 0;
}

/* criu restores a process with a score of its own descriptors above all others, below a multiple of 128 that its
 * limit allows. */
static void highest_look(struct preflight *p, const struct preflight_process *process, int fd)
{
	uint64_t most = p->job->descriptors;

	if (most && (uint64_t)fd + CRIU_ROOM > most / 128 * 128)
		preflight_add(p, CR_PREFLIGHT_HIGH, process, fd, "%" PRIu64 " is the most that criu may have",
			      most);
}

/* How many descriptors it may have for now; 0: any, or no telling. */
static int limit_of(const struct preflight *p, const struct preflight_process *process)
{
	cleanup_fclose FILE *f = preflight_open(p, "%d/limits", (int)process->pid);
	char line[256];
	int most = 0;

	while (f && fgets(line, sizeof(line), f) && sscanf(line, "Max open files %d", &most) != 1)
		;
	return most;
}

int preflight_descriptors(struct preflight *p, struct preflight_process *process, struct cr_error *err)
{
	cleanup_closedir DIR *dir = preflight_opendir(p, "%d/fd", (int)process->pid);
	int errnum = errno, highest = 0, below = 0, most = limit_of(p, process);
	struct descriptor d = {.process = process};
	struct dirent *e;

	if (!dir) {
		/* it is in its exec or its end for a moment, or it has closed itself to others */
		process->closed = true;
		if (errnum == EACCES && preflight_closed(p, process->pid))
			preflight_add(p, CR_PREFLIGHT_UNDUMPABLE, process, -1, "%s", "");
		return 0;
	}
	while (!preflight_late(p) && (e = readdir(dir))) {
		ssize_t n = readlinkat(dirfd(dir), e->d_name, d.link, sizeof(d.link) - 1);

		if (n < 0 && errno == ENAMETOOLONG)
			preflight_add(p, CR_PREFLIGHT_LONG_PATH, process, atoi(e->d_name), "%s", "");
		if (n <= 0)
			continue; /* . and .., or closed meanwhile */
		d.link[n] = '\0';
		d.fd = atoi(e->d_name);
		below += d.fd < most;
		/* what has no path is known by its link alone */
		if (d.link[0] == '/' && fstatat(dirfd(dir), e->d_name, &d.st, 0) < 0)
			continue;
		preflight_long(p, process, d.fd, d.link);
		highest = d.fd > highest ? d.fd : highest;
		if (descriptor_look(p, &d, err) < 0)
			return -1;
	}
	highest_look(p, process, highest);
	/* a limit may be below what it has, which stays */
	if (most && below >= most)
		preflight_add(p, CR_PREFLIGHT_FULL, process, -1, "%d of %d", below, most);
	return 0;
}
