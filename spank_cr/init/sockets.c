/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "sockets.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "proc.h"
#include "socket_groups.h"
#include "socket_options.h"
#include "socket_queues.h"

#define QUEUED_MAX (64u << 20) /* bytes of all datagrams together */

/* ---- what there is ---- */

static bool kind_get(int fd, struct socket_at *at)
{
	socklen_t size = sizeof(int);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &at->family, &size) == 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &at->type, &size) == 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &at->protocol, &size) == 0 &&
	       (at->family == AF_UNIX || at->family == AF_INET || at->family == AF_INET6);
}

static int list_add(struct sockets *sockets, const struct socket_at *at, struct cr_error *err)
{
	if (sockets->n == sockets->room) {
		size_t room = sockets->room ? 2 * sockets->room : 32;
		struct socket_at *more = realloc(sockets->list, room * sizeof(*more));

		if (!more)
			return cr_error_sys(err, ENOMEM, "the list of sockets");
		sockets->list = more;
		sockets->room = room;
	}
	sockets->list[sockets->n++] = *at;
	return 0;
}

/* seen: an object with a member for each inode. */
static int process_list(struct sockets *sockets, pid_t pid, json_t *seen, struct cr_error *err)
{
	cleanup_close int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	cleanup_closedir DIR *d = NULL;
	char path[64], link[64], *name = link + strlen("socket:");
	struct dirent *e;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		struct socket_at at = {.pid = pid, .fd = atoi(e->d_name)};
		ssize_t n = readlinkat(dirfd(d), e->d_name, link, sizeof(link) - 1);
		cleanup_close int fd = -1;

		link[n > 0 ? n : 0] = '\0';
		if (sscanf(link, "socket:[%" SCNu64, &at.ino) != 1 || json_object_get(seen, name))
			continue;
		if (json_object_set_new(seen, name, json_true()) < 0)
			return cr_error_sys(err, ENOMEM, "the list of sockets");
		fd = (int)syscall(SYS_pidfd_getfd, pidfd, at.fd, 0);
		if (fd >= 0 && kind_get(fd, &at) && list_add(sockets, &at, err) < 0)
			return -1;
	}
	return 0;
}

int sockets_list(struct sockets *sockets, const pid_t *pids, size_t n, struct cr_error *err)
{
	json_auto_t *seen = json_object();

	memset(sockets, 0, sizeof(*sockets));
	for (size_t i = 0; i < n; i++) {
		if (process_list(sockets, pids[i], seen, err) < 0)
			return -1;
	}
	return 0;
}

void sockets_clear(struct sockets *sockets)
{
	free(sockets->list);
	memset(sockets, 0, sizeof(*sockets));
}

/* ---- taking ---- */

struct take {
	struct socket_group *groups;
	size_t n_groups;
	struct socket_new fresh;
	struct sockets all;
	const char *notes;
	size_t room; /* for datagrams */
};

/* null when there is nothing to note */
static json_t *socket_take(struct take *t, const struct socket_at *at)
{
	cleanup_close int fd = cr_proc_descriptor(at->pid, at->fd);
	json_t *options, *groups = NULL, *queue = NULL;
	bool inet = at->family != AF_UNIX;

	if (fd < 0)
		return json_null();
	options = socket_options_take(fd, at->family, at->type, at->protocol, &t->fresh);
	if (inet && at->type != SOCK_STREAM)
		groups = socket_groups_take(fd, at->family, t->groups, t->n_groups);
	if (at->type != SOCK_STREAM)
		queue = socket_queue_take(fd, at, t->notes, &t->room);
	if (queue)
		socket_queue_refresh(fd, at, queue, &t->all);
	groups = groups ? groups : json_array();
	queue = queue ? queue : json_array();
	if (json_array_size(options) || json_array_size(groups) || json_array_size(queue))
		return json_pack("{s: i, s: i, s: o, s: o, s: o}", "pid", (int)at->pid, "fd", at->fd, "options",
				 options, "groups", groups, "queue", queue);
	json_decref(options);
	json_decref(groups);
	json_decref(queue);
	return json_null();
}

json_t *sockets_take(const pid_t *pids, size_t n, const char *notes)
{
	struct take t = {.fresh.fd = -1, .notes = notes, .room = QUEUED_MAX};
	json_t *noted = json_array();
	struct cr_error err;
	bool ok = sockets_list(&t.all, pids, n, &err) == 0;

	t.n_groups = t.all.n ? socket_groups_list(&t.groups) : 0;
	for (size_t i = 0; ok && i < t.all.n; i++) {
		json_t *one = socket_take(&t, &t.all.list[i]);

		ok = json_is_null(one) || json_array_append_new(noted, one) == 0;
	}
	if (t.fresh.fd >= 0)
		close(t.fresh.fd);
	free(t.groups);
	sockets_clear(&t.all);
	if (ok)
		return noted;
	json_decref(noted);
	return NULL;
}

/* ---- checking ---- */

static bool socket_ok(const json_t *one)
{
	json_t *options, *groups, *queue;
	int pid, fd;

	return json_unpack((json_t *)(uintptr_t)one, "{s: i, s: i, s: o, s: o, s: o!}", "pid", &pid, "fd", &fd,
			   "options", &options, "groups", &groups, "queue", &queue) == 0 &&
	       pid > 0 && fd >= 0 && socket_options_ok(options) && socket_groups_ok(groups) &&
	       socket_queue_ok(queue);
}

bool sockets_ok(const json_t *noted)
{
	size_t i;
	json_t *item;

	if (!noted)
		return true;
	if (!json_is_array(noted))
		return false;
	json_array_foreach (noted, i, item) {
		if (!socket_ok(item))
			return false;
	}
	return true;
}

/* ---- putting back ---- */

struct missed {
	unsigned options, groups, datagrams;
	int level, name;
	pid_t pid_options, pid_groups, pid_datagrams;
};

static void missed_add(unsigned *count, pid_t *first, unsigned more, pid_t pid)
{
	if (more && *count == 0)
		*first = pid;
	*count += more;
}

static void socket_apply(const json_t *one, const struct sockets *all, struct missed *m)
{
	struct socket_at at = {.pid = (pid_t)json_integer_value(json_object_get(one, "pid")),
			       .fd = (int)json_integer_value(json_object_get(one, "fd"))};
	const json_t *queue = json_object_get(one, "queue");
	cleanup_close int fd = cr_proc_descriptor(at.pid, at.fd);
	struct stat st;

	if (fd < 0 || !kind_get(fd, &at) || fstat(fd, &st) < 0)
		return;
	at.ino = st.st_ino;
	missed_add(&m->options, &m->pid_options,
		   socket_options_apply(fd, json_object_get(one, "options"), false, &m->level, &m->name), at.pid);
	missed_add(&m->groups, &m->pid_groups, socket_groups_apply(fd, json_object_get(one, "groups")), at.pid);
	if (json_array_size(queue))
		missed_add(&m->datagrams, &m->pid_datagrams, socket_queue_apply(fd, &at, queue, all), at.pid);
}

/* What would be in the way of sending from one socket to another. */
static void socket_apply_late(const json_t *one, struct missed *m)
{
	cleanup_close int fd = cr_proc_descriptor((pid_t)json_integer_value(json_object_get(one, "pid")),
						  (int)json_integer_value(json_object_get(one, "fd")));

	if (fd >= 0)
		m->options += socket_options_apply(fd, json_object_get(one, "options"), true, &m->level, &m->name);
}

static void missed_log(const struct missed *m, const struct job *job)
{
	if (m->options)
		job_log(job, 0,
			"not as before: %u options of sockets (the first is %d of level %d, of process %d)",
			m->options, m->name, m->level, (int)m->pid_options);
	if (m->groups)
		job_log(job, 0,
			"not as before: %u multicast groups cannot be joined here (the first of process %d)",
			m->groups, (int)m->pid_groups);
	if (m->datagrams)
		job_log(job, 0,
			"not as before: %u datagrams that waited to be read are lost, or without their sender's"
			" address (the first of process %d)",
			m->datagrams, (int)m->pid_datagrams);
}

void sockets_apply(const json_t *noted, const pid_t *pids, size_t n, const struct job *job)
{
	struct missed m = {0};
	struct sockets all = {0};
	struct cr_error err;
	size_t i;
	json_t *item;

	if (json_array_size(noted) == 0)
		return;
	if (sockets_list(&all, pids, n, &err) < 0) {
		job_log(job, 0, "not as before: options and datagrams of sockets: %s", err.text);
		sockets_clear(&all);
		return;
	}
	json_array_foreach (noted, i, item) {
		socket_apply(item, &all, &m);
	}
	json_array_foreach (noted, i, item) {
		socket_apply_late(item, &m);
	}
	sockets_clear(&all);
	missed_log(&m, job);
}
