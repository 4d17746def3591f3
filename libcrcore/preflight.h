/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* preflight.h - can this tree of processes be checkpointed, and if not, what stands in the way
 *
 * Reads /proc and changes nothing. What is found and why CRIU refuses it is in doc/preflight.md. It is a look at
 * a tree that goes on running: what vanishes under the eyes is no finding and no error.
 */

#ifndef CR_PREFLIGHT_H
#define CR_PREFLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"

#define CR_PREFLIGHT_MAX  48 /* findings that are told one by one; the others are counted */
#define CR_PREFLIGHT_EACH 8  /* of these of one kind */

/* In the order in which they are told. */
enum cr_preflight_kind {
	CR_PREFLIGHT_SRUN,
	CR_PREFLIGHT_SETUID,
	CR_PREFLIGHT_GROUP,
	CR_PREFLIGHT_UNDUMPABLE,
	CR_PREFLIGHT_SECCOMP,
	CR_PREFLIGHT_LANDLOCK,
	CR_PREFLIGHT_NAMESPACE,
	CR_PREFLIGHT_TRACED,
	CR_PREFLIGHT_SIGTRAP,
	CR_PREFLIGHT_THREAD,
	CR_PREFLIGHT_VFORK,
	CR_PREFLIGHT_SHARED,
	CR_PREFLIGHT_SESSION,
	CR_PREFLIGHT_ENDED,
	CR_PREFLIGHT_MEMFD_PROGRAM,
	CR_PREFLIGHT_IO_URING,
	CR_PREFLIGHT_PERF,
	CR_PREFLIGHT_USERFAULTFD,
	CR_PREFLIGHT_BPF,
	CR_PREFLIGHT_SECRETMEM,
	CR_PREFLIGHT_UPROBES,
	CR_PREFLIGHT_SYSV_SHM,
	CR_PREFLIGHT_MQUEUE,
	CR_PREFLIGHT_GPU,
	CR_PREFLIGHT_INFINIBAND,
	CR_PREFLIGHT_DEVICE,
	CR_PREFLIGHT_PTY,
	CR_PREFLIGHT_CTTY,
	CR_PREFLIGHT_TCP_SELF,
	CR_PREFLIGHT_TCP,
	CR_PREFLIGHT_SOCKET,
	CR_PREFLIGHT_UNIX,
	CR_PREFLIGHT_UNIX_NAME,
	CR_PREFLIGHT_ACCEPT,
	CR_PREFLIGHT_UDP_CORK,
	CR_PREFLIGHT_INOTIFY,
	CR_PREFLIGHT_EPOLL,
	CR_PREFLIGHT_PIDFD_THREAD,
	CR_PREFLIGHT_PIDFD,
	CR_PREFLIGHT_HIGH,
	CR_PREFLIGHT_FULL,
	CR_PREFLIGHT_PIPES,
	CR_PREFLIGHT_PACKETS,
	CR_PREFLIGHT_MEMORY,
	CR_PREFLIGHT_DELETED,
	CR_PREFLIGHT_UNLINKED,
	CR_PREFLIGHT_LONG_PATH,
	CR_PREFLIGHT_PROC_FILE,
	CR_PREFLIGHT_LEASE,
	CR_PREFLIGHT_OBJECT,
	CR_PREFLIGHT_OUTSIDE, /* from here on: warnings */
	CR_PREFLIGHT_LISTEN,
	CR_PREFLIGHT_ADDRESS,
	CR_PREFLIGHT_UDP,
	CR_PREFLIGHT_CREDENTIALS,
	CR_PREFLIGHT_SOCKET_ERROR,
	CR_PREFLIGHT_SCRIPT,
	CR_PREFLIGHT_TERMINAL,
	CR_PREFLIGHT_TMPFILE,
	CR_PREFLIGHT_CONFINED,
	CR_PREFLIGHT_SEMAPHORE,
	CR_PREFLIGHT_WATCH,
	CR_PREFLIGHT_LOCKED,
	CR_PREFLIGHT_GROWTH,
	CR_PREFLIGHT_LOGINUID,
	CR_PREFLIGHT_SYSV_SEM,
	CR_PREFLIGHT_SYSV_MSG,
	CR_PREFLIGHT_SYSV_IDLE,
	CR_PREFLIGHT_KINDS,
};

struct cr_finding {
	int32_t pid; /* in the job's pid namespace; 0: of no one process */
	int32_t fd;  /* -1: none */
	uint32_t kind;
	char name[16];	  /* of the process; printable ASCII, as detail is */
	char detail[200]; /* "" when the kind says it all */
};

/* Plain memory: it can be sent through a pipe. */
struct cr_preflight {
	uint32_t blockers, warnings;	     /* all of them, told or not */
	uint32_t counts[CR_PREFLIGHT_KINDS]; /* the same by kind */
	bool partial;			     /* the time was up: there may be more */
	uint32_t n;
	struct cr_finding findings[CR_PREFLIGHT_MAX]; /* blockers first */
};

/* A UNIX socket of this network namespace. */
struct cr_preflight_unix {
	uint64_t ino, peer; /* peer 0: not connected */
	char name[108];	    /* "" without one */
	uint32_t waiting; /* at it, not accepted yet, and criu cannot save them: they have sent something, or ended
			   */
	bool unread;	  /* it has sent something that nobody has read */
	uint32_t vfs;	  /* inode of the file that it was bound to; 0: none, or not known */
};

struct cr_preflight_job {
	const char *proc; /* "/proc", but in tests */
	pid_t root;
	int64_t deadline_ns;  /* CLOCK_MONOTONIC; 0: none */
	uint64_t ghost_limit; /* bytes that criu takes of a deleted file */
	uint64_t descriptors; /* that criu may have (RLIMIT_NOFILE); 0: any */
	unsigned nameless;    /* files made without a name that can be given one after a restore; 0: any */
	uint64_t memory;      /* bytes that the job may still take; 0: any */
	bool unhurried;	      /* reading much of the kernel for a mere warning is worth the time */
	int landlock;	      /* the kernel's version of Landlock's interface; 0: none */
	bool private_net;     /* established TCP goes into the checkpoint */
	bool private_dirs;    /* /tmp, /var/tmp and /dev/shm are the job's own */
	const char *rollback; /* directories that are saved whole, as pathlist.h has it; or NULL */
	const struct cr_preflight_unix *sockets; /* NULL: ask the kernel */
	size_t n_sockets;
};

/* Look at the tree below job->root, of the calling process's user and groups. An empty tree has no findings. */
int cr_preflight_look(const struct cr_preflight_job *job, struct cr_preflight *found, struct cr_error *err);

/* What a kind is called, for programs; what it is, and what to do, for people. */
const char *cr_preflight_name(uint32_t kind);
const char *cr_preflight_remedy(uint32_t kind);

/* Does it keep a checkpoint from being taken, or is it only lost? */
bool cr_preflight_blocks(uint32_t kind);

/* Is there no doubt, so that criu need not even try? */
bool cr_preflight_certain(uint32_t kind);

/* How many more of its kind there are than are told: of the last of each kind; 0 of others. */
uint32_t cr_preflight_more(const struct cr_preflight *found, uint32_t i);

/* "pid 1004 python3, descriptor 5: io_uring: DETAIL" into buf; with "; REMEDY" behind when remedy. */
void cr_preflight_text(const struct cr_finding *finding, bool remedy, char *buf, size_t size);

#endif
