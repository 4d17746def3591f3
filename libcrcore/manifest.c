/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "manifest.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cleanup.h"
#include "fs.h"
#include "jsontext.h"

#define PART_MAX   64
#define REASON_MAX 32
#define STATE	   "committed"

static const char hex_digits[] = "0123456789abcdef";

enum field_kind { FIELD_FORMAT, FIELD_STATE, FIELD_U32, FIELD_U64, FIELD_I64, FIELD_TEXT, FIELD_PATH };

/* The scalar keys in the order in which they are written. min: the least number; 1 for a text that must not
 * be empty. A FIELD_PATH may be null. */
static const struct field {
	const char *key;
	enum field_kind kind;
	uint32_t min;
	size_t offset;
} fields[] = {
#define AT(member) offsetof(struct cr_manifest, member)
	{"format", FIELD_FORMAT, 0, 0},
	{"job", FIELD_U32, 1, AT(job)},
	{"part", FIELD_TEXT, 1, AT(part)},
	{"node", FIELD_TEXT, 1, AT(node)},
	{"user", FIELD_TEXT, 1, AT(user)},
	{"uid", FIELD_U32, 0, AT(uid)},
	{"restart", FIELD_U32, 0, AT(restart)},
	{"run", FIELD_U32, 1, AT(run)},
	{"generation", FIELD_U32, 1, AT(generation)},
	{"state", FIELD_STATE, 0, 0},
	{"reason", FIELD_TEXT, 1, AT(reason)},
	{"time", FIELD_TEXT, 1, AT(time)},
	{"kernel", FIELD_TEXT, 0, AT(kernel)},
	{"cpu_model", FIELD_TEXT, 0, AT(cpu_model)},
	{"cpu_flags", FIELD_TEXT, 0, AT(cpu_flags)},
	{"criu", FIELD_TEXT, 0, AT(criu)},
	{"command", FIELD_TEXT, 0, AT(command)},
	{"script", FIELD_PATH, 0, AT(script)},
	{"script_pos", FIELD_U64, 0, AT(script_pos)},
	{"monotonic_ns", FIELD_I64, 0, AT(monotonic_ns)},
	{"boottime_ns", FIELD_I64, 0, AT(boottime_ns)},
	{"root_pid", FIELD_U32, 1, AT(root_pid)},
	{"last_pid", FIELD_U32, 0, AT(last_pid)},
	{"tasks", FIELD_U32, 1, AT(tasks)},
	{"freeze_ms", FIELD_I64, 0, AT(freeze_ms)},
	{"drain_ms", FIELD_I64, 0, AT(drain_ms)},
	{"image_bytes", FIELD_U64, 0, AT(image_bytes)},
	{"stored_bytes", FIELD_U64, 0, AT(stored_bytes)},
#undef AT
};
#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

static void *field_of(struct cr_manifest *m, const struct field *f)
{
	return (char *)m + f->offset;
}

static const void *field_in(const struct cr_manifest *m, const struct field *f)
{
	return (const char *)m + f->offset;
}

bool cr_manifest_part_ok(const char *part)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t length = part ? strlen(part) : 0;

	return length > 0 && length <= PART_MAX && part[0] != '.' && strspn(part, letters) == length;
}

void cr_manifest_clear(struct cr_manifest *m)
{
	for (size_t i = 0; i < N_FIELDS; i++)
		if (fields[i].kind == FIELD_TEXT || fields[i].kind == FIELD_PATH)
			free(*(char **)field_of(m, &fields[i]));
	for (size_t i = 0; i < m->n_files; i++)
		free(m->files[i].path);
	for (size_t i = 0; i < m->n_outputs; i++) {
		free(m->outputs[i].path);
		free(m->outputs[i].saved);
	}
	free(m->files);
	free(m->outputs);
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
	return strnlen(hash, CR_HASH_HEX) == CR_HASH_HEX - 1 && strspn(hash, hex_digits) == CR_HASH_HEX - 1;
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

static int file_compare(const void *a, const void *b)
{
	return strcmp(((const struct cr_manifest_file *)a)->path, ((const struct cr_manifest_file *)b)->path);
}

static void files_sort(struct cr_manifest_file *files, size_t n)
{
	if (n > 0)
		qsort(files, n, sizeof(*files), file_compare);
}

/* Is path among n sorted files? */
static bool files_have(const struct cr_manifest_file *files, size_t n, char *path)
{
	const struct cr_manifest_file key = {.path = path};

	return n > 0 && bsearch(&key, files, n, sizeof(*files), file_compare);
}

/* ---- hashing and verifying a directory ---- */

static int hash_below(struct cr_manifest *m, const char *dir, const char *prefix, size_t named,
		      struct cr_error *err);

/* One directory entry: rel is its path in the generation. */
static int hash_entry(struct cr_manifest *m, const char *dir, char *rel, size_t named, struct cr_error *err)
{
	cleanup_free char *path = NULL;
	char hash[CR_HASH_HEX];
	struct stat st;
	uint64_t size;

	if (strcmp(rel, "manifest.json") == 0 || strcmp(rel, "manifest.seal") == 0)
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
	if (!S_ISREG(st.st_mode) || files_have(m->files, named, rel))
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
	files_sort(m->files, m->n_files);
	/* new ones are appended, so those named before stay sorted */
	if (hash_below(m, dir, "", m->n_files, err) < 0)
		return -1;
	files_sort(m->files, m->n_files);
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

/* ---- what a manifest must say: the same for one to be written and one that was read ---- */

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

static bool number_ok(const struct field *f, const void *value)
{
	switch (f->kind) {
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
	for (size_t i = 0; i < N_FIELDS; i++) {
		const struct field *f = &fields[i];
		const void *value = field_in(m, f);

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
		if (output->saved && !relative_ok(output->saved))
			return cr_error_set(err, EINVAL, "manifest: the copy \"%s\" leads out of the generation",
					    output->saved);
		/* or nobody would notice a damaged copy */
		if (output->saved && !files_have(sorted, m->n_files, output->saved))
			return cr_error_set(err, EINVAL, "manifest: the copy %s is not among its files",
					    output->saved);
	}
	return 0;
}

static int manifest_check(const struct cr_manifest *m, struct cr_error *err)
{
	cleanup_free struct cr_manifest_file *sorted = NULL;

	if (check_fields(m, err) < 0)
		return -1;
	if (m->n_files > 0) {
		sorted = reallocarray(NULL, m->n_files, sizeof(*sorted));
		if (!sorted)
			return cr_error_sys(err, ENOMEM, "manifest");
		memcpy(sorted, m->files, m->n_files * sizeof(*sorted));
		files_sort(sorted, m->n_files);
	}
	if (check_files(m, sorted, err) < 0)
		return -1;
	return check_outputs(m, sorted, err);
}

/* ---- encoding ---- */

/* A path must come back byte for byte, and need not be UTF-8: then it is KEY_hex. */
static int put_path(json_t *object, const char *key, const char *path)
{
	json_t *value = path ? json_string(path) : json_null();
	cleanup_free char *hex = NULL;
	char hex_key[32];
	size_t length;

	if (value)
		return json_object_set_new(object, key, value);
	length = strlen(path);
	hex = malloc(2 * length + 1);
	if (!hex)
		return -1;
	for (size_t i = 0; i < length; i++) {
		hex[2 * i] = hex_digits[(unsigned char)path[i] >> 4];
		hex[2 * i + 1] = hex_digits[(unsigned char)path[i] & 15];
	}
	hex[2 * length] = '\0';
	(void)snprintf(hex_key, sizeof(hex_key), "%s_hex", key);
	return json_object_set_new(object, hex_key, json_string(hex));
}

static int put_number(json_t *object, const char *key, int64_t number)
{
	return json_object_set_new(object, key, json_integer(number));
}

static int put_field(json_t *object, const struct cr_manifest *m, const struct field *f)
{
	const void *value = field_in(m, f);

	switch (f->kind) {
	case FIELD_FORMAT:
		return put_number(object, f->key, CR_MANIFEST_FORMAT);
	case FIELD_STATE:
		return json_object_set_new(object, f->key, json_string(STATE));
	case FIELD_U32:
		return put_number(object, f->key, *(const uint32_t *)value);
	case FIELD_U64:
		return put_number(object, f->key, (int64_t)*(const uint64_t *)value);
	case FIELD_I64:
		return put_number(object, f->key, *(const int64_t *)value);
	case FIELD_TEXT:
		return json_object_set_new(object, f->key, cr_json_text(*(char *const *)value));
	case FIELD_PATH:
		return put_path(object, f->key, *(char *const *)value);
	}
	return -1;
}

static int put_files(json_t *root, const struct cr_manifest *m)
{
	json_t *array = json_array();

	if (json_object_set_new(root, "files", array) < 0)
		return -1;
	for (size_t i = 0; i < m->n_files; i++) {
		const struct cr_manifest_file *file = &m->files[i];
		json_t *object = json_object();

		if (json_array_append_new(array, object) < 0 || put_path(object, "path", file->path) < 0 ||
		    put_number(object, "size", (int64_t)file->size) < 0 ||
		    json_object_set_new(object, "hash", json_string(file->hash)) < 0)
			return -1;
	}
	return 0;
}

static int put_outputs(json_t *root, const struct cr_manifest *m)
{
	json_t *array = json_array();

	if (json_object_set_new(root, "outputs", array) < 0)
		return -1;
	for (size_t i = 0; i < m->n_outputs; i++) {
		const struct cr_manifest_output *output = &m->outputs[i];
		json_t *object = json_object();

		/* dev and ino use all 64 bits on some file systems: written as signed numbers */
		if (json_array_append_new(array, object) < 0 || put_path(object, "path", output->path) < 0 ||
		    put_number(object, "size", (int64_t)output->size) < 0 ||
		    put_number(object, "dev", (int64_t)output->dev) < 0 ||
		    put_number(object, "ino", (int64_t)output->ino) < 0 ||
		    put_number(object, "mode", output->mode) < 0 || put_path(object, "saved", output->saved) < 0)
			return -1;
	}
	return 0;
}

static char *manifest_dump(const struct cr_manifest *m)
{
	json_auto_t *root = json_object();
	cleanup_free char *json = NULL;
	char *text;

	if (!root)
		return NULL;
	for (size_t i = 0; i < N_FIELDS; i++)
		if (put_field(root, m, &fields[i]) < 0)
			return NULL;
	if (put_files(root, m) < 0 || put_outputs(root, m) < 0)
		return NULL;
	json = json_dumps(root, JSON_INDENT(2));
	if (!json || asprintf(&text, "%s\n", json) < 0)
		return NULL;
	return text;
}

int cr_manifest_encode(const struct cr_manifest *m, char **text, struct cr_error *err)
{
	cleanup_free char *json = NULL;

	if (manifest_check(m, err) < 0)
		return -1;
	json = manifest_dump(m);
	if (!json)
		return cr_error_sys(err, ENOMEM, "manifest");
	if (strlen(json) > CR_MANIFEST_MAX)
		return cr_error_set(err, EFBIG, "manifest: larger than %u bytes", CR_MANIFEST_MAX);
	*text = json;
	json = NULL;
	return 0;
}

/* ---- decoding ---- */

static int get_number(const json_t *object, const char *key, int64_t min, int64_t max, int64_t *number,
		      struct cr_error *err)
{
	const json_t *value = json_object_get(object, key);

	if (!value)
		return cr_error_set(err, EINVAL, "manifest: \"%s\" is missing", key);
	if (!json_is_integer(value))
		return cr_error_set(err, EINVAL, "manifest: \"%s\" is no integer", key);
	*number = json_integer_value(value);
	if (*number < min || *number > max)
		return cr_error_set(err, ERANGE, "manifest: \"%s\" is out of range", key);
	return 0;
}

static int get_text(const json_t *object, const char *key, char **text, struct cr_error *err)
{
	const json_t *value = json_object_get(object, key);

	if (!value)
		return cr_error_set(err, EINVAL, "manifest: \"%s\" is missing", key);
	if (!json_is_string(value))
		return cr_error_set(err, EINVAL, "manifest: \"%s\" is no text", key);
	*text = strdup(json_string_value(value));
	return *text ? 0 : cr_error_sys(err, ENOMEM, "manifest");
}

static int hex_digit(char c)
{
	const char *p = c ? strchr(hex_digits, c) : NULL;

	return p ? (int)(p - hex_digits) : -1;
}

/* In place. Returns -1 for anything but pairs of digits, and for a NUL, which no path can hold. */
static int hex_decode(char *text)
{
	size_t length = strlen(text);

	if (length % 2)
		return -1;
	for (size_t i = 0; i < length; i += 2) {
		int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);

		if (high < 0 || low < 0 || high + low == 0)
			return -1;
		text[i / 2] = (char)(high << 4 | low);
	}
	text[length / 2] = '\0';
	return 0;
}

/* *path stays NULL when the key is null and may be. */
static int get_path(const json_t *object, const char *key, bool null_ok, char **path, struct cr_error *err)
{
	char hex_key[32];

	(void)snprintf(hex_key, sizeof(hex_key), "%s_hex", key);
	if (json_object_get(object, hex_key)) {
		if (json_object_get(object, key))
			return cr_error_set(err, EINVAL, "manifest: both \"%s\" and \"%s\"", key, hex_key);
		if (get_text(object, hex_key, path, err) < 0)
			return -1;
		if (hex_decode(*path) < 0)
			return cr_error_set(err, EINVAL, "manifest: \"%s\" is no path in hex digits", hex_key);
		return 0;
	}
	if (null_ok && json_is_null(json_object_get(object, key)))
		return 0;
	return get_text(object, key, path, err);
}

static int get_format(const json_t *root, struct cr_error *err)
{
	int64_t format = 0;

	if (get_number(root, "format", 1, INT64_MAX, &format, err) < 0)
		return -1;
	if (format > CR_MANIFEST_FORMAT)
		return cr_error_set(err, EPROTONOSUPPORT,
				    "manifest: format %" PRId64 " is newer than %d, the newest that this spank_cr "
				    "reads: use the version that wrote it, or a later one",
				    format, CR_MANIFEST_FORMAT);
	return 0;
}

static int get_state(const json_t *root, const char *key, struct cr_error *err)
{
	const char *state = json_string_value(json_object_get(root, key));

	if (!state || strcmp(state, STATE) != 0)
		return cr_error_set(err, EINVAL, "manifest: \"%s\" is not \"%s\"", key, STATE);
	return 0;
}

static int get_field(struct cr_manifest *m, const json_t *root, const struct field *f, struct cr_error *err)
{
	void *value = field_of(m, f);
	int64_t number = 0;

	switch (f->kind) {
	case FIELD_FORMAT:
		return get_format(root, err);
	case FIELD_STATE:
		return get_state(root, f->key, err);
	case FIELD_TEXT:
		return get_text(root, f->key, value, err);
	case FIELD_PATH:
		return get_path(root, f->key, true, value, err);
	case FIELD_U32:
		if (get_number(root, f->key, f->min, UINT32_MAX, &number, err) < 0)
			return -1;
		*(uint32_t *)value = (uint32_t)number;
		return 0;
	case FIELD_U64:
	case FIELD_I64:
		/* both have the same range in the file */
		if (get_number(root, f->key, 0, INT64_MAX, &number, err) < 0)
			return -1;
		memcpy(value, &number, sizeof(number));
		return 0;
	}
	return -1;
}

static int get_file(struct cr_manifest *m, const json_t *object, struct cr_error *err)
{
	cleanup_free char *path = NULL;
	cleanup_free char *hash = NULL;
	int64_t size = 0;

	if (get_path(object, "path", false, &path, err) < 0 ||
	    get_number(object, "size", 0, INT64_MAX, &size, err) < 0 || get_text(object, "hash", &hash, err) < 0)
		return -1;
	if (cr_manifest_add_file(m, path, (uint64_t)size, hash, err) < 0)
		return cr_error_prefix(err, "manifest");
	return 0;
}

static int get_output(struct cr_manifest *m, const json_t *object, struct cr_error *err)
{
	cleanup_free char *path = NULL;
	cleanup_free char *saved = NULL;
	int64_t size = 0, dev = 0, ino = 0, mode = 0;

	if (get_path(object, "path", false, &path, err) < 0 ||
	    get_number(object, "size", 0, INT64_MAX, &size, err) < 0 ||
	    get_number(object, "dev", INT64_MIN, INT64_MAX, &dev, err) < 0 ||
	    get_number(object, "ino", INT64_MIN, INT64_MAX, &ino, err) < 0 ||
	    get_number(object, "mode", 0, 07777, &mode, err) < 0 ||
	    get_path(object, "saved", true, &saved, err) < 0)
		return -1;
	return cr_manifest_add_output(m,
				      &(struct cr_manifest_output){.path = path,
								   .size = (uint64_t)size,
								   .dev = (uint64_t)dev,
								   .ino = (uint64_t)ino,
								   .mode = (uint32_t)mode,
								   .saved = saved},
				      err);
}

static int get_array(struct cr_manifest *m, const json_t *root, const char *key,
		     int (*get)(struct cr_manifest *m, const json_t *object, struct cr_error *err),
		     struct cr_error *err)
{
	const json_t *array = json_object_get(root, key), *object;
	size_t i;

	if (!json_is_array(array))
		return cr_error_set(err, EINVAL, "manifest: \"%s\" is missing or no array", key);
	json_array_foreach (array, i, object) {
		if (!json_is_object(object))
			return cr_error_set(err, EINVAL, "manifest: \"%s\" holds something that is no object",
					    key);
		if (get(m, object, err) < 0)
			return -1;
	}
	return 0;
}

static int manifest_load(struct cr_manifest *m, const char *text, size_t size, struct cr_error *err)
{
	json_error_t where;
	json_auto_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);

	if (!root)
		return cr_error_set(err, EBADMSG, "manifest: line %d: %s", where.line, where.text);
	if (!json_is_object(root))
		return cr_error_set(err, EBADMSG, "manifest: not a JSON object");
	/* the format is the first: in a newer one every other key may mean something else */
	for (size_t i = 0; i < N_FIELDS; i++)
		if (get_field(m, root, &fields[i], err) < 0)
			return -1;
	if (get_array(m, root, "files", get_file, err) < 0 || get_array(m, root, "outputs", get_output, err) < 0)
		return -1;
	return manifest_check(m, err);
}

int cr_manifest_decode(struct cr_manifest *m, const char *text, size_t size, struct cr_error *err)
{
	*m = (struct cr_manifest){0};
	if (size > CR_MANIFEST_MAX)
		return cr_error_set(err, EFBIG, "manifest: larger than %u bytes", CR_MANIFEST_MAX);
	if (manifest_load(m, text, size, err) < 0) {
		cr_manifest_clear(m);
		return -1;
	}
	return 0;
}

int cr_manifest_read(struct cr_manifest *m, const char *dir, struct cr_error *err)
{
	cleanup_free char *path = NULL;
	cleanup_free char *text = NULL;
	size_t size = 0;

	*m = (struct cr_manifest){0};
	if (asprintf(&path, "%s/manifest.json", dir) < 0) {
		path = NULL;
		return cr_error_sys(err, ENOMEM, "manifest");
	}
	if (cr_fs_read(path, CR_MANIFEST_MAX, &text, &size, err) < 0)
		return -1;
	if (cr_manifest_decode(m, text, size, err) < 0)
		return cr_error_prefix(err, "%s", path);
	return 0;
}
