/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

/* jsontext.h - text that only informs, as JSON */

#ifndef CR_JSONTEXT_H
#define CR_JSONTEXT_H

#include <jansson.h>

/* A new reference to a JSON string, or NULL without memory. Bytes that are no UTF-8 (of a file name in an error
 * text) become '?': they are not worth a failed checkpoint or a lost event. */
json_t *cr_json_text(const char *text);

#endif
