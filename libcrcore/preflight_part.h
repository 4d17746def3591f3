/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* preflight_part.h - what the files preflight*.c share, and nobody else includes */

#ifndef CR_PREFLIGHT_PART_H
#define CR_PREFLIGHT_PART_H

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#include "preflight.h"
#include "watched.h"

#define CR_PREFLIGHT_NAMESPACES 8
#define CR_PREFLIGHT_PIPES_MAX	1024 /* a table of criu's is that long */
#define CR_PREFLIGHT_STAT	512  /* bytes of a stat that are read */
#define CR_PREFLIGHT_PATH_MAX	4094 /* of its buffer, PATH_MAX, a dot and a NUL are taken */

/* A process of /proc. */
struct preflight_process {
	pid_t pid, parent, tracer, sid;
	pid_t born; /* the session that it was in before it made its own; 0: not known */
	char state;
	char name[16];
	uint32_t uid[4], gid[4];
	uint64_t memory, locked, anonymous; /* KiB; none in the last steps of its end */
	bool groups;			    /* supplementary ones that are not the job's */
	uint64_t caps;			    /* permitted */
	uint64_t pending;		    /* signals */
	unsigned threads;
	int seccomp;
	int no_new_privs;
	bool in;     /* of the job's tree */
	bool srun;   /* nothing more to say about it */
	bool nested; /* in a namespace of its own */
	bool closed; /* its descriptors and mappings cannot be read */
};

/* A set of numbers. */
struct preflight_set {
	uint64_t *slots; /* 0: free */
	size_t n, room;
};

/* A socket, and the first descriptor that it was found at. */
struct preflight_socket {
	uint64_t ino;
	size_t process; /* index */
	int fd;
	char proto[24];	  /* as the kernel calls it; "" when it does not say */
	bool corked;	  /* UDP_CORK */
	unsigned sending; /* bytes, of a UDP socket that is not corked */
};

struct preflight {
	const struct cr_preflight_job *job;
	struct cr_preflight *found;
	int proc;
	struct preflight_process *processes;
	size_t n;
	struct preflight_socket *sockets;
	size_t n_sockets, room_sockets;
	bool sending;		    /* some of these do */
	struct preflight_set met;   /* sockets by inode, and files that are fine */
	struct preflight_set pipes; /* with a reading end, by inode */
	uint32_t *mounts;	    /* ids, ascending */
	size_t n_mounts;
	uint64_t namespaces[CR_PREFLIGHT_NAMESPACES]; /* of the tree's root */
	unsigned nameless;			      /* files made without a name, so far */
	int64_t growth_end_ns;	   /* CLOCK_MONOTONIC until which it is looked for; 0: it is not */
	struct cr_watched watched; /* once somebody watches anything */
	bool watched_known;
	uint32_t loginuid; /* our own, if there is such a thing */
	bool has_loginuid;
	gid_t *groups; /* supplementary ones of the job, as the kernel sorts them */
	size_t n_groups;
};

/* ---- preflight.c ---- */

/* process may be NULL. */
void preflight_add(struct preflight *p, enum cr_preflight_kind kind, const struct preflight_process *process,
		   int fd, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* Is the time up? Then what is found so far is all. */
bool preflight_late(struct preflight *p);

/* Is it the kernel's own /proc, so that system calls know its processes too? */
bool preflight_live(const struct preflight *p);

/* A stream of PROC/PATH, a listing of such a directory; or NULL. */
FILE *preflight_open(const struct preflight *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
DIR *preflight_opendir(const struct preflight *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* What follows the name in PROC/PATH, a stat of a process or thread, in line; or NULL. */
const char *preflight_stat(const struct preflight *p, char line[CR_PREFLIGHT_STAT], const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* GPU, INFINIBAND or DEVICE, by the name of a device's file. */
enum cr_preflight_kind preflight_device(const char *path);

/* The kind of a kernel object by its name, as in "[io_uring]"; CR_PREFLIGHT_KINDS: criu takes it. */
enum cr_preflight_kind preflight_object(const char *name);

/* A file whose name is gone, as st says. */
void preflight_deleted(struct preflight *p, const struct preflight_process *process, int fd, const char *path,
		       const struct stat *st);

/* May this user make a file where path was, or above when that directory is gone? */
bool preflight_can_make(const char *path);

/* Is a path too long for criu? */
void preflight_long(struct preflight *p, const struct preflight_process *process, int fd, const char *path);

/* ---- preflight_set.c ---- */

/* Returns 1 when key is new in the set, 0 when it was there, -1. */
int preflight_set_add(struct preflight_set *set, uint64_t key, struct cr_error *err);
bool preflight_set_has(const struct preflight_set *set, uint64_t key);

/* ---- preflight_process.c ---- */

int preflight_processes(struct preflight *p, struct cr_error *err);
const struct preflight_process *preflight_process_find(const struct preflight *p, pid_t pid);
void preflight_process_look(struct preflight *p, struct preflight_process *process);

/* Does it keep others from looking at it, and not just for the moment of its exec or its end? */
bool preflight_closed(const struct preflight *p, pid_t pid);

/* The number in a link like "net:[4026531840]"; 0: none. */
uint64_t preflight_inode(const char *link);

/* Is that namespace the one of the tree's root? */
bool preflight_namespace_known(const struct preflight *p, uint64_t ino);

/* ---- preflight_descriptor.c ---- */

int preflight_mounts(struct preflight *p, struct cr_error *err);
int preflight_descriptors(struct preflight *p, struct preflight_process *process, struct cr_error *err);

/* ---- preflight_mapping.c ---- */

int preflight_mappings(struct preflight *p, const struct preflight_process *process, struct cr_error *err);

/* ---- preflight_epoll.c ---- */

int preflight_epoll_look(struct preflight *p, const struct preflight_process *process, int fd,
			 struct cr_error *err);

/* ---- preflight_vfork.c ---- */

/* May take a second, when it is one. */
void preflight_vfork_look(struct preflight *p, const struct preflight_process *child);

/* ---- preflight_session.c ---- */

void preflight_sessions(struct preflight *p);

/* ---- preflight_memory.c ---- */

int preflight_memory(struct preflight *p, struct cr_error *err);

/* Would it take more than now, though it fits? Where there is time to look, some seconds of it. */
int preflight_growth(struct preflight *p, struct cr_error *err);

/* ---- preflight_socket.c ---- */

int preflight_sockets(struct preflight *p, struct cr_error *err);

/* With the sockets sorted by inode. */
const struct preflight_socket *preflight_socket_find(const struct preflight *p, uint64_t ino);

/* Is this the address of a multicast group, as the kernel writes it in hexadecimal? */
bool preflight_is_group(const char *hex, bool six);

/* A socket's own address, as the kernel writes it in hexadecimal: a finding if it is one of this node alone. */
void preflight_address(struct preflight *p, const struct preflight_socket *s, const char *hex, bool six,
		       unsigned port);

/* ---- preflight_broken.c ---- */

/* A socket without a peer, or in no table of TCP connections: had it one, and does its program know? */
void preflight_broken(struct preflight *p, const struct preflight_socket *s, bool tcp);

/* ---- preflight_credentials.c ---- */

void preflight_credentials(struct preflight *p);

/* ---- preflight_udp.c ---- */

/* Datagrams that wait to be read or sent. */
void preflight_udp(struct preflight *p);

/* ---- preflight_unix.c ---- */

/* By inode. */
int preflight_unix_compare(const void *a, const void *b);

/* All UNIX sockets of this network namespace into a malloc'ed array, ascending by inode. */
int preflight_unix(struct cr_preflight_unix **sockets, size_t *n, struct cr_error *err);

#endif
