/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "shim_fifos.h"

#include <stdio.h>
#include <string.h>

#include "ghosts.h"

/* criu's, where a removed file's name is taken */
#define TAKEN ".cr_link"

/* What follows the place of a removed file and its number; or path. */
static const char *origin(const char *path)
{
	static const char *const places[] = {"/tmp/" GHOSTS "/", "/dev/shm/" GHOSTS "/"};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		const char *p = path + strlen(places[i]);

		if (strncmp(path, places[i], strlen(places[i])) != 0)
			continue;
		p += strspn(p, "0123456789");
		if (p[0] == '/' && p[1])
			return p;
	}
	return path;
}

void shim_fifo_name(const char *path, char *name)
{
	size_t n = 0;

	for (path = origin(path); *path && n + 2 < SHIM_FIFO_NAME; path++) {
		name[n++] = SHIM_FIFO_HEX[(unsigned char)*path >> 4];
		name[n++] = SHIM_FIFO_HEX[(unsigned char)*path & 15];
	}
	name[n] = '\0';
}

static bool line_there(const char *text, const char *line)
{
	const size_t n = strlen(line);

	for (const char *at = strstr(text, line); at; at = strstr(at + 1, line)) {
		if ((at == text || at[-1] == '\n') && at[n] == '\n')
			return true;
	}
	return false;
}

bool shim_fifo_listed(const char *text, const char *path)
{
	char whole[PATH_MAX], name[SHIM_FIFO_NAME];
	const size_t n = (size_t)snprintf(whole, sizeof(whole), "/%s", path);

	if (n >= sizeof(whole))
		return false;
	shim_fifo_name(whole, name);
	if (line_there(text, name))
		return true;
	if (n <= strlen(TAKEN) || strcmp(whole + n - strlen(TAKEN), TAKEN) != 0)
		return false;
	whole[n - strlen(TAKEN)] = '\0';
	shim_fifo_name(whole, name);
	return line_there(text, name);
}
