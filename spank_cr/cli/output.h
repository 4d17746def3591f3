/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* output.h - what goes to stdout: JSON, a table, quantities as people read them */

#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdio.h>

#include <jansson.h>
#include <stddef.h>

#include "error.h"

#define OUTPUT_CELL 64

/* value, indented or on one line. */
int output_json(const json_t *value, struct cr_error *err);
int output_json_line(const json_t *value, struct cr_error *err);

/* A string of somebody else's, with whatever a terminal might obey replaced. */
void output_text(const char *text);
void output_text_to(FILE *f, const char *text); /* lines stay lines */

/* "1.2 s" from a JSON number of milliseconds, "35.1M" from one of bytes; "-" from anything else. */
const char *output_ms(const json_t *ms, char buf[OUTPUT_CELL]);
const char *output_bytes(const json_t *bytes, char buf[OUTPUT_CELL]);

/* One row per object of an array of records (record.h), below a header. */
void output_table(const json_t *records);

#endif
