/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "inputs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "criuedit.h"
#include "proto/files.pb-c.h"

#define IMAGE "files.img"
#define PIECE (64u << 10)

struct reading {
	int fd;
	char *piece;
	struct inputs *inputs;
	const struct job *job;
	const struct cr_manifest *m;
};

static int next(void *arg, const void **data, size_t *size, struct cr_error *err)
{
	const struct reading *r = arg;
	ssize_t n;

	do
		n = read(r->fd, r->piece, PIECE);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return cr_error_sys(err, errno, "%s", IMAGE);
	*data = r->piece;
	*size = (size_t)n;
	return n > 0;
}

/* ---- which ---- */

static bool is_output(const struct cr_manifest *m, const char *path)
{
	for (size_t i = 0; i < m->n_outputs; i++)
		if (strcmp(m->outputs[i].path, path) == 0)
			return true;
	return false;
}

/* What criu needs to open it. A mapping has no flags here, nor has a program, nor a working directory. */
static int access_needed(const struct reading *r, const Criu__RegFileEntry *reg)
{
	static const int by_mode[] = {
		[O_RDONLY] = R_OK, [O_WRONLY] = W_OK, [O_RDWR] = R_OK | W_OK, [O_ACCMODE] = 0};

	if (reg->flags & O_PATH)
		return 0;
	/* criu opens it both ways, so as not to wait */
	if (S_ISFIFO(reg->mode))
		return R_OK | W_OK;
	if (reg->flags != 0)
		return by_mode[reg->flags & O_ACCMODE];
	if (S_ISDIR(reg->mode))
		return X_OK;
	return R_OK | (reg->mode & 0111 ? X_OK : 0) | (is_output(r->m, reg->name) ? W_OK : 0);
}

static int list_add(struct inputs *inputs, const char *path, int access, struct cr_error *err)
{
	if (inputs->n == inputs->room) {
		size_t room = inputs->room ? 2 * inputs->room : 64;
		struct input *more = reallocarray(inputs->list, room, sizeof(*more));

		if (!more)
			return cr_error_sys(err, ENOMEM, "the job's files");
		inputs->list = more;
		inputs->room = room;
	}
	inputs->list[inputs->n] = (struct input){.path = strdup(path), .access = access};
	if (!inputs->list[inputs->n].path)
		return cr_error_sys(err, ENOMEM, "the job's files");
	inputs->n++;
	return 0;
}

/* The directories that lead to it. */
static int way_open(struct inputs *inputs, const char *path, struct cr_error *err)
{
	cleanup_free char *way = NULL;

	if (faccessat(AT_FDCWD, path, F_OK, AT_EACCESS) == 0 || errno != EACCES)
		return 0;
	way = strdup(path);
	if (!way)
		return cr_error_sys(err, ENOMEM, "the job's files");
	for (char *slash = strchr(way + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (opened_add(&inputs->opened, way, S_IXUSR, err) < 0)
			return -1;
		*slash = '/';
	}
	return 0;
}

/* Somebody else's work, of which the job has a part behind it. */
static void size_remark(const struct job *job, const Criu__RegFileEntry *reg)
{
	struct stat st;

	if (!reg->has_size || reg->flags == 0 || (reg->flags & O_ACCMODE) != O_RDONLY ||
	    stat(reg->name, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size == reg->size)
		return;
	job_log(job, (uint64_t)st.st_size < reg->size ? 0 : 1,
		"%s, which the job reads, had %llu bytes at the checkpoint and has %llu: the job goes on with "
		"what is "
		"there",
		reg->name, (unsigned long long)reg->size, (unsigned long long)st.st_size);
}

static int entry_look(ProtobufCMessage *message, struct cr_criuedit_entry *at, struct cr_error *err)
{
	const Criu__RegFileEntry *reg = ((Criu__FileEntry *)message)->reg;
	const struct reading *r = at->arg;

	if (!reg || !reg->name || reg->name[0] != '/' || reg->ext || strncmp(reg->name, "/proc/", 6) == 0 ||
	    strncmp(reg->name, "/sys/", 5) == 0)
		return CR_CRIUEDIT_KEEP;
	if (way_open(r->inputs, reg->name, err) < 0)
		return -1;
	size_remark(r->job, reg);
	return list_add(r->inputs, reg->name, access_needed(r, reg), err) < 0 ? -1 : CR_CRIUEDIT_KEEP;
}

int inputs_read(struct inputs *inputs, const struct job *job, const struct cr_manifest *m, struct source *source,
		struct cr_error *err)
{
	static const struct cr_criuedit table[] = {
		{.pattern = IMAGE, .type = &criu__file_entry__descriptor, .entry = entry_look},
		{0},
	};
	cleanup_free char *piece = malloc(PIECE);
	cleanup_close int in = -1;
	struct reading r = {.piece = piece, .inputs = inputs, .job = job, .m = m};

	*inputs = (struct inputs){0};
	if (!piece)
		return cr_error_sys(err, ENOMEM, "the job's files");
	/* its images are criu's alone */
	if (m->format == 1)
		return 0;
	r.fd = in = source_stream(source, "images/" IMAGE, err);
	if (in < 0 || cr_criuedit_read(IMAGE, table, &r, next, &r, err) < 0)
		return -1;
	return source_streamed(source, err);
}

/* ---- for a while ---- */

int inputs_open(struct inputs *inputs, struct cr_error *err)
{
	for (size_t i = 0; i < inputs->n; i++) {
		const struct input *in = &inputs->list[i];
		const mode_t bits = (in->access & R_OK ? S_IRUSR : 0U) | (in->access & W_OK ? S_IWUSR : 0U) |
				    (in->access & X_OK ? S_IXUSR : 0U);

		if (faccessat(AT_FDCWD, in->path, in->access, AT_EACCESS) < 0 && errno == EACCES &&
		    opened_add(&inputs->opened, in->path, bits, err) < 0)
			return -1;
	}
	return 0;
}

void inputs_close(struct inputs *inputs)
{
	opened_close(&inputs->opened);
	for (size_t i = 0; i < inputs->n; i++)
		free(inputs->list[i].path);
	free(inputs->list);
	*inputs = (struct inputs){0};
}
