/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* manifest_verify.c - the files of a generation against their sizes and hashes */

#include "manifest.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "manifest_field.h"

static int hash_below(struct cr_manifest *m, const char *dir, const char *prefix, size_t named,
		      struct cr_error *err);

/* One directory entry: rel is its path in the generation. */
static int hash_entry(struct cr_manifest *m, const char *dir, char *rel, size_t named, struct cr_error *err)
{
	cleanup_free char *path = NULL;
	char hash[CR_HASH_HEX];
	struct stat st;
	uint64_t size;

	/* the pack does not stay here */
	if (strcmp(rel, "manifest.json") == 0 || strcmp(rel, "manifest.seal") == 0 || strcmp(rel, "pack") == 0)
		return 0;
	if (asprintf(&path, "%s/%s", dir, rel) < 0) {
		path = NULL;
		return cr_error_sys(err, ENOMEM, "manifest");
	}
	if (lstat(path, &st) < 0)
		return cr_error_sys(err, errno, "%s", path);
	if (S_ISDIR(st.st_mode))
		return hash_below(m, dir, rel, named, err);
	/* what is left of a socket or a link means nothing to a restore */
	if (!S_ISREG(st.st_mode) || cr_manifest_files_have(m->files, named, rel))
		return 0;
	if (cr_hash_file(path, hash, &size, err) < 0)
		return -1;
	return cr_manifest_add_file(m, rel, size, hash, err);
}

static int hash_below(struct cr_manifest *m, const char *dir, const char *prefix, size_t named,
		      struct cr_error *err)
{
	cleanup_closedir DIR *stream = NULL;
	cleanup_free char *path = NULL;
	struct dirent *entry;

	if (asprintf(&path, "%s/%s", dir, prefix) < 0) {
		path = NULL;
		return cr_error_sys(err, ENOMEM, "manifest");
	}
	stream = opendir(path);
	if (!stream)
		return cr_error_sys(err, errno, "cannot list %s", path);
	while ((errno = 0, entry = readdir(stream))) {
		cleanup_free char *rel = NULL;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (asprintf(&rel, "%s%s%s", prefix, *prefix ? "/" : "", entry->d_name) < 0) {
			rel = NULL;
			return cr_error_sys(err, ENOMEM, "manifest");
		}
		if (hash_entry(m, dir, rel, named, err) < 0)
			return -1;
	}
	return errno ? cr_error_sys(err, errno, "cannot list %s", path) : 0;
}

int cr_manifest_hash_dir(struct cr_manifest *m, const char *dir, struct cr_error *err)
{
	cr_manifest_files_sort(m->files, m->n_files);
	/* new ones are appended, so those named before stay sorted */
	if (hash_below(m, dir, "", m->n_files, err) < 0)
		return -1;
	cr_manifest_files_sort(m->files, m->n_files);
	return 0;
}

static int verify_file(const struct cr_manifest_file *file, const char *dir, struct cr_error *err)
{
	cleanup_free char *path = NULL;
	char hash[CR_HASH_HEX];
	struct stat st;
	uint64_t size;

	if (asprintf(&path, "%s/%s", dir, file->path) < 0) {
		path = NULL;
		return cr_error_sys(err, ENOMEM, "manifest");
	}
	if (lstat(path, &st) < 0)
		return cr_error_sys(err, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return cr_error_set(err, EBADMSG, "%s is not a regular file", path);
	/* the cheap test first */
	size = (uint64_t)st.st_size;
	if (size == file->size && cr_hash_file(path, hash, &size, err) < 0)
		return -1;
	if (size != file->size)
		return cr_error_set(err, EBADMSG, "%s has %" PRIu64 " bytes, its manifest says %" PRIu64, path,
				    size, file->size);
	if (strcmp(hash, file->hash) != 0)
		return cr_error_set(err, EBADMSG, "%s is damaged: its hash is not the one in its manifest", path);
	return 0;
}

int cr_manifest_verify(const struct cr_manifest *m, const char *dir, struct cr_error *err)
{
	for (size_t i = 0; i < m->n_files; i++)
		if (verify_file(&m->files[i], dir, err) < 0)
			return -1;
	return 0;
}
