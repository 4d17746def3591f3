/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* manifest.c - what a manifest holds, and what it must say */

#include "manifest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "manifest_field.h"

#define PART_MAX     64
#define REASON_MAX   32
#define BUILD_ID_MAX 128 /* hex digits */

const struct cr_manifest_field cr_manifest_fields[] = {
#define AT(member) offsetof(struct cr_manifest, member)
	{"format", FIELD_FORMAT, 0, AT(format), 1},
	{"job", FIELD_U32, 1, AT(job), 1},
	{"part", FIELD_TEXT, 1, AT(part), 1},
	{"node", FIELD_TEXT, 1, AT(node), 1},
	{"user", FIELD_TEXT, 1, AT(user), 1},
	{"uid", FIELD_U32, 0, AT(uid), 1},
	{"restart", FIELD_U32, 0, AT(restart), 1},
	{"run", FIELD_U32, 1, AT(run), 1},
	{"generation", FIELD_U32, 1, AT(generation), 1},
	{"state", FIELD_STATE, 0, 0, 1},
	{"reason", FIELD_TEXT, 1, AT(reason), 1},
	{"time", FIELD_TEXT, 1, AT(time), 1},
	{"kernel", FIELD_TEXT, 0, AT(kernel), 1},
	{"cpu_model", FIELD_TEXT, 0, AT(cpu_model), 1},
	{"cpu_flags", FIELD_TEXT, 0, AT(cpu_flags), 1},
	{"xsave_bytes", FIELD_U32, 0, AT(xsave_bytes), 3},
	{"glibc", FIELD_TEXT, 0, AT(glibc), 3},
	{"net", FIELD_TEXT, 1, AT(net), 3},
	{"groups", FIELD_TEXT, 0, AT(groups), 3},
	{"criu", FIELD_TEXT, 0, AT(criu), 1},
	{"command", FIELD_TEXT, 0, AT(command), 1},
	{"script", FIELD_PATH, 0, AT(script), 1},
	{"script_pos", FIELD_U64, 0, AT(script_pos), 1},
	{"monotonic_ns", FIELD_I64, 0, AT(monotonic_ns), 1},
	{"boottime_ns", FIELD_I64, 0, AT(boottime_ns), 1},
	{"root_pid", FIELD_U32, 1, AT(root_pid), 1},
	{"last_pid", FIELD_U32, 0, AT(last_pid), 1},
	{"tasks", FIELD_U32, 1, AT(tasks), 1},
	{"freeze_ms", FIELD_I64, 0, AT(freeze_ms), 1},
	{"drain_ms", FIELD_I64, 0, AT(drain_ms), 1},
	{"image_bytes", FIELD_U64, 0, AT(image_bytes), 1},
	{"stored_bytes", FIELD_U64, 0, AT(stored_bytes), 1},
	{"ran_ms", FIELD_I64, 0, AT(ran_ms), 3},
#undef AT
};
const size_t cr_manifest_n_fields = sizeof(cr_manifest_fields) / sizeof(cr_manifest_fields[0]);

bool cr_manifest_part_ok(const char *part)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t length = part ? strlen(part) : 0;

	return length > 0 && length <= PART_MAX && part[0] != '.' && strspn(part, letters) == length;
}

void cr_manifest_clear(struct cr_manifest *m)
{
	for (size_t i = 0; i < cr_manifest_n_fields; i++) {
		const struct cr_manifest_field *f = &cr_manifest_fields[i];

		if (f->kind == FIELD_TEXT || f->kind == FIELD_PATH)
			free(*(char **)((char *)m + f->offset));
	}
	for (size_t i = 0; i < m->n_files; i++)
		free(m->files[i].path);
	for (size_t i = 0; i < m->n_outputs; i++) {
		free(m->outputs[i].path);
		free(m->outputs[i].saved);
	}
	for (size_t i = 0; i < m->n_binaries; i++) {
		free(m->binaries[i].path);
		free(m->binaries[i].build_id);
	}
	for (size_t i = 0; i < m->n_rollbacks; i++) {
		free(m->rollbacks[i].path);
		free(m->rollbacks[i].stream);
	}
	free(m->files);
	free(m->packs);
	free(m->outputs);
	free(m->binaries);
	free(m->rollbacks);
	*m = (struct cr_manifest){0};
}

/* Make room for one more element when n is a power of two (or 0). */
static int array_grow(void **array, size_t n, size_t element)
{
	void *p;

	if (n & (n - 1))
		return 0;
	p = reallocarray(*array, n ? 2 * n : 1, element);
	if (!p)
		return -1;
	*array = p;
	return 0;
}

static bool hash_ok(const char *hash)
{
	return strnlen(hash, CR_HASH_HEX) == CR_HASH_HEX - 1 && strspn(hash, CR_MANIFEST_HEX) == CR_HASH_HEX - 1;
}

int cr_manifest_add_file(struct cr_manifest *m, const char *path, uint64_t size, const char *hash,
			 struct cr_error *err)
{
	struct cr_manifest_file *file;

	if (!path || !hash || !hash_ok(hash))
		return cr_error_set(err, EINVAL, "file \"%s\" has no hash of 64 hex digits", path ? path : "");
	if (array_grow((void **)&m->files, m->n_files, sizeof(*m->files)) < 0)
		return cr_error_sys(err, ENOMEM, "manifest");
	file = &m->files[m->n_files];
	file->path = strdup(path);
	if (!file->path)
		return cr_error_sys(err, ENOMEM, "manifest");
	file->size = size;
	memcpy(file->hash, hash, CR_HASH_HEX);
	m->n_files++;
	return 0;
}

int cr_manifest_add_pack(struct cr_manifest *m, const struct cr_manifest_pack *pack, struct cr_error *err)
{
	if (array_grow((void **)&m->packs, m->n_packs, sizeof(*m->packs)) < 0)
		return cr_error_sys(err, ENOMEM, "manifest");
	m->packs[m->n_packs++] = *pack;
	return 0;
}

int cr_manifest_add_output(struct cr_manifest *m, const struct cr_manifest_output *output, struct cr_error *err)
{
	cleanup_free char *path = NULL;
	cleanup_free char *saved = NULL;
	struct cr_manifest_output *own;

	if (!output->path)
		return cr_error_set(err, EINVAL, "an output has no path");
	path = strdup(output->path);
	saved = output->saved ? strdup(output->saved) : NULL;
	if (!path || (output->saved && !saved))
		return cr_error_sys(err, ENOMEM, "manifest");
	if (array_grow((void **)&m->outputs, m->n_outputs, sizeof(*m->outputs)) < 0)
		return cr_error_sys(err, ENOMEM, "manifest");
	own = &m->outputs[m->n_outputs++];
	*own = *output;
	own->path = path;
	own->saved = saved;
	path = saved = NULL;
	return 0;
}

int cr_manifest_add_binary(struct cr_manifest *m, const struct cr_manifest_binary *binary, struct cr_error *err)
{
	cleanup_free char *path = strdup(binary->path);
	cleanup_free char *build_id = strdup(binary->build_id);
	struct cr_manifest_binary *own;

	if (!path || !build_id || array_grow((void **)&m->binaries, m->n_binaries, sizeof(*m->binaries)) < 0)
		return cr_error_sys(err, ENOMEM, "manifest");
	own = &m->binaries[m->n_binaries++];
	*own = *binary;
	own->path = path;
	own->build_id = build_id;
	path = build_id = NULL;
	return 0;
}

int cr_manifest_add_rollback(struct cr_manifest *m, const char *path, const char *stream, struct cr_error *err)
{
	cleanup_free char *own_path = strdup(path);
	cleanup_free char *own_stream = strdup(stream);

	if (!own_path || !own_stream ||
	    array_grow((void **)&m->rollbacks, m->n_rollbacks, sizeof(*m->rollbacks)) < 0)
		return cr_error_sys(err, ENOMEM, "manifest");
	m->rollbacks[m->n_rollbacks++] = (struct cr_manifest_rollback){.path = own_path, .stream = own_stream};
	own_path = own_stream = NULL;
	return 0;
}

static int file_compare(const void *a, const void *b)
{
	return strcmp(((const struct cr_manifest_file *)a)->path, ((const struct cr_manifest_file *)b)->path);
}

void cr_manifest_files_sort(struct cr_manifest_file *files, size_t n)
{
	if (n > 0)
		qsort(files, n, sizeof(*files), file_compare);
}

bool cr_manifest_files_have(const struct cr_manifest_file *files, size_t n, char *path)
{
	const struct cr_manifest_file key = {.path = path};

	return n > 0 && bsearch(&key, files, n, sizeof(*files), file_compare);
}

/* ---- what a manifest must say ---- */

/* A path that stays below the generation: no empty, "." or ".." component, not absolute. */
static bool relative_ok(const char *path)
{
	for (;;) {
		size_t length = strcspn(path, "/");

		if (length == 0 || (length <= 2 && strspn(path, ".") >= length))
			return false;
		if (!path[length])
			return true;
		path += length + 1;
	}
}

static bool time_ok(const char *text)
{
	static const char mask[] = "0000-00-00T00:00:00";
	struct tm tm = {0};
	const char *rest;
	size_t digits;

	for (size_t i = 0; mask[i]; i++)
		if (mask[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != mask[i])
			return false;
	rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (!rest)
		return false;
	if (*rest == '.') {
		digits = strspn(++rest, "0123456789");
		if (digits == 0)
			return false;
		rest += digits;
	}
	return strcmp(rest, "Z") == 0;
}

static bool number_ok(const struct cr_manifest_field *f, const void *value)
{
	switch (f->kind) {
	case FIELD_FORMAT:
		return *(const uint32_t *)value <= CR_MANIFEST_FORMAT;
	case FIELD_U32:
		return *(const uint32_t *)value >= f->min;
	case FIELD_U64:
		return *(const uint64_t *)value <= INT64_MAX; /* JSON integers are signed here */
	case FIELD_I64:
		return *(const int64_t *)value >= 0;
	default:
		return true;
	}
}

static int check_fields(const struct cr_manifest *m, struct cr_error *err)
{
	for (size_t i = 0; i < cr_manifest_n_fields; i++) {
		const struct cr_manifest_field *f = &cr_manifest_fields[i];
		const void *value = (const char *)m + f->offset;

		if (!cr_manifest_has(m, f))
			continue;
		if (!number_ok(f, value))
			return cr_error_set(err, ERANGE, "manifest: \"%s\" is out of range", f->key);
		if (f->kind == FIELD_TEXT && (!*(char *const *)value || (f->min && !**(char *const *)value)))
			return cr_error_set(err, EINVAL, "manifest: \"%s\" is missing or empty", f->key);
	}
	if (!cr_manifest_part_ok(m->part))
		return cr_error_set(err, EINVAL, "manifest: \"part\" is no name of a part: %s", m->part);
	if (strspn(m->reason, "abcdefghijklmnopqrstuvwxyz-") != strnlen(m->reason, REASON_MAX + 1) ||
	    strlen(m->reason) > REASON_MAX)
		return cr_error_set(err, EINVAL, "manifest: \"reason\" is no word: %s", m->reason);
	if (!time_ok(m->time))
		return cr_error_set(err, EINVAL, "manifest: \"time\" is no RFC 3339 time in UTC: %s", m->time);
	if (m->net && strcmp(m->net, "host") != 0 && strcmp(m->net, "private") != 0)
		return cr_error_set(err, EINVAL, "manifest: \"net\" is neither host nor private: %s", m->net);
	if (m->script && m->script[0] != '/')
		return cr_error_set(err, EINVAL, "manifest: \"script\" is no absolute path: %s", m->script);
	return 0;
}

/* sorted: m->files in order. */
static int check_files(const struct cr_manifest *m, const struct cr_manifest_file *sorted, struct cr_error *err)
{
	for (size_t i = 0; i < m->n_files; i++) {
		const struct cr_manifest_file *file = &sorted[i];

		if (!relative_ok(file->path))
			return cr_error_set(err, EINVAL, "manifest: file path \"%s\" leads out of the generation",
					    file->path);
		if (i > 0 && strcmp(sorted[i - 1].path, file->path) == 0)
			return cr_error_set(err, EINVAL, "manifest: file %s is named twice", file->path);
		if (!hash_ok(file->hash))
			return cr_error_set(err, EINVAL, "manifest: file %s has no hash of 64 hex digits",
					    file->path);
		if (file->size > INT64_MAX)
			return cr_error_set(err, ERANGE, "manifest: the size of file %s is out of range",
					    file->path);
	}
	return 0;
}

static int pack_compare(const void *a, const void *b)
{
	uint32_t x = ((const struct cr_manifest_pack *)a)->generation;
	uint32_t y = ((const struct cr_manifest_pack *)b)->generation;

	return (x > y) - (x < y);
}

static int check_pack(const struct cr_manifest *m, const struct cr_manifest_pack *pack, struct cr_error *err)
{
	if (pack->generation < 1 || pack->generation > m->generation)
		return cr_error_set(err, ERANGE,
				    "manifest: generation %" PRIu32 " cannot hold chunks of generation %" PRIu32,
				    pack->generation, m->generation);
	if (pack->size > INT64_MAX || pack->raw > INT64_MAX || pack->used > pack->raw)
		return cr_error_set(err, ERANGE,
				    "manifest: the sizes of the pack of generation %" PRIu32 " are out of range",
				    pack->generation);
	return 0;
}

static int check_packs(const struct cr_manifest *m, struct cr_error *err)
{
	cleanup_free struct cr_manifest_pack *sorted = NULL;

	if (m->n_packs == 0)
		return 0;
	if (cr_manifest_format(m) == 1)
		return cr_error_set(err, EINVAL, "manifest: format 1 has no packs");
	sorted = reallocarray(NULL, m->n_packs, sizeof(*sorted));
	if (!sorted)
		return cr_error_sys(err, ENOMEM, "manifest");
	memcpy(sorted, m->packs, m->n_packs * sizeof(*sorted));
	qsort(sorted, m->n_packs, sizeof(*sorted), pack_compare);
	for (size_t i = 0; i < m->n_packs; i++) {
		if (check_pack(m, &sorted[i], err) < 0)
			return -1;
		if (i > 0 && sorted[i - 1].generation == sorted[i].generation)
			return cr_error_set(err, EINVAL,
					    "manifest: the pack of generation %" PRIu32 " is named twice",
					    sorted[i].generation);
	}
	return 0;
}

static int check_outputs(const struct cr_manifest *m, const struct cr_manifest_file *sorted, struct cr_error *err)
{
	for (size_t i = 0; i < m->n_outputs; i++) {
		const struct cr_manifest_output *output = &m->outputs[i];

		if (output->path[0] != '/')
			return cr_error_set(err, EINVAL, "manifest: output path \"%s\" is not absolute",
					    output->path);
		if (output->size > INT64_MAX)
			return cr_error_set(err, ERANGE, "manifest: the size of output %s is out of range",
					    output->path);
		if (output->mode > 07777)
			return cr_error_set(err, ERANGE, "manifest: the mode of output %s is out of range",
					    output->path);
		if (output->mtime_ns < 0 || output->offset > INT64_MAX || output->mapped > 1)
			return cr_error_set(err, ERANGE,
					    "manifest: time, offset or mapping of output %s is out of range",
					    output->path);
		if (output->saved && !relative_ok(output->saved))
			return cr_error_set(err, EINVAL, "manifest: the copy \"%s\" leads out of the generation",
					    output->saved);
		/* or nobody would notice a damaged copy; from format 2 on it is a stream of the index, which is */
		if (output->saved && cr_manifest_format(m) == 1 &&
		    !cr_manifest_files_have(sorted, m->n_files, output->saved))
			return cr_error_set(err, EINVAL, "manifest: the copy %s is not among its files",
					    output->saved);
	}
	return 0;
}

static int check_binaries(const struct cr_manifest *m, struct cr_error *err)
{
	for (size_t i = 0; i < m->n_binaries; i++) {
		const struct cr_manifest_binary *binary = &m->binaries[i];
		size_t digits = strlen(binary->build_id);

		if (binary->path[0] != '/')
			return cr_error_set(err, EINVAL, "manifest: binary path \"%s\" is not absolute",
					    binary->path);
		if (binary->size > INT64_MAX || binary->mtime_ns < 0)
			return cr_error_set(err, ERANGE, "manifest: size or time of binary %s is out of range",
					    binary->path);
		if (digits % 2 || digits > BUILD_ID_MAX || strspn(binary->build_id, CR_MANIFEST_HEX) != digits)
			return cr_error_set(err, EINVAL, "manifest: the build id of %s is not in hex digits",
					    binary->path);
	}
	return 0;
}

static int check_rollbacks(const struct cr_manifest *m, struct cr_error *err)
{
	for (size_t i = 0; i < m->n_rollbacks; i++) {
		if (m->rollbacks[i].path[0] != '/')
			return cr_error_set(err, EINVAL, "manifest: rollback path \"%s\" is not absolute",
					    m->rollbacks[i].path);
		if (!relative_ok(m->rollbacks[i].stream))
			return cr_error_set(err, EINVAL, "manifest: the stream \"%s\" leads out of the generation",
					    m->rollbacks[i].stream);
	}
	return 0;
}

int cr_manifest_check(const struct cr_manifest *m, struct cr_error *err)
{
	cleanup_free struct cr_manifest_file *sorted = NULL;

	if (check_fields(m, err) < 0)
		return -1;
	if (m->n_files > 0) {
		sorted = reallocarray(NULL, m->n_files, sizeof(*sorted));
		if (!sorted)
			return cr_error_sys(err, ENOMEM, "manifest");
		memcpy(sorted, m->files, m->n_files * sizeof(*sorted));
		cr_manifest_files_sort(sorted, m->n_files);
	}
	if (check_files(m, sorted, err) < 0 || check_packs(m, err) < 0 || check_binaries(m, err) < 0 ||
	    check_rollbacks(m, err) < 0)
		return -1;
	return check_outputs(m, sorted, err);
}
