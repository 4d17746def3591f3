/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* output.c - what goes to stdout: JSON, a table, quantities as people read them */

#include "output.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int print_json(const json_t *value, size_t flags, struct cr_error *err)
{
	if (json_dumpf(value, stdout, flags) < 0)
		return cr_error_set(err, EIO, "cannot write the answer");
	putchar('\n');
	return 0;
}

int output_json(const json_t *value, struct cr_error *err)
{
	return print_json(value, JSON_INDENT(2), err);
}

int output_json_line(const json_t *value, struct cr_error *err)
{
	return print_json(value, JSON_COMPACT, err);
}

/* Bytes of the character at p: 1, or more for UTF-8; 0 when a terminal should not get it: C0 and C1 controls,
 * DEL, and what is not UTF-8. */
static size_t printable(const unsigned char *p)
{
	size_t size = *p < 0x80 ? 1 : *p >= 0xf0 && *p < 0xf8 ? 4 : *p >= 0xe0 ? 3 : *p >= 0xc2 ? 2 : 0;

	if (*p < 0x20 || *p == 0x7f || *p >= 0xf8 || (*p == 0xc2 && p[1] < 0xa0))
		return 0;
	for (size_t i = 1; i < size; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return size;
}

static void text_put(FILE *f, const char *text, bool lines)
{
	const unsigned char *p = (const unsigned char *)text;

	while (*p) {
		size_t size = printable(p);

		if (size)
			fwrite(p, 1, size, f);
		else
			putc(lines && *p == '\n' ? '\n' : '?', f);
		p += size ? size : 1;
	}
}

void output_text(const char *text)
{
	text_put(stdout, text, false);
}

void output_text_to(FILE *f, const char *text)
{
	text_put(f, text, true);
}

const char *output_ms(const json_t *ms, char buf[OUTPUT_CELL])
{
	double value = json_number_value(ms);

	if (!json_is_number(ms))
		return "-";
	if (value < 1000)
		snprintf(buf, OUTPUT_CELL, "%.0fms", value);
	else
		snprintf(buf, OUTPUT_CELL, "%.1fs", value / 1000);
	return buf;
}

const char *output_bytes(const json_t *bytes, char buf[OUTPUT_CELL])
{
	static const char unit[] = "BKMGTPE";
	double value = json_number_value(bytes);
	size_t i = 0;

	if (!json_is_number(bytes))
		return "-";
	for (; value >= 1024 && unit[i + 1]; i++)
		value /= 1024;
	snprintf(buf, OUTPUT_CELL, i ? "%.1f%c" : "%.0f%c", value, unit[i]);
	return buf;
}

/* A number as it is; 0 stands for "none". */
static const char *show_number(const json_t *value, char buf[OUTPUT_CELL])
{
	if (!json_integer_value(value))
		return "-";
	snprintf(buf, OUTPUT_CELL, "%lld", (long long)json_integer_value(value));
	return buf;
}

static const char *show_count(const json_t *value, char buf[OUTPUT_CELL])
{
	snprintf(buf, OUTPUT_CELL, "%lld", (long long)json_integer_value(value));
	return buf;
}

static const char *show_string(const json_t *value, char buf[OUTPUT_CELL])
{
	snprintf(buf, OUTPUT_CELL, "%s", json_is_string(value) ? json_string_value(value) : "-");
	return buf;
}

/* Without the fraction of a second. */
static const char *show_time(const json_t *value, char buf[OUTPUT_CELL])
{
	char *dot;

	show_string(value, buf);
	dot = strchr(buf, '.');
	if (dot)
		snprintf(dot, (size_t)(buf + OUTPUT_CELL - dot), "Z");
	return buf;
}

static const struct {
	const char *head;
	const char *key;
	const char *(*show)(const json_t *value, char buf[OUTPUT_CELL]);
	int align; /* -1 left, 1 right */
} columns[] = {
	{"JOBID", "job", show_number, 1},
	{"GEN", "generation", show_number, 1},
	{"STATE", "state", show_string, -1},
	{"TIME", "time", show_time, -1},
	{"REASON", "reason", show_string, -1},
	{"NODE", "node", show_string, -1},
	{"FREEZE", "freeze_ms", output_ms, 1},
	{"IMAGE", "image_bytes", output_bytes, 1},
	{"STORED", "stored_bytes", output_bytes, 1},
	{"RESTORES", "restores", show_count, 1},
};
enum { N_COLUMNS = sizeof(columns) / sizeof(*columns) };

static const char *cell(const json_t *record, size_t column, char buf[OUTPUT_CELL])
{
	return columns[column].show(json_object_get(record, columns[column].key), buf);
}

/* No blanks after the last column. */
static void print_cell(const char *text, size_t column, size_t width)
{
	size_t pad = width - strlen(text);

	if (columns[column].align > 0)
		printf("%*s", (int)pad, "");
	output_text(text);
	if (columns[column].align < 0 && column + 1 < N_COLUMNS)
		printf("%*s", (int)pad, "");
	fputs(column + 1 < N_COLUMNS ? "  " : "\n", stdout);
}

void output_table(const json_t *records)
{
	size_t width[N_COLUMNS], i;
	char buf[OUTPUT_CELL];
	json_t *record;

	for (size_t c = 0; c < N_COLUMNS; c++) {
		width[c] = strlen(columns[c].head);
		json_array_foreach (records, i, record) {
			size_t length = strlen(cell(record, c, buf));

			width[c] = length > width[c] ? length : width[c];
		}
	}
	for (size_t c = 0; c < N_COLUMNS; c++)
		print_cell(columns[c].head, c, width[c]);
	json_array_foreach (records, i, record)
		for (size_t c = 0; c < N_COLUMNS; c++)
			print_cell(cell(record, c, buf), c, width[c]);
}
