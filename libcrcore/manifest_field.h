/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* manifest_field.h - the table of a manifest's scalar keys, for the files of manifest.h alone */

#ifndef CR_MANIFEST_FIELD_H
#define CR_MANIFEST_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "manifest.h"

#define CR_MANIFEST_STATE "committed"

/* Lower case, as hashes and paths that are not UTF-8 are written. */
#define CR_MANIFEST_HEX "0123456789abcdef"

enum cr_manifest_kind { FIELD_FORMAT, FIELD_STATE, FIELD_U32, FIELD_U64, FIELD_I64, FIELD_TEXT, FIELD_PATH };

/* min: the least number; 1 for a text that must not be empty. A FIELD_PATH may be null. */
struct cr_manifest_field {
	const char *key;
	enum cr_manifest_kind kind;
	uint32_t min;
	size_t offset;	/* in struct cr_manifest */
	uint32_t since; /* the first format that has it */
};

/* In the order in which they are written; the format is the first. */
extern const struct cr_manifest_field cr_manifest_fields[];
extern const size_t cr_manifest_n_fields;

/* The format that m is to be written in, or was. */
static inline uint32_t cr_manifest_format(const struct cr_manifest *m)
{
	return m->format ? m->format : CR_MANIFEST_FORMAT;
}

/* Whether a manifest of m's format has the field. */
static inline bool cr_manifest_has(const struct cr_manifest *m, const struct cr_manifest_field *field)
{
	return cr_manifest_format(m) >= field->since;
}

/* What a manifest must say: the same for one to be written and one that was read. */
int cr_manifest_check(const struct cr_manifest *m, struct cr_error *err);

/* Sorted by path, as cr_manifest_files_have needs them. */
void cr_manifest_files_sort(struct cr_manifest_file *files, size_t n);
bool cr_manifest_files_have(const struct cr_manifest_file *files, size_t n, char *path);

#endif
