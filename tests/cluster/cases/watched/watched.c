/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* watched.c - a directory, files in it and elsewhere, one without a name: who watches them (inotify) goes on to.
 * tail does so beside it */

#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

static int must(int rc, const char *what)
{
	if (rc >= 0)
		return rc;
	perror(what);
	exit(1);
}

static void append(const char *path)
{
	FILE *f = fopen(path, "a");

	if (!f || fputs("after\n", f) < 0 || fclose(f) != 0)
		exit(1);
}

/* What has happened so far, one line for each. */
static void events(int fd, FILE *to)
{
	_Alignas(struct inotify_event) char buffer[4096];
	struct pollfd p = {.fd = fd, .events = POLLIN};

	while (poll(&p, 1, 1000) == 1) {
		ssize_t n = read(fd, buffer, sizeof(buffer));

		for (char *at = buffer; at < buffer + n;) {
			const struct inotify_event *e = (struct inotify_event *)at;

			fprintf(to, "watch %d: %x %s\n", e->wd, e->mask, e->len ? e->name : "");
			at += sizeof(*e) + e->len;
		}
	}
}

int main(void)
{
	int fd = must(inotify_init1(IN_CLOEXEC), "inotify");
	FILE *f;

	must(inotify_add_watch(fd, "sub/deeper", IN_CREATE | IN_DELETE | IN_MOVED_TO), "sub");
	must(inotify_add_watch(fd, "log", IN_MODIFY), "log");
	must(inotify_add_watch(fd, "/tmp", IN_CREATE), "/tmp");
	close(creat("ready", 0600));
	while (access("go", F_OK))
		usleep(100000);
	f = fopen("result", "w");
	if (!f)
		return 1;
	append("log");
	append("sub/deeper/new");
	append("/tmp/watched-new");
	must(rename("sub/deeper/new", "sub/deeper/renamed"), "rename");
	must(unlink("sub/deeper/renamed"), "unlink");
	events(fd, f);
	unlink("/tmp/watched-new");
	return fclose(f) != 0;
}
