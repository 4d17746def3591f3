/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "crash.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "../../libcrcore/cleanup.h"

struct node;

struct names {
	struct name {
		char text[64];
		struct node *node;
	} *items;
	size_t n;
};

/* A change of a directory that is not durable. */
struct change {
	uint64_t serial;
	char from[64], to[64]; /* "": comes from nowhere, goes nowhere */
	struct node *node;
};

struct node {
	struct node *next; /* of all, to be freed */
	bool dir;
	unsigned char *data;
	size_t size, synced;
	size_t lost, lost_end; /* what a failed sync should have written, and no later one will */
	struct names now, durable;
	struct change *changes;
	size_t n_changes;
};

struct crash {
	struct node *root, *all;
	uint64_t serial;
	uint64_t *serials; /* of the changes of all directories, in order; room for crash_changes */
};

static void *grow(void *p, size_t n, size_t size)
{
	p = reallocarray(p, n, size);
	if (!p)
		abort();
	return p;
}

static struct node *node_new(struct crash *crash, bool dir)
{
	struct node *node = calloc(1, sizeof(*node));

	if (!node)
		abort();
	node->dir = dir;
	node->next = crash->all;
	crash->all = node;
	return node;
}

/* ---- names ---- */

static struct node *names_get(const struct names *names, const char *text)
{
	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->items[i].text, text) == 0)
			return names->items[i].node;
	return NULL;
}

static void names_remove(struct names *names, const char *text)
{
	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->items[i].text, text) == 0)
			names->items[i] = names->items[--names->n];
}

static void names_put(struct names *names, const char *text, struct node *node)
{
	struct name *name;

	names_remove(names, text);
	names->items = grow(names->items, names->n + 1, sizeof(*names->items));
	name = &names->items[names->n++];
	(void)snprintf(name->text, sizeof(name->text), "%s", text);
	name->node = node;
}

static void names_copy(struct names *to, const struct names *from)
{
	to->n = from->n;
	to->items = grow(to->items, from->n + 1, sizeof(*to->items));
	if (from->n > 0)
		memcpy(to->items, from->items, from->n * sizeof(*to->items));
}

static void names_apply(struct names *names, const struct change *c)
{
	/* what never got its first name cannot have got another */
	if (c->from[0] && c->to[0] && names_get(names, c->from) != c->node)
		return;
	if (c->from[0] && names_get(names, c->from) == c->node)
		names_remove(names, c->from);
	if (c->to[0])
		names_put(names, c->to, c->node);
}

static void change(struct crash *crash, struct node *dir, const char *from, const char *to, struct node *node)
{
	struct change *c;

	dir->changes = grow(dir->changes, dir->n_changes + 1, sizeof(*dir->changes));
	c = &dir->changes[dir->n_changes++];
	*c = (struct change){.serial = ++crash->serial, .node = node};
	(void)snprintf(c->from, sizeof(c->from), "%s", from);
	(void)snprintf(c->to, sizeof(c->to), "%s", to);
	names_apply(&dir->now, c);
}

/* The directory that path is in, and its last component. */
static struct node *lookup(struct crash *crash, const char *path, const char **base)
{
	struct node *dir = crash->root;
	char text[64];
	size_t n;

	while (dir && path[n = strcspn(path, "/")]) {
		(void)snprintf(text, sizeof(text), "%.*s", (int)n, path);
		dir = names_get(&dir->now, text);
		path += n + 1;
	}
	*base = path;
	return dir;
}

static struct node *find(struct crash *crash, const char *path)
{
	const char *base;
	struct node *dir = lookup(crash, path, &base);

	return !*path ? crash->root : dir ? names_get(&dir->now, base) : NULL;
}

/* ---- in ---- */

static void import_file(struct node *node, const char *path)
{
	struct stat st;
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		abort();
	node->data = malloc((size_t)st.st_size + 1);
	node->size = node->synced = (size_t)st.st_size;
	if (!node->data || read(fd, node->data, node->size) != (ssize_t)node->size)
		abort();
}

static void import_dir(struct crash *crash, struct node *node, const char *path)
{
	cleanup_closedir DIR *dir = opendir(path);
	struct dirent *entry;

	if (!dir)
		abort();
	while ((entry = readdir(dir))) {
		char below[2 * PATH_MAX];
		struct node *child;
		struct stat st;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		(void)snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
		if (lstat(below, &st) < 0)
			abort();
		child = node_new(crash, S_ISDIR(st.st_mode));
		names_put(&node->now, entry->d_name, child);
		if (child->dir)
			import_dir(crash, child, below);
		else
			import_file(child, below);
	}
	names_copy(&node->durable, &node->now);
}

struct crash *crash_import(const char *dir)
{
	struct crash *crash = calloc(1, sizeof(*crash));

	if (!crash)
		abort();
	crash->root = node_new(crash, true);
	import_dir(crash, crash->root, dir);
	return crash;
}

void crash_free(struct crash *crash)
{
	while (crash->all) {
		struct node *node = crash->all;

		crash->all = node->next;
		free(node->data);
		free(node->now.items);
		free(node->durable.items);
		free(node->changes);
		free(node);
	}
	free(crash->serials);
	free(crash);
}

/* ---- on ---- */

static void step_sync(struct node *node, bool failed)
{
	if (failed && node->dir)
		return;
	if (failed && node->size > node->synced) {
		node->lost = node->lost_end > node->lost ? node->lost : node->synced;
		node->lost_end = node->size;
	}
	node->synced = node->size;
	if (node->dir)
		names_copy(&node->durable, &node->now);
	node->n_changes = 0;
}

static void step_write(struct node *node, const void *data, size_t size)
{
	size_t page = node->size & ~(size_t)4095;

	/* a page that is written to again is written whole */
	if (node->lost_end > page)
		node->lost_end = page;
	node->data = grow(node->data, node->size + size, 1);
	memcpy(node->data + node->size, data, size);
	node->size += size;
}

static void step_rename(struct crash *crash, struct node *from, const char *name, const char *path)
{
	struct node *node = names_get(&from->now, name);
	const char *base;
	struct node *to = lookup(crash, path, &base);

	if (!node || !to)
		return;
	if (to == from) {
		change(crash, from, name, base, node);
		return;
	}
	change(crash, to, "", base, node);
	change(crash, from, name, "", node);
}

void crash_step(struct crash *crash, const struct fault_log *step)
{
	const char *base;
	struct node *dir = lookup(crash, step->path, &base);
	struct node *node = find(crash, step->path);

	if (step->op == FAULT_MARK || !dir)
		return;
	switch (step->op) {
	case FAULT_CREATE:
	case FAULT_MKDIR:
		change(crash, dir, "", base, node_new(crash, step->op == FAULT_MKDIR));
		break;
	case FAULT_RENAME:
		step_rename(crash, dir, base, step->to);
		break;
	case FAULT_UNLINK:
		if (node)
			change(crash, dir, base, "", node);
		break;
	case FAULT_WRITE: /* always at the end */
		if (node && step->size > 0)
			step_write(node, step->data, step->size);
		break;
	case FAULT_TRUNCATE:
		if (node)
			node->size = node->synced = node->lost = node->lost_end = 0;
		break;
	case FAULT_SYNC:
		if (node)
			step_sync(node, step->failed);
		break;
	default:
		break;
	}
}

/* ---- out ---- */

static int serial_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

size_t crash_changes(const struct crash *crash)
{
	size_t n = 0;

	for (const struct node *node = crash->all; node; node = node->next)
		n += node->n_changes;
	return n;
}

/* Sort out which serials the bounds of names mean. */
static void serials_find(struct crash *crash)
{
	size_t n = 0;

	crash->serials = grow(crash->serials, crash_changes(crash) + 1, sizeof(*crash->serials));
	for (const struct node *node = crash->all; node; node = node->next)
		for (size_t i = 0; i < node->n_changes; i++)
			crash->serials[n++] = node->changes[i].serial;
	qsort(crash->serials, n, sizeof(*crash->serials), serial_compare);
	crash->serials[n] = UINT64_MAX;
}

static int name_compare(const void *a, const void *b)
{
	return strcmp(((const struct name *)a)->text, ((const struct name *)b)->text);
}

static struct names names_left(const struct crash *crash, const struct node *dir, struct crash_names names)
{
	struct names left = {0};

	names_copy(&left, &dir->durable);
	for (size_t i = 0; i < dir->n_changes; i++) {
		uint64_t serial = dir->changes[i].serial;

		if (serial < crash->serials[names.from] || serial >= crash->serials[names.until])
			names_apply(&left, &dir->changes[i]);
	}
	if (left.n > 0)
		qsort(left.items, left.n, sizeof(*left.items), name_compare);
	return left;
}

/* malloc'ed */
static unsigned char *data_left(const struct node *node, enum crash_data data, size_t *size)
{
	size_t lost = node->size - node->synced;
	unsigned char *bytes = calloc(1, node->size + 1);

	if (!bytes)
		abort();
	if (node->size > 0)
		memcpy(bytes, node->data, node->size);
	if (node->lost < node->lost_end)
		memset(bytes + node->lost, 0, node->lost_end - node->lost);
	*size = node->size;
	if (data == CRASH_LOST)
		*size -= lost;
	else if (data == CRASH_HALF)
		*size -= lost - lost / 2;
	else if (data == CRASH_ZERO && lost > 0)
		memset(bytes + node->synced, 0, lost);
	else if (data == CRASH_HOLE && lost > 0)
		memset(bytes + node->synced, 0, lost / 2);
	return bytes;
}

static void out_file(const struct node *node, enum crash_data data, const char *path, XXH3_state_t *hash)
{
	size_t size;
	cleanup_free unsigned char *bytes = data_left(node, data, &size);
	cleanup_close int fd = -1;

	if (hash) {
		XXH3_64bits_update(hash, &size, sizeof(size));
		XXH3_64bits_update(hash, bytes, size);
		return;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
		abort();
}

static void out_dir(struct crash *crash, const struct node *dir, enum crash_data data, struct crash_names names,
		    const char *path, XXH3_state_t *hash)
{
	struct names left = names_left(crash, dir, names);

	if (!hash && mkdir(path, 0700) < 0)
		abort();
	for (size_t i = 0; i < left.n; i++) {
		char below[2 * PATH_MAX];

		(void)snprintf(below, sizeof(below), "%s/%s", path, left.items[i].text);
		if (hash)
			XXH3_64bits_update(hash, below, strlen(below) + 1);
		if (left.items[i].node->dir)
			out_dir(crash, left.items[i].node, data, names, below, hash);
		else
			out_file(left.items[i].node, data, below, hash);
	}
	free(left.items);
}

uint64_t crash_hash(struct crash *crash, enum crash_data data, struct crash_names names)
{
	XXH3_state_t *hash = XXH3_createState();
	uint64_t value;

	if (!hash || XXH3_64bits_reset(hash) == XXH_ERROR)
		abort();
	serials_find(crash);
	out_dir(crash, crash->root, data, names, "", hash);
	value = XXH3_64bits_digest(hash);
	XXH3_freeState(hash);
	return value;
}

void crash_make(struct crash *crash, enum crash_data data, struct crash_names names, const char *dir)
{
	faults_remove(dir);
	serials_find(crash);
	out_dir(crash, crash->root, data, names, dir, NULL);
}
