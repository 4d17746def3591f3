/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright (C) 2026 the spank_cr authors */

#include "jsontext.h"

#include <string.h>

#include "cleanup.h"

json_t *cr_json_text(const char *text)
{
	json_t *value = json_string(text);
	cleanup_free char *ascii = NULL;

	if (value)
		return value;
	ascii = strdup(text);
	if (!ascii)
		return NULL;
	for (char *p = ascii; *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	return json_string(ascii);
}
