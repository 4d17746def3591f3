/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "opened.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "tree.h"

/* What is at path, if it is this user's; -1 otherwise. */
static int own_open(const char *path, struct stat *st)
{
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (fstat(fd, st) == 0 && st->st_uid == geteuid() && !S_ISLNK(st->st_mode))
		return fd;
	close(fd);
	return -1;
}

static int list_add(struct opened *o, const char *path, mode_t mode, struct cr_error *err)
{
	if ((o->n & (o->n - 1)) == 0) {
		struct opened_one *more = reallocarray(o->list, o->n ? 2 * o->n : 1, sizeof(*more));

		if (!more)
			return cr_error_sys(err, ENOMEM, "%s", path);
		o->list = more;
	}
	o->list[o->n] = (struct opened_one){.path = strdup(path), .mode = mode};
	if (!o->list[o->n].path)
		return cr_error_sys(err, ENOMEM, "%s", path);
	o->n++;
	return 0;
}

int opened_add(struct opened *o, const char *path, mode_t bits, struct cr_error *err)
{
	struct stat st;
	cleanup_close int fd = own_open(path, &st);

	if (fd < 0 || (st.st_mode & bits) == bits)
		return 0;
	if (list_add(o, path, st.st_mode & 07777, err) < 0)
		return -1;
	if (cr_tree_mode_set(fd, st.st_mode | bits) == 0)
		return 1;
	free(o->list[--o->n].path);
	return cr_error_sys(err, errno, "the mode of %s", path);
}

void opened_close(struct opened *o)
{
	for (size_t i = o->n; i-- > 0;) {
		struct stat st;
		cleanup_close int fd = own_open(o->list[i].path, &st);

		if (fd >= 0)
			(void)cr_tree_mode_set(fd, o->list[i].mode);
		free(o->list[i].path);
	}
	free(o->list);
	*o = (struct opened){0};
}
