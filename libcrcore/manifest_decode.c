/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* manifest_decode.c - a manifest from JSON that anybody may have written */

#include "manifest.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "fs.h"
#include "manifest_field.h"

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
	const char *p = c ? strchr(CR_MANIFEST_HEX, c) : NULL;

	return p ? (int)(p - CR_MANIFEST_HEX) : -1;
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

static int get_format(const json_t *root, uint32_t *value, struct cr_error *err)
{
	int64_t format = 0;

	if (get_number(root, "format", 1, INT64_MAX, &format, err) < 0)
		return -1;
	if (format > CR_MANIFEST_FORMAT)
		return cr_error_set(err, EPROTONOSUPPORT,
				    "manifest: format %" PRId64 " is newer than %d, the newest that this spank_cr "
				    "reads: use the version that wrote it, or a later one",
				    format, CR_MANIFEST_FORMAT);
	*value = (uint32_t)format;
	return 0;
}

static int get_state(const json_t *root, const char *key, struct cr_error *err)
{
	const char *state = json_string_value(json_object_get(root, key));

	if (!state || strcmp(state, CR_MANIFEST_STATE) != 0)
		return cr_error_set(err, EINVAL, "manifest: \"%s\" is not \"%s\"", key, CR_MANIFEST_STATE);
	return 0;
}

static int get_field(struct cr_manifest *m, const json_t *root, const struct cr_manifest_field *f,
		     struct cr_error *err)
{
	void *value = (char *)m + f->offset;
	int64_t number = 0;

	switch (f->kind) {
	case FIELD_FORMAT:
		return get_format(root, value, err);
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

static int get_pack(struct cr_manifest *m, const json_t *object, struct cr_error *err)
{
	int64_t generation = 0, size = 0, raw = 0, used = 0;

	if (get_number(object, "generation", 1, UINT32_MAX, &generation, err) < 0 ||
	    get_number(object, "size", 0, INT64_MAX, &size, err) < 0 ||
	    get_number(object, "raw", 0, INT64_MAX, &raw, err) < 0 ||
	    get_number(object, "used", 0, raw, &used, err) < 0)
		return -1;
	return cr_manifest_add_pack(m,
				    &(struct cr_manifest_pack){.generation = (uint32_t)generation,
							       .size = (uint64_t)size,
							       .raw = (uint64_t)raw,
							       .used = (uint64_t)used},
				    err);
}

static int get_output(struct cr_manifest *m, const json_t *object, struct cr_error *err)
{
	cleanup_free char *path = NULL;
	cleanup_free char *saved = NULL;
	int64_t size = 0, dev = 0, ino = 0, mode = 0, mtime = 0, offset = 0, flags = 0, mapped = 0, uid = 0,
		links = 0;

	if (get_path(object, "path", false, &path, err) < 0 ||
	    get_number(object, "size", 0, INT64_MAX, &size, err) < 0 ||
	    get_number(object, "dev", INT64_MIN, INT64_MAX, &dev, err) < 0 ||
	    get_number(object, "ino", INT64_MIN, INT64_MAX, &ino, err) < 0 ||
	    get_number(object, "mode", 0, 07777, &mode, err) < 0 ||
	    get_path(object, "saved", true, &saved, err) < 0)
		return -1;
	if (m->format >= 3 && (get_number(object, "mtime_ns", 0, INT64_MAX, &mtime, err) < 0 ||
			       get_number(object, "offset", 0, INT64_MAX, &offset, err) < 0 ||
			       get_number(object, "flags", 0, UINT32_MAX, &flags, err) < 0 ||
			       get_number(object, "mapped", 0, 1, &mapped, err) < 0 ||
			       get_number(object, "uid", 0, UINT32_MAX, &uid, err) < 0 ||
			       get_number(object, "links", 0, UINT32_MAX, &links, err) < 0))
		return -1;
	return cr_manifest_add_output(m,
				      &(struct cr_manifest_output){.path = path,
								   .size = (uint64_t)size,
								   .dev = (uint64_t)dev,
								   .ino = (uint64_t)ino,
								   .mode = (uint32_t)mode,
								   .saved = saved,
								   .mtime_ns = mtime,
								   .offset = (uint64_t)offset,
								   .flags = (uint32_t)flags,
								   .mapped = (uint32_t)mapped,
								   .uid = (uint32_t)uid,
								   .links = (uint32_t)links},
				      err);
}

static int get_binary(struct cr_manifest *m, const json_t *object, struct cr_error *err)
{
	cleanup_free char *path = NULL;
	cleanup_free char *build_id = NULL;
	int64_t size = 0, mtime = 0;

	if (get_path(object, "path", false, &path, err) < 0 ||
	    get_number(object, "size", 0, INT64_MAX, &size, err) < 0 ||
	    get_number(object, "mtime_ns", 0, INT64_MAX, &mtime, err) < 0 ||
	    get_text(object, "build_id", &build_id, err) < 0)
		return -1;
	return cr_manifest_add_binary(
		m,
		&(struct cr_manifest_binary){
			.path = path, .size = (uint64_t)size, .mtime_ns = mtime, .build_id = build_id},
		err);
}

static int get_rollback(struct cr_manifest *m, const json_t *object, struct cr_error *err)
{
	cleanup_free char *path = NULL;
	cleanup_free char *stream = NULL;

	if (get_path(object, "path", false, &path, err) < 0 || get_path(object, "stream", false, &stream, err) < 0)
		return -1;
	return cr_manifest_add_rollback(m, path, stream, err);
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
	for (size_t i = 0; i < cr_manifest_n_fields; i++)
		if (cr_manifest_has(m, &cr_manifest_fields[i]) &&
		    get_field(m, root, &cr_manifest_fields[i], err) < 0)
			return -1;
	if (get_array(m, root, "files", get_file, err) < 0 || get_array(m, root, "outputs", get_output, err) < 0)
		return -1;
	/* to format 1 the key means nothing */
	if (m->format > 1 && get_array(m, root, "packs", get_pack, err) < 0)
		return -1;
	if (m->format > 2 && (get_array(m, root, "binaries", get_binary, err) < 0 ||
			      get_array(m, root, "rollbacks", get_rollback, err) < 0))
		return -1;
	return cr_manifest_check(m, err);
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
