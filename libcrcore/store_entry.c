/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* store_entry.c - the names in a part's directory */

#include "store_entry.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"

static const struct {
	enum cr_store_entry kind;
	const char *before, *after;
} shapes[] = {
	{ENTRY_COMMITTED, "", ""}, {ENTRY_BAD, "", ".bad"},	    {ENTRY_TMP, ".", ".tmp"},
	{ENTRY_DEL, ".", ".del"},  {ENTRY_PACK, "packs/", ".pack"},
};
#define N_SHAPES (sizeof(shapes) / sizeof(shapes[0]))

void cr_store_entry_path(const struct cr_store *s, enum cr_store_entry kind, uint32_t generation, char *buf)
{
	int length = 0;

	for (size_t i = 0; i < N_SHAPES; i++)
		if (shapes[i].kind == kind)
			length = snprintf(buf, PATH_MAX, "%s/%s%06" PRIu32 "%s", s->dir, shapes[i].before,
					  generation, shapes[i].after);
	/* cr_store_open has seen to it that all of them fit */
	if (length <= 0 || length >= PATH_MAX)
		buf[0] = '\0';
}

/* Only names exactly as this file writes them count: "7", "+00007" or "000007~" are somebody else's. */
static enum cr_store_entry entry_parse(const char *name, uint32_t *generation)
{
	const char *digits = name + strcspn(name, "0123456789");
	char text[64], *end;
	unsigned long long number;

	if (!isdigit((unsigned char)*digits))
		return ENTRY_OTHER;
	errno = 0;
	number = strtoull(digits, &end, 10);
	if (errno || number < 1 || number > UINT32_MAX)
		return ENTRY_OTHER;
	for (size_t i = 0; i < N_SHAPES; i++) {
		(void)snprintf(text, sizeof(text), "%s%06llu%s", shapes[i].before, number, shapes[i].after);
		if (strcmp(text, name) == 0) {
			*generation = (uint32_t)number;
			return shapes[i].kind;
		}
	}
	return ENTRY_OTHER;
}

/* A listing of dir, never of what a link in its place leads to. */
static DIR *open_list(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *stream;

	if (fd < 0)
		return NULL;
	stream = fdopendir(fd);
	if (!stream)
		close(fd);
	return stream;
}

/* prefix: of the shapes whose files, of type, are looked for. */
static int scan(const char *dir, const char *prefix, mode_t type, cr_store_each each, void *arg,
		struct cr_error *err)
{
	cleanup_closedir DIR *stream = open_list(dir);
	struct dirent *entry;
	struct stat st;

	if (!stream)
		return cr_error_sys(err, errno, "cannot list %s", dir);
	while ((errno = 0, entry = readdir(stream))) {
		char name[NAME_MAX + 16];
		uint32_t generation = 0;
		enum cr_store_entry kind;

		(void)snprintf(name, sizeof(name), "%s%s", prefix, entry->d_name);
		kind = entry_parse(name, &generation);
		if (kind == ENTRY_OTHER)
			continue;
		if (fstatat(dirfd(stream), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
			/* it may go while we look: a prune, a commit; but what cannot be looked at is there */
			if (errno != ENOENT)
				return cr_error_sys(err, errno, "%s/%s", dir, entry->d_name);
			continue;
		}
		if ((st.st_mode & S_IFMT) != type)
			continue;
		if (each(kind, generation, arg, err) < 0)
			return -1;
	}
	return errno ? cr_error_sys(err, errno, "cannot list %s", dir) : 0;
}

int cr_store_scan(const struct cr_store *s, cr_store_each each, void *arg, struct cr_error *err)
{
	return scan(s->dir, "", S_IFDIR, each, arg, err);
}

int cr_store_scan_packs(const struct cr_store *s, cr_store_each each, void *arg, struct cr_error *err)
{
	char dir[PATH_MAX + 8];
	struct stat st;

	(void)snprintf(dir, sizeof(dir), "%s/packs", s->dir);
	if (lstat(dir, &st) < 0 && errno == ENOENT)
		return 0;
	return scan(dir, "packs/", S_IFREG, each, arg, err);
}

int cr_store_numbers_add(struct cr_store_numbers *numbers, uint32_t number, struct cr_error *err)
{
	if (numbers->n == numbers->room) {
		size_t room = numbers->room ? 2 * numbers->room : 16;
		uint32_t *items = reallocarray(numbers->items, room, sizeof(*items));

		if (!items)
			return cr_error_sys(err, ENOMEM, "list of checkpoints");
		numbers->items = items;
		numbers->room = room;
	}
	numbers->items[numbers->n++] = number;
	return 0;
}

bool cr_store_numbers_have(const struct cr_store_numbers *numbers, uint32_t number)
{
	for (size_t i = 0; i < numbers->n; i++)
		if (numbers->items[i] == number)
			return true;
	return false;
}
