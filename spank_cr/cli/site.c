/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* site.c - whose checkpoints the site's directory has */

#include "site.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "config.h"

struct users {
	uid_t *items;
	size_t n;
};

static int users_add(struct users *users, uid_t uid, struct cr_error *err)
{
	uid_t *more;

	for (size_t i = 0; i < users->n; i++)
		if (users->items[i] == uid)
			return 0;
	more = reallocarray(users->items, users->n + 1, sizeof(*more));
	if (!more)
		return cr_error_sys(err, ENOMEM, "users");
	users->items = more;
	more[users->n++] = uid;
	return 0;
}

/* The part of template before the first component that depends on the user, into parent; that component into
 * component: empty when there is none. */
static int split(const char *template, char parent[PATH_MAX], char component[PATH_MAX], struct cr_error *err)
{
	char fixed[PATH_MAX];
	const char *p = template, *start;
	size_t length;

	for (; *p && !(p[0] == '%' && p[1] != '%'); p += p[0] == '%' ? 2 : 1)
		;
	for (start = p; *p && start > template && start[-1] != '/'; start--)
		;
	length = (size_t)(start - template);
	if (length >= sizeof(fixed) || strlen(start) >= PATH_MAX)
		return cr_error_sys(err, ENAMETOOLONG, "%.64s...", template);
	memcpy(fixed, template, length);
	fixed[length] = '\0';
	snprintf(component, PATH_MAX, "%.*s", (int)strcspn(start, "/"), start);
	return cr_config_expand(fixed, 0, "root", parent, PATH_MAX, err);
}

static bool is_name_of(const struct passwd *user, const char *component, const char *name)
{
	char expanded[PATH_MAX];

	return user &&
	       cr_config_expand(component, user->pw_uid, user->pw_name, expanded, sizeof(expanded), NULL) == 0 &&
	       strcmp(expanded, name) == 0;
}

/* The user that component becomes name for: the owner, or, where the admin owns the directories, the one that
 * stands in the place of a %u or %U. */
static const struct passwd *user_of(const char *component, const char *name, uid_t owner)
{
	const char *percent = strchr(component, '%');
	size_t before = (size_t)(percent - component), after = strlen(percent + 2), length = strlen(name);
	const struct passwd *user = getpwuid(owner);
	char text[NAME_MAX + 1];

	if (is_name_of(user, component, name))
		return user;
	if (length <= before + after || length > NAME_MAX)
		return NULL;
	snprintf(text, sizeof(text), "%.*s", (int)(length - before - after), name + before);
	user = percent[1] == 'u' ? getpwnam(text) : getpwuid((uid_t)strtoul(text, NULL, 10));
	return is_name_of(user, component, name) ? user : NULL;
}

int site_users(const char *template, uid_t **uids, size_t *n, struct cr_error *err)
{
	cleanup_closedir DIR *stream = NULL;
	char parent[PATH_MAX], component[PATH_MAX];
	struct users users = {0};
	struct dirent *entry;
	int rc = 0;

	*uids = NULL;
	*n = 0;
	if (split(template, parent, component, err) < 0)
		return -1;
	stream = opendir(parent);
	if (!stream)
		return errno == ENOENT ? 0 : cr_error_sys(err, errno, "cannot list %s", parent);
	while (rc == 0 && (errno = 0, entry = readdir(stream))) {
		const struct passwd *user;
		struct stat st;

		if (entry->d_name[0] == '.' || fstatat(dirfd(stream), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		/* without users in the template they share the directory: each job's is its owner's */
		user = component[0] ? user_of(component, entry->d_name, st.st_uid) : getpwuid(st.st_uid);
		if (user && user->pw_uid != 0)
			rc = users_add(&users, user->pw_uid, err);
	}
	if (rc == 0 && errno)
		rc = cr_error_sys(err, errno, "cannot list %s", parent);
	if (rc < 0) {
		free(users.items);
		return -1;
	}
	*uids = users.items;
	*n = users.n;
	return 0;
}
