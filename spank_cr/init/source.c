/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int source_open(struct source *s, const struct job *job, const struct cr_manifest *m, const char *dir,
		struct cr_error *err)
{
	*s = (struct source){.files = m->format == 1};
	snprintf(s->dir, sizeof(s->dir), "%s", dir);
	snprintf(s->images, sizeof(s->images), "%s/images", dir);
	/* in format 2 that is the index alone, by which the chunks are verified later */
	if (cr_manifest_verify(m, dir, err) < 0)
		return -1;
	return s->files ? 0 : serve_start(&s->serve, job, m, err);
}

int source_stream(struct source *s, const char *name, struct cr_error *err)
{
	char path[PATH_MAX + 64];
	int fd;

	if (!s->files)
		return serve_stream(&s->serve, name, err);
	snprintf(path, sizeof(path), "%s/%s", s->dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? cr_error_sys(err, errno, "%s", path) : fd;
}

int source_streamed(struct source *s, struct cr_error *err)
{
	return s->files ? 0 : serve_streamed(&s->serve, err);
}

const char *source_images(const struct source *s)
{
	return s->files ? s->images : NULL;
}

int source_criu(struct source *s, pid_t pid, struct cr_error *err)
{
	return s->files ? 0 : serve_criu(&s->serve, pid, err);
}

int source_peer(const struct source *s)
{
	return s->files ? -1 : s->serve.proc.fd;
}

int source_served(struct source *s, struct cr_error *err)
{
	return s->files ? 0 : serve_served(&s->serve, err);
}

int source_nameless(struct source *s, int (*add)(void *arg, int fd, const char *name, struct cr_error *err),
		    void *arg, struct cr_error *err)
{
	uint32_t ids[GHOSTS_NAMELESS_MAX];
	int fds[GHOSTS_NAMELESS_MAX], n = s->files ? 0 : serve_nameless(&s->serve, fds, ids, err),
				      rc = n < 0 ? -1 : 0;

	for (int i = 0; i < n; i++) {
		/* a path, to criu_restore_start() */
		snprintf(s->nameless[i], sizeof(s->nameless[i]), "/" GHOSTS_NAMELESS "%u", ids[i]);
		if (rc < 0)
			close(fds[i]);
		else
			rc = add(arg, fds[i], s->nameless[i], err);
	}
	return rc;
}

int source_failed(struct source *s, struct cr_error *err)
{
	return s->files ? 0 : serve_failure(&s->serve, 0, err);
}

void source_blame(struct source *s, struct cr_error *err)
{
	if (!s->files)
		(void)serve_failure(&s->serve, IMGPROC_WORDS_MS, err);
}

void source_close(struct source *s)
{
	serve_end(&s->serve);
}
