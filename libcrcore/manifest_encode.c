/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* manifest_encode.c - a manifest as JSON */

#include "manifest.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "jsontext.h"
#include "manifest_field.h"

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
		hex[2 * i] = CR_MANIFEST_HEX[(unsigned char)path[i] >> 4];
		hex[2 * i + 1] = CR_MANIFEST_HEX[(unsigned char)path[i] & 15];
	}
	hex[2 * length] = '\0';
	(void)snprintf(hex_key, sizeof(hex_key), "%s_hex", key);
	return json_object_set_new(object, hex_key, json_string(hex));
}

static int put_number(json_t *object, const char *key, int64_t number)
{
	return json_object_set_new(object, key, json_integer(number));
}

static int put_field(json_t *object, const struct cr_manifest *m, const struct cr_manifest_field *f)
{
	const void *value = (const char *)m + f->offset;

	switch (f->kind) {
	case FIELD_FORMAT:
		return put_number(object, f->key, cr_manifest_format(m));
	case FIELD_STATE:
		return json_object_set_new(object, f->key, json_string(CR_MANIFEST_STATE));
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

static int put_packs(json_t *root, const struct cr_manifest *m)
{
	json_t *array;

	if (cr_manifest_format(m) == 1)
		return 0;
	array = json_array();
	if (json_object_set_new(root, "packs", array) < 0)
		return -1;
	for (size_t i = 0; i < m->n_packs; i++) {
		const struct cr_manifest_pack *pack = &m->packs[i];
		json_t *object = json_object();

		if (json_array_append_new(array, object) < 0 ||
		    put_number(object, "generation", pack->generation) < 0 ||
		    put_number(object, "size", (int64_t)pack->size) < 0 ||
		    put_number(object, "raw", (int64_t)pack->raw) < 0 ||
		    put_number(object, "used", (int64_t)pack->used) < 0)
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
		if (cr_manifest_format(m) >= 3 &&
		    (put_number(object, "mtime_ns", output->mtime_ns) < 0 ||
		     put_number(object, "offset", (int64_t)output->offset) < 0 ||
		     put_number(object, "flags", output->flags) < 0 ||
		     put_number(object, "mapped", output->mapped) < 0 ||
		     put_number(object, "uid", output->uid) < 0 || put_number(object, "links", output->links) < 0))
			return -1;
	}
	return 0;
}

static int put_binaries(json_t *root, const struct cr_manifest *m)
{
	json_t *array = json_array();

	if (json_object_set_new(root, "binaries", array) < 0)
		return -1;
	for (size_t i = 0; i < m->n_binaries; i++) {
		const struct cr_manifest_binary *binary = &m->binaries[i];
		json_t *object = json_object();

		if (json_array_append_new(array, object) < 0 || put_path(object, "path", binary->path) < 0 ||
		    put_number(object, "size", (int64_t)binary->size) < 0 ||
		    put_number(object, "mtime_ns", binary->mtime_ns) < 0 ||
		    json_object_set_new(object, "build_id", json_string(binary->build_id)) < 0)
			return -1;
	}
	return 0;
}

static int put_rollbacks(json_t *root, const struct cr_manifest *m)
{
	json_t *array = json_array();

	if (json_object_set_new(root, "rollbacks", array) < 0)
		return -1;
	for (size_t i = 0; i < m->n_rollbacks; i++) {
		json_t *object = json_object();

		if (json_array_append_new(array, object) < 0 ||
		    put_path(object, "path", m->rollbacks[i].path) < 0 ||
		    put_path(object, "stream", m->rollbacks[i].stream) < 0)
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
	for (size_t i = 0; i < cr_manifest_n_fields; i++)
		if (cr_manifest_has(m, &cr_manifest_fields[i]) && put_field(root, m, &cr_manifest_fields[i]) < 0)
			return NULL;
	if (put_files(root, m) < 0 || put_packs(root, m) < 0 || put_outputs(root, m) < 0)
		return NULL;
	if (cr_manifest_format(m) >= 3 && (put_binaries(root, m) < 0 || put_rollbacks(root, m) < 0))
		return NULL;
	json = json_dumps(root, JSON_INDENT(2));
	if (!json || asprintf(&text, "%s\n", json) < 0)
		return NULL;
	return text;
}

int cr_manifest_encode(const struct cr_manifest *m, char **text, struct cr_error *err)
{
	cleanup_free char *json = NULL;

	if (cr_manifest_check(m, err) < 0)
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
